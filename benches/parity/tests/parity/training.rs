//! One step of adversarial training.
use duress_core::{Epsilon, Norm, Seed};
use duress_defenses::PgdTraining;
use duress_models::train::{OptimizerRecipe, Run, Schedule};
use duress_models::{Recipe, TrainingData, Weights, train};
use duress_parity::{Difference, Side, uniform};

use crate::{CLASSES, FEATURES, compare, domain, small};

const ROWS: usize = 32;

/// Of a tensor's largest change in the step.
const TOLERANCE: f64 = 1e-3;

/// The change of each tensor in one step, by name.
fn step(side: &Side) -> Vec<(String, Vec<f32>)> {
    let network = side.network(&small(), &domain(), CLASSES).unwrap();
    let before = Weights::of(&network).unwrap();
    let defense = PgdTraining {
        norm: Norm::Linf,
        epsilon: Epsilon::new(0.1).unwrap(),
        steps: 5,
        step_size: 0.25,
        random_start: true,
        momentum: 1.0,
        ..PgdTraining::default()
    };
    let recipe = Recipe {
        epochs: 1,
        batch_size: ROWS,
        optimizer: OptimizerRecipe::Sgd {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
        },
        schedule: Schedule::Constant {},
        seed: Seed(3),
        ..Recipe::default()
    };
    let rows = uniform(ROWS, FEATURES, (0.0, 1.0), 10);
    let labels: Vec<usize> = (0..ROWS).map(|row| row % CLASSES).collect();
    let ids: Vec<u64> = (0..ROWS as u64).collect();
    let domain = domain();
    let data =
        TrainingData { rows: &rows, labels: &labels, ids: &ids, domain: &domain, classes: CLASSES };
    let trained = train(&network, &defense, &data, &recipe, Run::new(&side.passes)).unwrap();
    let after = Weights::of(&trained.last).unwrap();
    let names: Vec<String> = before.shapes().map(|(name, _)| name.to_owned()).collect();
    let change = |name: String| {
        let (before, after) = (before.get(&name).unwrap(), after.get(&name).unwrap());
        let change = after.iter().zip(before).map(|(new, old)| new - old).collect();
        (name, change)
    };
    names.into_iter().map(change).collect()
}

#[test]
fn a_step_of_adversarial_training_moves_the_weights_alike() {
    compare("adversarial training", |reference, other| {
        let lines = step(reference).into_iter().zip(step(other)).map(|((name, a), (_, b))| {
            let got = Difference::between(&a, &b, TOLERANCE);
            let line = format!("{name} {got}");
            assert!(got.scale > 0.0, "did not move: {line}");
            assert_eq!(got.over, 0, "{line}");
            line
        });
        lines.collect()
    });
}
