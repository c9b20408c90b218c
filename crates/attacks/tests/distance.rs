//! The model is linear, so the nearest point of the other class is on paper: at `|f|/‖w‖*`.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Linear;
use duress_attacks::find;
use duress_core::{Goal, Norm, Oracle, Passes, Problem, Status, WhiteBox, run};

const WEIGHTS: [f32; 4] = [3.0, -1.0, 2.0, 0.5];
/// `⟨w, ½⟩ = 2.25`; with the bias the margin is 0.25: far from the box.
const MARGIN: f64 = 0.25;

fn dual(norm: Norm) -> f64 {
    let weights: Vec<f64> = WEIGHTS.iter().map(|&weight| f64::from(weight)).collect();
    norm.dual().unwrap().of_slice(&weights)
}

/// The mean distance found from `x = ½`, all samples broken, both kinds of goals.
fn found(name: &str, parameters: &str, norm: Norm) -> Vec<f64> {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, MARGIN as f32 - 2.25);
    let oracle = WhiteBox::new(&model, &passes);
    let attack = (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap();
    let mut distances = Vec::new();
    for goal in [Goal::Untargeted(vec![0, 0]), Goal::Targeted(vec![1, 1])] {
        if goal.is_targeted() && !find(name).unwrap().targeted {
            continue;
        }
        let rows = Tensor::full([2, 4], 0.5, &device);
        let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, norm).unwrap();
        for sample in run(&attack, &problem).unwrap().samples {
            assert_eq!(sample.status, Status::Broken, "{name} {norm}");
            distances.push(sample.distance);
        }
    }
    distances
}

/// An attack with its parameters reaches the boundary within `excess`, relative.
fn reaches(name: &str, parameters: &str, norm: Norm, excess: f64) {
    let expected = MARGIN / dual(norm);
    for got in found(name, parameters, norm) {
        assert!(got >= expected * (1.0 - 1e-5), "{name} {norm}: {got} below {expected}");
        assert!(got <= expected * (1.0 + excess), "{name} {norm}: {got} above {expected}");
    }
}

#[test]
fn ddn_reaches_the_boundary() {
    reaches("ddn", "levels = 0", Norm::L2, 0.01);
}

#[test]
fn deepfool_overshoots_the_boundary_by_its_overshoot() {
    for norm in [Norm::L2, Norm::Linf] {
        reaches("deepfool", "overshoot = 0.001", norm, 0.0011);
        let expected = MARGIN / dual(norm) * 1.02;
        for got in found("deepfool", "", norm) {
            assert!((got / expected - 1.0).abs() < 1e-4, "{norm}: {got} {expected}");
        }
    }
}

#[test]
fn superdeepfool_reaches_the_boundary() {
    reaches("superdeepfool", "", Norm::L2, 1e-3);
    reaches("superdeepfool", "crossing_steps = 1\nprojections = 3", Norm::L2, 1e-3);
}

#[test]
fn carlini_and_wagner_reach_the_boundary() {
    reaches("carlini-wagner-l2", "steps = 300\ninitial_constant = 0.1", Norm::L2, 0.01);
    let fine = "steps = 100\nlearning_rate = 0.001\ninitial_constant = 0.1\n\
                decrease_factor = 0.99\nleast_threshold = 0.01";
    reaches("carlini-wagner-linf", fine, Norm::Linf, 0.01);
}

#[test]
fn the_elastic_net_reaches_the_boundary() {
    let sparse = "steps = 300\ninitial_constant = 0.1\nbeta = 0.005\ndecision = \"l1\"";
    reaches("ead", sparse, Norm::L1, 0.01);
    reaches("ead", "steps = 300\ninitial_constant = 0.1\nbeta = 0.0", Norm::L2, 0.01);
}

#[test]
fn fmn_reaches_the_boundary() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        reaches("fmn", "steps = 200", norm, 0.005);
    }
}

#[test]
fn the_smallest_radius_of_an_exact_attack_is_the_distance() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        reaches("smallest-radius", "attack = \"fgm\"", norm, 0.002);
    }
    let pgd = "hyperparameters = { steps = 60, step_size = 0.1 }";
    reaches("smallest-radius", pgd, Norm::L2, 0.005);
}

#[test]
fn fab_reaches_the_boundary_in_each_norm() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        reaches("fab", "restarts = 2", norm, 0.01);
        reaches("fab-t", "", norm, 0.01);
        reaches("fab-t", "restarts = 3\nfinal_search = 0", norm, 0.01);
    }
}

/// With this margin and weights 3, −1, 2, ½ and rooms ½, one feature closes 1.5, two close 2.5 and
/// three close 3.
fn features_changed(name: &str, parameters: &str, margin: f64) -> f64 {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, margin as f32 - 2.25);
    let oracle = WhiteBox::new(&model, &passes);
    let attack = (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap();
    let rows = Tensor::full([1, 4], 0.5, &device);
    let goal = Goal::Untargeted(vec![0]);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, Norm::L0).unwrap();
    let outcome = run(&attack, &problem).unwrap();
    assert_eq!(outcome.samples[0].status, Status::Broken, "{name} {margin}");
    outcome.samples[0].distance
}

#[test]
fn sparse_attacks_change_as_few_features_as_they_must() {
    for (margin, expected) in [(0.25, 1.0), (1.4, 1.0), (1.6, 2.0), (2.4, 2.0), (2.6, 3.0)] {
        for (name, parameters) in [
            ("sigma-zero", ""),
            ("sparsefool", "lambda = 1.0"),
            ("brendel-bethge", "step_size = 0.25"),
        ] {
            let got = features_changed(name, parameters, margin);
            assert!((got - expected).abs() < 1e-9, "{name} {margin}: {got} {expected}");
        }
    }
}

/// In L1 the linear solver moves the heaviest feature to λ times the distance, 10⁻³ of the unit
/// normal farther, and by 1.02 of all that. The point of the inner `DeepFool`, dense and 1.02 times
/// its distance away, counts too.
#[test]
fn sparsefool_ends_at_its_factor_times_the_distance() {
    let length = Norm::L2.of_slice(&WEIGHTS.map(f64::from));
    for lambda in [1.0, 3.0] {
        let sparse = 1.02 * (lambda * MARGIN + 1e-3 * length) / 3.0;
        let dense = 1.02 * MARGIN * 6.5 / length.powi(2);
        let expected = sparse.min(dense);
        for got in found("sparsefool", &format!("lambda = {lambda:.1}"), Norm::L1) {
            assert!((got - expected).abs() < 1e-5, "{lambda}: {got} {expected}");
        }
    }
}

#[test]
fn brendel_bethge_reaches_the_boundary_in_each_norm() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        reaches("brendel-bethge", "steps = 400", norm, 0.001);
    }
}

/// 25,000 steps of the walk: what is left is the last source step.
#[test]
fn the_boundary_walk_reaches_the_boundary() {
    reaches("boundary", "", Norm::L2, 0.01);
}

/// The tolerance `γ/(d√d)` of the paper is for many features: it is 1/8 for four.
#[test]
fn hop_skip_jump_reaches_the_boundary() {
    let quick = "steps = 20\ngamma = 0.01";
    reaches("hop-skip-jump", quick, Norm::L2, 0.01);
    reaches("hop-skip-jump", quick, Norm::Linf, 0.01);
}

#[test]
fn geoda_reaches_the_boundary() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        reaches("geoda", "", norm, 0.01);
    }
}

#[test]
fn sign_opt_reaches_the_boundary() {
    reaches("sign-opt", "", Norm::L2, 0.01);
    reaches("sign-opt", "", Norm::Linf, 0.01);
}

#[test]
fn surfree_reaches_the_boundary() {
    reaches("surfree", "frequencies = 1.0", Norm::L2, 0.01);
}

/// The signs are right at once; the radius is known to within the tolerance.
#[test]
fn rays_reaches_the_boundary() {
    reaches("rays", "", Norm::Linf, 0.02);
}

#[test]
fn zoo_reaches_the_boundary() {
    let parameters =
        "iterations = 400\ninitial_constant = 1.0\nlearning_rate = 0.005\nprobe = 0.001";
    reaches("zoo", parameters, Norm::L2, 0.03);
}
