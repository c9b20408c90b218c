//! Same seed, same bits: whatever the batch, its order, the number of workers or who leaves it.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Smooth, quick};
use duress_attacks::{ATTACKS, Pgd};
use duress_core::{
    Attack, Domain, Goal, Norm, Oracle, Passes, Problem, Reach, Seed, Threat, WhiteBox, host, run,
};

const COUNT: usize = 50;
const FEATURES: usize = 64;

fn rows() -> Vec<f32> {
    (0..COUNT * FEATURES).map(|index| (index as f32 * 0.61).sin().mul_add(0.5, 0.5)).collect()
}

/// Small enough to leave some samples standing, unless the attack needs the whole box.
fn radius(attack: &Attack) -> f64 {
    if attack.algorithm().reach() == Reach::Box { 64.0 } else { 0.3 }
}

/// The bits of each sample's returned row, attacked in batches of these ids.
fn attacked(attack: &Attack, norm: Norm, batches: &[Vec<usize>], workers: usize) -> Vec<Vec<u32>> {
    attacked_within(&|_| radius(attack), Goal::Untargeted, attack, norm, batches, workers)
}

/// The same with a radius for each id and any goal.
fn attacked_within(
    radius: &dyn Fn(usize) -> f64,
    goal: impl Fn(Vec<usize>) -> Goal,
    attack: &Attack,
    norm: Norm,
    batches: &[Vec<usize>],
    workers: usize,
) -> Vec<Vec<u32>> {
    let device = Device::flex();
    let passes = Passes::with_workers(&device, workers).unwrap();
    let model = Smooth { domain: Domain::image(1, 8, 8).unwrap(), classes: 10 };
    let oracle = WhiteBox::new(&model, &passes);
    let all = rows();
    let mut bits = vec![Vec::new(); COUNT];
    for batch in batches {
        let values: Vec<f32> =
            batch.iter().flat_map(|&id| all[id * FEATURES..][..FEATURES].to_vec()).collect();
        let rows = Tensor::from_data(TensorData::new(values, [batch.len(), FEATURES]), &device);
        let labels = batch.iter().map(|id| id % 10).collect();
        let radii = batch.iter().map(|&id| radius(id)).collect();
        let threat = Threat::per_sample(norm, radii).unwrap();
        let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal(labels), threat)
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
    for entry in ATTACKS {
        let (name, attack) = (entry.name, quick(entry.name));
        if attack.algorithm().joint() {
            continue;
        }
        for &norm in entry.norms {
            let whole = attacked(&attack, norm, &batches(COUNT), 2);
            assert_eq!(whole, attacked(&attack, norm, &batches(1), 2), "{name} {norm}: one by one");
            assert_eq!(whole, attacked(&attack, norm, &batches(7), 1), "{name} {norm}: by seven");
            let backwards = vec![(0..COUNT).rev().collect()];
            assert_eq!(whole, attacked(&attack, norm, &backwards, 3), "{name} {norm}: reversed");
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

/// Solved samples that stay, because leaving would save nothing, must not move on. Radii from
/// small to large, so that they are solved one after the other or never.
#[test]
fn a_solved_sample_keeps_its_point_as_long_as_others_go_on() {
    for entry in ATTACKS.iter().filter(|entry| entry.targeted) {
        let (name, attack) = (entry.name, quick(entry.name));
        if attack.algorithm().reach() != Reach::Nearest {
            continue;
        }
        for &norm in entry.norms {
            let unit = if norm == Norm::Linf { 0.01 } else { 0.1 };
            let radius = |id: usize| unit * 2.0_f64.powi((id % 7) as i32);
            let of = |batches: &[Vec<usize>]| {
                attacked_within(&radius, Goal::Targeted, &attack, norm, batches, 2)
            };
            let together = vec![(0..14).collect()];
            let alone: Vec<_> = (0..14).map(|id| vec![id]).collect();
            assert_eq!(of(&together), of(&alone), "{name} {norm}");
        }
    }
}
