//! Regularisers and constraints on a linear network, where each term is on paper.
#![allow(clippy::unwrap_used)]
mod recipes;

use burn::prelude::*;
use duress_core::{Domain, Norm, Seed, host};
use duress_defenses::{
    Combination, FiniteDifferenceCurvature, FiniteDifferenceInputGradient,
    FiniteDifferenceJacobian, MultiNormTraining, NormBall, ParsevalTraining, PgdTraining,
    SpectralNormConstraint, WassersteinTraining,
};
use duress_models::train::{OptimizerRecipe, Run, Schedule};
use duress_models::{Architecture, Batch, Objective, Recipe, Weights, train};
use recipes::{Counting, Stripes, passes, step};

const WEIGHTS: [[f64; 3]; 2] = [[1.0, -0.5, 0.25], [0.5, 2.0, -1.0]];
const ROWS: [[f64; 2]; 2] = [[0.25, 0.5], [0.75, 0.375]];
const LABELS: [usize; 2] = [1, 0];

fn probabilities(x: [f64; 2]) -> [f64; 3] {
    let z: [f64; 3] = std::array::from_fn(|k| x[0] * WEIGHTS[0][k] + x[1] * WEIGHTS[1][k]);
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    z.map(|z| z.exp() / total)
}

fn cross_entropy(x: [f64; 2], label: usize) -> f64 {
    -probabilities(x)[label].ln()
}

fn slope(x: [f64; 2], label: usize) -> [f64; 2] {
    let p = probabilities(x);
    std::array::from_fn(|feature| {
        (0..3).map(|k| WEIGHTS[feature][k] * (p[k] - f64::from(u8::from(k == label)))).sum()
    })
}

fn mean(of: impl Fn([f64; 2], usize) -> f64) -> f64 {
    ROWS.into_iter().zip(LABELS).map(|(x, label)| of(x, label)).sum::<f64>() / 2.0
}

fn network() -> Counting {
    use burn::module::Module;
    let weights = WEIGHTS.as_flattened().iter().map(|&w| w as f32).collect();
    Counting::new(weights).to_device(&Device::flex()).train()
}

fn loss_of(objective: &dyn Objective<Counting>, epoch: u32) -> f64 {
    let domain = Domain::image(1, 1, 2).unwrap();
    let passes = passes();
    let rows = Tensor::from_data(ROWS.map(|row| row.map(|x| x as f32)), &Device::flex());
    let batch = Batch { rows, labels: LABELS.to_vec(), ids: vec![3, 4] };
    let output = objective.loss(&network(), &batch, &step(&domain, &passes, epoch)).unwrap();
    f64::from(host::floats(output.loss).unwrap()[0])
}

fn close(got: f64, expected: f64, relative: f64) {
    assert!((got - expected).abs() < relative * expected.abs(), "{got} is not {expected}");
}

#[test]
fn the_difference_quotient_is_the_length_of_the_input_gradient() {
    for (norm, lambda) in [(Norm::L2, 2.0), (Norm::Linf, 1.0)] {
        let expected = mean(|x, label| {
            let g = slope(x, label);
            let dual = match norm {
                Norm::L2 => g[0].hypot(g[1]),
                _ => g[0].abs() + g[1].abs(),
            };
            cross_entropy(x, label) + lambda * dual * dual
        });
        let recipe = FiniteDifferenceInputGradient { norm, lambda, distance: 1e-3 };
        close(loss_of(&recipe, 0), expected, 3e-3);
    }
}

#[test]
fn curvature_is_the_squared_change_of_the_gradient() {
    let (lambda, h) = (4.0, 0.5);
    let expected = |h: f64| {
        mean(|x, label| {
            let g = slope(x, label);
            let unit = g.map(|g| h * g.signum() / 2.0_f64.sqrt());
            let far = slope([x[0] + unit[0], x[1] + unit[1]], label);
            let change = (far[0] - g[0]).powi(2) + (far[1] - g[1]).powi(2);
            cross_entropy(x, label) + lambda * change
        })
    };
    let recipe = FiniteDifferenceCurvature { lambda, distance: h, probe: 0.01, warmup_epochs: 2 };
    close(loss_of(&recipe, 2), expected(h), 1e-3);
    close(loss_of(&recipe, 1), expected(0.5 * h), 1e-3);
    close(loss_of(&recipe, 0), expected(0.0), 1e-4);
}

/// `λ/2 ‖W‖_F²`, in the mean over the draws.
#[test]
fn random_projections_estimate_the_norm_of_the_jacobian() {
    let frobenius: f64 = WEIGHTS.iter().flatten().map(|w| w * w).sum();
    let expected = mean(cross_entropy) + 0.5 * frobenius;
    let recipe = FiniteDifferenceJacobian { lambda: 1.0, projections: 1000, probe: 0.01 };
    close(loss_of(&recipe, 0), expected, 0.04);
}

/// The ascent of `L − γ ‖x̃ − x‖²` step by step; the price keeps the points inside the box.
#[test]
fn perturbations_pay_for_their_length() {
    let gamma = 2.0;
    let expected = mean(|x0, label| {
        let mut x = x0;
        for count in 0..15 {
            let (g, length) = (slope(x, label), 1.0 / (f64::from(count) + 2.0).sqrt());
            for feature in 0..2 {
                x[feature] += length * (g[feature] / (2.0 * gamma) - (x[feature] - x0[feature]));
            }
            assert!(x.iter().all(|x| (0.0..1.0).contains(x)), "{x:?}");
        }
        cross_entropy(x, label)
    });
    assert!(expected > mean(cross_entropy) + 0.01);
    close(loss_of(&WassersteinTraining { gamma, steps: 15 }, 0), expected, 1e-4);
    // At a low price the box stops them.
    assert!(loss_of(&WassersteinTraining { gamma: 1e-3, steps: 5 }, 0) > expected);
}

#[test]
fn several_balls_give_the_worst_point_or_the_mean_loss() {
    let ball = |norm, epsilon: &str| NormBall {
        norm,
        epsilon: epsilon.parse().unwrap(),
        steps: 10,
        step_size: 0.25,
    };
    let balls = vec![ball(Norm::Linf, "0.05"), ball(Norm::L2, "0.1"), ball(Norm::L1, "0.1")];
    let alone = |ball: &NormBall| {
        let NormBall { norm, epsilon, steps, step_size } = *ball;
        loss_of(&PgdTraining { norm, epsilon, steps, step_size, ..PgdTraining::default() }, 0)
    };
    let losses: Vec<f64> = balls.iter().map(alone).collect();
    let together = |combination, balls: &[NormBall]| {
        let balls = balls.to_vec();
        loss_of(&MultiNormTraining { combination, balls, ..MultiNormTraining::default() }, 0)
    };
    close(together(Combination::Average, &balls), losses.iter().sum::<f64>() / 3.0, 1e-6);
    let worst = together(Combination::Max, &balls);
    assert!(losses.iter().all(|loss| worst >= loss - 1e-6), "{worst} {losses:?}");
    let extreme = together(Combination::Extreme, &balls);
    assert!(losses.iter().any(|loss| (loss - extreme).abs() < 1e-6), "{extreme} {losses:?}");
    for combination in [Combination::Max, Combination::Average, Combination::Extreme] {
        close(together(combination, &balls[..1]), losses[0], 1e-6);
    }
}

fn trained_weights(objective: &dyn Objective<duress_models::Network>) -> Vec<Vec<f64>> {
    let set = Stripes::new(64);
    let network = Architecture::Mlp { hidden: vec![16] };
    let network = network.init(&set.domain, 3, Seed(1), &Device::flex()).unwrap();
    let optimizer = OptimizerRecipe::Sgd {
        learning_rate: 0.01,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let schedule = Schedule::Constant {};
    let recipe = Recipe { epochs: 20, batch_size: 32, optimizer, schedule, ..Recipe::default() };
    let passes = passes();
    let trained = train(&network, objective, &set.data(), &recipe, Run::new(&passes)).unwrap();
    let weights = Weights::of(&trained.raw).unwrap();
    ["layers.0.weight", "layers.1.weight"]
        .map(|name| weights.get(name).unwrap().iter().map(|&w| f64::from(w)).collect())
        .to_vec()
}

/// `‖W v‖ ≤ bound ‖v‖` for many `v`; the last layer is `[16, 3]`.
#[test]
fn the_largest_singular_value_stays_below_the_bound() {
    let recipe = SpectralNormConstraint { bound: 0.5, iterations: 30, ..Default::default() };
    let weights = trained_weights(&recipe);
    let loose = trained_weights(&SpectralNormConstraint { bound: 1e6, ..recipe.clone() });
    let largest = |weight: &[f64]| {
        let mut v = [1.0, 0.5, -0.25];
        let mut sigma = 0.0;
        for _ in 0..200 {
            let up: Vec<f64> =
                weight.chunks(3).map(|row| row.iter().zip(v).map(|(w, v)| w * v).sum()).collect();
            let next: [f64; 3] =
                std::array::from_fn(|k| weight.chunks(3).zip(&up).map(|(row, u)| row[k] * u).sum());
            let length = next.iter().map(|v| v * v).sum::<f64>().sqrt();
            sigma = length.sqrt();
            v = next.map(|v| v / length);
        }
        sigma
    };
    assert!(largest(&weights[1]) < 0.5 * 1.001, "{}", largest(&weights[1]));
    assert!(largest(&loose[1]) > 0.6, "the bound binds: {}", largest(&loose[1]));
}

/// `‖WᵀW − I‖` of the last layer falls far below that of a training without retraction.
#[test]
fn retraction_makes_columns_orthonormal() {
    let deviation = |weight: &[f64]| {
        let dot = |a: usize, b: usize| weight.chunks(3).map(|row| row[a] * row[b]).sum::<f64>();
        let all = (0..9).map(|i| (dot(i / 3, i % 3) - f64::from(u8::from(i / 3 == i % 3))).powi(2));
        all.sum::<f64>().sqrt()
    };
    let tight = trained_weights(&ParsevalTraining { beta: 0.2, ..Default::default() });
    let free = trained_weights(&duress_models::Standard);
    let (tight, free) = (deviation(&tight[1]), deviation(&free[1]));
    assert!(tight < 0.2 && free > 5.0 * tight, "{tight} {free}");
}
