//! The model is linear, so the worst case in a ball is on paper:
//! `min_{‖δ‖≤ε} ⟨w, x + δ⟩ = ⟨w, x⟩ − ε‖w‖*`.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Linear;
use duress_attacks::{Apgd, Fgm, IterativeFgsm, Pgd, losses::LossKind};
use duress_core::{
    Attack, Goal, Norm, Oracle, Passes, Problem, Seed, Status, Threat, WhiteBox, host::floats, run,
};

const WEIGHTS: [f32; 4] = [3.0, -1.0, 2.0, 0.5];
/// ‖w‖∞, ‖w‖₂, ‖w‖₁: the duals of L1, L2, Linf.
const DUALS: [(Norm, f64); 3] = [(Norm::L1, 3.0), (Norm::L2, 3.774_917), (Norm::Linf, 6.5)];

/// The margin `⟨w, x⟩ + b` left after the attack, from `x = ½`, where `⟨w, x⟩ = 2.25`.
fn margin_after(attack: Attack, threat: Threat, bias: f32, loss_goal: Goal) -> Vec<f32> {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, bias);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([loss_goal.labels().len(), 4], 0.5, &device);
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, loss_goal, threat);
    let outcome = run(&attack, &problem).unwrap();
    let logits = passes.logits(&model, outcome.rows).unwrap();
    floats(logits.narrow(1, 0, 1)).unwrap()
}

fn pgd(loss: LossKind) -> Attack {
    // In L1 one coordinate moves a step, and the whole budget belongs on the largest weight.
    let pgd = Pgd { steps: 60, step_size: 0.1, l1_quantile: 0.75, loss, ..Pgd::paper() };
    Attack::Gradient(Box::new(pgd))
}

#[test]
fn pgd_reaches_the_worst_case_of_a_linear_model_from_a_random_start() {
    for (norm, dual) in DUALS {
        for loss in [LossKind::CrossEntropy, LossKind::Margin] {
            let threat = Threat::new(norm, 0.1).unwrap();
            let got = margin_after(pgd(loss), threat, 0.0, Goal::Untargeted(vec![0]))[0];
            let expected = 2.25 - 0.1 * dual;
            assert!((f64::from(got) - expected).abs() < 2e-4, "{norm} {loss:?}: {got} {expected}");
        }
    }
}

/// The best point of Auto-PGD; in L1 a single feature is the sparsest step.
#[test]
fn auto_pgd_reaches_it_without_a_step_size() {
    for (norm, dual) in DUALS {
        for loss in [LossKind::CrossEntropy, LossKind::Margin] {
            let attack = Attack::Gradient(Box::new(Apgd { loss, ..Apgd::paper() }));
            let threat = Threat::new(norm, 0.1).unwrap();
            let got = margin_after(attack, threat, 0.0, Goal::Untargeted(vec![0]))[0];
            let expected = 2.25 - 0.1 * dual;
            assert!((f64::from(got) - expected).abs() < 2e-4, "{norm} {loss:?}: {got} {expected}");
        }
    }
}

#[test]
fn one_step_reaches_it_too() {
    for (norm, dual) in DUALS {
        let attack = Attack::Gradient(Box::new(Fgm::paper()));
        let threat = Threat::new(norm, 0.1).unwrap();
        let got = margin_after(attack, threat, 0.0, Goal::Untargeted(vec![0]))[0];
        assert!((f64::from(got) - (2.25 - 0.1 * dual)).abs() < 1e-4, "{norm}: {got}");
    }
}

/// The gradient of a linear model has one direction: momentum, look-ahead, scaled copies and
/// variance leave it.
#[test]
fn the_iterative_family_reaches_it_from_the_clean_row() {
    for attack in [
        IterativeFgsm::basic(),
        IterativeFgsm::momentum(),
        IterativeFgsm::nesterov(),
        IterativeFgsm::scaled(),
        IterativeFgsm::variance_tuned(),
        IterativeFgsm::variance_tuned_nesterov(),
    ] {
        for (norm, dual) in &DUALS[1..] {
            for goal in [Goal::Untargeted(vec![0; 2]), Goal::Targeted(vec![1; 2])] {
                let threat = Threat::per_sample(*norm, vec![0.1, 0.02]).unwrap();
                let attacked = Attack::Gradient(Box::new(attack.clone()));
                let got = margin_after(attacked, threat, 0.0, goal);
                for (got, radius) in got.into_iter().zip([0.1, 0.02]) {
                    let expected = 2.25 - radius * dual;
                    let name = attack.name;
                    assert!((f64::from(got) - expected).abs() < 1e-4, "{name} {norm}: {got}");
                }
            }
        }
    }
}

/// Class 1 wins where the margin is negative; the way there from class 0 is the worst case again.
#[test]
fn a_target_is_approached_along_the_same_line() {
    for (norm, dual) in DUALS {
        let threat = Threat::new(norm, 0.1).unwrap();
        let got =
            margin_after(pgd(LossKind::CrossEntropy), threat, 0.0, Goal::Targeted(vec![1]))[0];
        assert!((f64::from(got) - (2.25 - 0.1 * dual)).abs() < 2e-4, "{norm}: {got}");
    }
}

#[test]
fn each_sample_has_its_own_radius() {
    for (norm, dual) in DUALS {
        let radii = vec![0.0, 0.05, 0.2];
        let threat = Threat::per_sample(norm, radii.clone()).unwrap();
        let got = margin_after(pgd(LossKind::Margin), threat, 0.0, Goal::Untargeted(vec![0; 3]));
        for (got, radius) in got.into_iter().zip(radii) {
            let expected = 2.25 - radius * dual;
            assert!((f64::from(got) - expected).abs() < 3e-4, "{norm}: {got} {expected}");
        }
    }
}

/// A sample breaks exactly when `ε‖w‖* > ⟨w, x⟩ + b`.
#[test]
fn a_sample_breaks_exactly_past_its_distance_from_the_boundary() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, -2.0);
    let oracle = WhiteBox::new(&model, &passes);
    for (norm, dual) in DUALS {
        let distance = 0.25 / dual;
        for (factor, status) in [(0.99, Status::Survived), (1.01, Status::Broken)] {
            let problem = Problem::new(
                Oracle::Gradients(&oracle),
                Tensor::full([1, 4], 0.5, &device),
                Goal::Untargeted(vec![0]),
                Threat::new(norm, distance * factor).unwrap(),
            )
            .with_seed(Seed(3));
            let outcome = run(&pgd(LossKind::Margin), &problem).unwrap();
            assert_eq!(outcome.samples[0].status, status, "{norm} {factor}");
        }
    }
}
