//! Same seed, same bits: whatever the batch, its order, the number of workers or who leaves it.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Smooth, open_entries, quick};
use duress_attacks::Pgd;
use duress_core::{
    Attack, Domain, Goal, Norm, Oracle, Passes, Problem, Reach, Seed, Threat, WhiteBox, host, run,
};

/// More than a sub-batch.
const COUNT: usize = 40;
const FEATURES: usize = 36;

fn rows() -> Vec<f32> {
    (0..COUNT * FEATURES).map(|index| (index as f32 * 0.61).sin().mul_add(0.5, 0.5)).collect()
}

/// From where nothing breaks to where all does, unless the attack needs the whole box.
fn radius(attack: &Attack, id: usize) -> f64 {
    if attack.algorithm().reach() == Reach::Box { 64.0 } else { 0.001 * 1.2_f64.powi(id as i32) }
}

/// What the model predicts, but for each tenth sample, which is wrong already.
fn labels() -> Vec<usize> {
    let device = Device::flex();
    let rows = Tensor::from_data(TensorData::new(rows(), [COUNT, FEATURES]), &device);
    let passes = Passes::new(&device).unwrap();
    let logits = passes.logits(&model(), rows).unwrap();
    let predicted = duress_core::predictions(logits).unwrap().into_iter().enumerate();
    predicted.map(|(id, (class, _))| if id % 10 == 3 { (class + 1) % 10 } else { class }).collect()
}

fn model() -> Smooth {
    Smooth { domain: Domain::image(1, 6, 6).unwrap(), classes: 10 }
}

/// The bits of each sample's returned row, attacked in batches of these ids.
fn attacked(attack: &Attack, norm: Norm, batches: &[Vec<usize>], workers: usize) -> Vec<Vec<u32>> {
    let device = Device::flex();
    let passes = Passes::with_workers(&device, workers).unwrap();
    let model = model();
    let oracle = WhiteBox::new(&model, &passes);
    let (all, own) = (rows(), labels());
    let mut bits = vec![Vec::new(); COUNT];
    for batch in batches {
        let values: Vec<f32> =
            batch.iter().flat_map(|&id| all[id * FEATURES..][..FEATURES].to_vec()).collect();
        let rows = Tensor::from_data(TensorData::new(values, [batch.len(), FEATURES]), &device);
        let labels = batch.iter().map(|&id| own[id]).collect();
        let radii = batch.iter().map(|&id| radius(attack, id)).collect();
        let problem = Problem::new(
            Oracle::Gradients(&oracle),
            rows,
            Goal::Untargeted(labels),
            Threat::per_sample(norm, radii).unwrap(),
        )
        .with_ids(batch.iter().map(|&id| id as u64).collect())
        .with_seed(Seed(11));
        let got = host::floats(run(attack, &problem).unwrap().rows).unwrap();
        for (place, &id) in batch.iter().enumerate() {
            bits[id] = got[place * FEATURES..][..FEATURES].iter().map(|v| v.to_bits()).collect();
        }
    }
    bits
}

fn batches(size: usize) -> Vec<Vec<usize>> {
    (0..COUNT).collect::<Vec<_>>().chunks(size).map(<[usize]>::to_vec).collect()
}

#[test]
fn bits_do_not_depend_on_the_batch_its_order_or_the_workers() {
    for entry in open_entries() {
        let (name, attack) = (entry.name, quick(entry.name));
        if attack.algorithm().joint() {
            continue;
        }
        for &norm in attack.algorithm().norms() {
            let whole = attacked(&attack, norm, &batches(COUNT), 2);
            assert_eq!(whole, attacked(&attack, norm, &batches(1), 2), "{name} {norm}: one by one");
            let mut backwards = batches(7);
            for batch in &mut backwards {
                batch.reverse();
            }
            assert_eq!(whole, attacked(&attack, norm, &backwards, 3), "{name} {norm}: by seven");
        }
    }
}

/// Momentum's state must shrink with the batch when solved samples leave it.
#[test]
fn leaving_the_batch_disturbs_nobody() {
    let pgd = Pgd { momentum: 1.0, restarts: 3, ..Pgd::paper() };
    let attack = Attack::Gradient(Box::new(pgd));
    let whole = attacked(&attack, Norm::Linf, &batches(COUNT), 2);
    assert_eq!(whole, attacked(&attack, Norm::Linf, &batches(1), 2));
}
