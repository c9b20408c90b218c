//! How many passes and steps the cheap trainings make, and where the steps lead.
#![allow(clippy::unwrap_used)]
mod recipes;

use std::sync::atomic::Ordering;

use duress_core::Domain;
use duress_defenses::{FreeTraining, Yopo};
use duress_models::train::{OptimizerRecipe, Run, Schedule};
use duress_models::{Recipe, TrainingData, train};
use recipes::{Counting, StopAfter, Stripes, passes};

fn plain(learning_rate: f64, batch_size: usize, epochs: u32) -> Recipe {
    let optimizer =
        OptimizerRecipe::Sgd { learning_rate, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    Recipe { epochs, batch_size, optimizer, schedule: Schedule::Constant {}, ..Recipe::default() }
}

/// 40 samples in batches of 16 are three batches.
#[test]
fn free_training_makes_one_pass_a_step_and_its_replays_of_steps_a_batch() {
    let (set, passes) = (Stripes::new(40), passes());
    for replays in [1, 4] {
        let free = FreeTraining { replays, ..FreeTraining::default() };
        let (network, progress) = (Counting::new(vec![0.0; 64 * 3]), StopAfter::new(u64::MAX));
        let run = Run { progress: &progress, ..Run::new(&passes) };
        train(&network, &free, &set.data(), &plain(0.1, 16, 2), run).unwrap();
        let steps = 2 * 3 * u64::from(replays);
        assert_eq!(network.count(), [steps, steps], "{replays}");
        assert_eq!(progress.steps.load(Ordering::Relaxed), steps);
    }
}

/// m full passes, and between them n of the first layer.
#[test]
fn yopo_makes_as_few_full_passes_as_it_says() {
    let (set, passes) = (Stripes::new(40), passes());
    for (full_passes, moves) in [(1, 3), (5, 3), (2, 7)] {
        let yopo = Yopo { full_passes, moves, ..Yopo::default() };
        let (network, progress) = (Counting::new(vec![0.01; 64 * 3]), StopAfter::new(u64::MAX));
        let run = Run { progress: &progress, ..Run::new(&passes) };
        train(&network, &yopo, &set.data(), &plain(0.1, 16, 2), run).unwrap();
        let full = 6 * u64::from(full_passes);
        let first = full + 6 * u64::from(full_passes - 1) * moves as u64;
        assert_eq!(network.count(), [first, full], "{full_passes} {moves}");
        assert_eq!(progress.steps.load(Ordering::Relaxed), 6, "a step a batch");
    }
}

/// `(p − y) xᵀ`, `W (p − y)` of softmax regression, in f64.
fn gradients(x: [f64; 2], w: &[f64; 6], label: usize) -> ([f64; 6], [f64; 2]) {
    let z: [f64; 3] = std::array::from_fn(|class| x[0] * w[class] + x[1] * w[3 + class]);
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    let error: [f64; 3] =
        std::array::from_fn(|class| z[class].exp() / total - f64::from(u8::from(class == label)));
    let weight = std::array::from_fn(|index| x[index / 3] * error[index % 3]);
    let slope = std::array::from_fn(|feature| (0..3).map(|c| w[3 * feature + c] * error[c]).sum());
    (weight, slope)
}

const WEIGHTS: [f64; 6] = [1.0, -0.5, 0.25, 0.5, 2.0, -1.0];

/// Two epochs of one sample, three replays each: the perturbation goes on from batch to batch.
#[test]
fn free_training_takes_the_steps_worked_by_hand() {
    let (epsilon, rate, x0, label) = (0.125, 0.25, [0.5, 0.25], 1);
    let (mut w, mut delta) = (WEIGHTS, [0.0_f64; 2]);
    for _ in 0..6 {
        let x = [x0[0] + delta[0], x0[1] + delta[1]];
        let (weight, slope) = gradients(x, &w, label);
        for (w, g) in w.iter_mut().zip(weight) {
            *w -= rate * g;
        }
        for (delta, slope) in delta.iter_mut().zip(slope) {
            *delta = (*delta + epsilon * slope.signum()).clamp(-epsilon, epsilon);
        }
    }
    let domain = Domain::image(1, 1, 2).unwrap();
    let rows = x0.map(|x| x as f32);
    let data =
        TrainingData { rows: &rows, labels: &[label], ids: &[7], domain: &domain, classes: 3 };
    let network = Counting::new(WEIGHTS.map(|w| w as f32).to_vec());
    let passes = passes();
    let free = FreeTraining { epsilon: "0.125".parse().unwrap(), replays: 3, step_size: 1.0 };
    let trained = train(&network, &free, &data, &plain(rate, 1, 2), Run::new(&passes)).unwrap();
    for (got, expected) in trained.last.weight().iter().zip(w) {
        assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} {expected}");
    }
}

/// On a linear first layer the adjoint's pull-back is the input gradient: after the first pass the
/// point is at the corner, and the step is the mean of both gradients.
#[test]
fn yopo_steps_against_the_mean_of_its_passes() {
    let (rate, x, label) = (0.5, [0.5_f64, 0.25], 2);
    let (at_rest, _) = gradients(x, &WEIGHTS, label);
    let domain = Domain::image(1, 1, 2).unwrap();
    let rows = x.map(|x| x as f32);
    let data =
        TrainingData { rows: &rows, labels: &[label], ids: &[7], domain: &domain, classes: 3 };
    let network = Counting::new(WEIGHTS.map(|w| w as f32).to_vec());
    let passes = passes();
    // Without a ball all passes are at the sample itself.
    let yopo = Yopo { epsilon: "0".parse().unwrap(), full_passes: 4, ..Yopo::default() };
    let trained = train(&network, &yopo, &data, &plain(rate, 1, 1), Run::new(&passes)).unwrap();
    for ((got, before), gradient) in trained.last.weight().iter().zip(WEIGHTS).zip(at_rest) {
        assert!((f64::from(*got) - (before - rate * gradient)).abs() < 1e-5, "{got}");
    }
    // In a ball: the first pass at some start, the second at the corner that raises the loss.
    let (epsilon, second) = (0.125, gradients(x, &WEIGHTS, label).1.map(f64::signum));
    let corner = [x[0] + epsilon * second[0], x[1] + epsilon * second[1]];
    let (there, _) = gradients(corner, &WEIGHTS, label);
    let yopo = Yopo {
        epsilon: "0.125".parse().unwrap(),
        full_passes: 20,
        moves: 8,
        step_size: 1.0,
        ..Yopo::default()
    };
    let trained = train(&network, &yopo, &data, &plain(rate, 1, 1), Run::new(&passes)).unwrap();
    for ((got, before), gradient) in trained.last.weight().iter().zip(WEIGHTS).zip(there) {
        // One of twenty passes is elsewhere.
        let expected = before - rate * gradient;
        assert!((f64::from(*got) - expected).abs() < 0.05 * rate * 0.25 + 1e-5, "{got} {expected}");
    }
}
