//! Defensive distillation masks gradients: what follows the softmax is lost, a margin is not.
#![allow(clippy::unwrap_used)]
mod recipes;

use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_attacks::{LossKind, Pgd};
use duress_core::{
    Aim, Classifier, Goal, GradientAttack, GradientOracle, Job, Loss, Norm, Region, Seed, Silent,
    Threat, WhiteBox, host, predictions,
};
use duress_defenses::DefensiveDistillation;
use duress_models::train::{OptimizerRecipe, Run, Schedule, snapshot};
use duress_models::{Architecture, Network, Objective, Recipe, Standard, TrainingData, train};
use recipes::passes;

/// `1 − softmax(z)_y` as frameworks compute it: silent where the softmax is saturated.
#[derive(Debug)]
struct Probability;

impl Loss for Probability {
    fn name(&self) -> &'static str {
        "probability"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let own = softmax(logits, 1).gather(1, aim.labels().unsqueeze_dim(1));
        own.neg().squeeze_dim(1)
    }
}

fn trained(objective: &dyn Objective<Network>, data: &TrainingData<'_>) -> Network {
    let network = Architecture::Mlp { hidden: vec![64] };
    let network = network.init(data.domain, 10, Seed(0), &Device::flex()).unwrap();
    let optimizer = OptimizerRecipe::Adam {
        learning_rate: 0.02,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let schedule = Schedule::Constant {};
    let recipe = Recipe { epochs: 20, batch_size: 64, optimizer, schedule, ..Recipe::default() };
    let passes = passes();
    train(&network, objective, data, &recipe, Run::new(&passes)).unwrap().last
}

#[test]
fn at_temperature_100_softmax_gradients_vanish_and_a_margin_still_breaks_the_network() {
    let digits = duress_datasets::embedded::digits().unwrap();
    let (count, test) = (1200, 1200..1500);
    let domain = digits.domain();
    let data = TrainingData {
        rows: &digits.values()[..count * 64],
        labels: &digits.labels()[..count],
        ids: &digits.ids()[..count],
        domain,
        classes: 10,
    };
    let passes = passes();
    let rows = digits.rows(test.clone(), &Device::flex());
    let labels = digits.labels()[test.clone()].to_vec();
    let aim = Goal::Untargeted(labels.clone()).aim(&Device::flex());

    let silent = |network: &Network| {
        let frozen = snapshot(network, domain).unwrap();
        let at = passes.gradient(&frozen, rows.clone(), &aim, &Probability).unwrap();
        let length = at.gradient.abs().sum_dim(1).squeeze_dim::<1>(1);
        let lengths = host::floats(length).unwrap();
        lengths.iter().filter(|&&length| length < 1e-10).count() as f64 / lengths.len() as f64
    };
    let accuracy = |network: &Network, rows: Tensor<2>| {
        let frozen = snapshot(network, domain).unwrap();
        let got = predictions(frozen.forward(rows)).unwrap();
        let right = got.iter().zip(&labels).filter(|((class, _), label)| class == *label);
        right.count() as f64 / labels.len() as f64
    };
    let attacked = |network: &Network, loss: LossKind| {
        let frozen = snapshot(network, domain).unwrap();
        let oracle = WhiteBox::new(&frozen, &passes);
        let threat = Threat::new(Norm::Linf, 0.2).unwrap();
        let region = Region::new(rows.clone(), &threat, domain).unwrap();
        let draws = (Seed(3), digits.ids()[test.clone()].to_vec());
        let oracle = &oracle as &dyn GradientOracle;
        let mut job = Job::maximise(oracle, region, aim.clone(), draws, &Silent);
        let attack = Pgd { steps: 20, step_size: 0.1, loss, ..Pgd::paper() };
        accuracy(network, attack.perturb(&mut job).unwrap())
    };

    let plain = trained(&Standard, &data);
    let distilled = trained(&DefensiveDistillation { temperature: 100.0 }, &data);
    let clean = accuracy(&distilled, rows.clone());
    assert!(clean > 0.85, "the student reads digits: {clean}");
    let (masked, open) = (silent(&distilled), silent(&plain));
    assert!(masked > 0.7 && open < 0.5 * masked, "{masked} {open}");
    let broken = attacked(&distilled, LossKind::Margin);
    assert!(broken < 0.2, "the margin finds adversarial examples: {broken}");
}
