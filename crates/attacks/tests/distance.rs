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
