//! The inner maximisation sees the network as it will be attacked: in evaluation mode.
use burn::module::Module;
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{Domain, Goal, Norm, Passes, Seed, Silent, Threat, host, input_gradient};
use duress_models::train::{Step, snapshot};
use duress_models::{Architecture, Batch, Network, Weights};

use crate::training::inner::adversarial_rows;
use crate::training::minimax::Minimax;
use crate::training::{FgsmTraining, LogitPairing, Mart, PgdTraining, Trades};

const EPSILON: f64 = 0.05;

fn batch(domain: &Domain, count: usize) -> Batch {
    let features = domain.features();
    let value = |index: usize| 0.5 + 0.3 * (index as f32 * 0.37).sin();
    let values: Vec<f32> = (0..count * features).map(value).collect();
    Batch {
        rows: Tensor::from_data(TensorData::new(values, [count, features]), &Device::flex()),
        labels: (0..count).map(|index| index % 3).collect(),
        ids: (0..count as u64).collect(),
    }
}

/// A network with batch norm whose running statistics are not those of the batch.
fn network(domain: &Domain, batch: &Batch) -> Network {
    let architecture = Architecture::ResNet { depth: 8 };
    let network = architecture.init(domain, 3, Seed(3), &Device::flex()).unwrap();
    let network = network.to_device(&Device::flex()).train();
    // One pass in training mode moves the statistics a tenth of the way.
    let _ = network.forward(batch.rows.clone().autodiff());
    network.valid().train()
}

fn run<T>(work: impl FnOnce(&Network, &Batch, &Step<'_>) -> T) -> T {
    let domain = Domain::image(1, 8, 8).unwrap();
    let passes = Passes::new(&Device::flex()).unwrap();
    let batch = batch(&domain, 6);
    let network = network(&domain, &batch);
    let step = Step {
        epoch: 0,
        step: 0,
        steps: 1,
        epochs: 2,
        seed: Seed(5),
        label_smoothing: 0.0,
        domain: &domain,
        classes: 3,
        passes: &passes,
        progress: &Silent,
    };
    work(&network, &batch, &step)
}

#[test]
fn searching_leaves_the_running_statistics_alone() {
    run(|network, batch, step| {
        let digest = || Weights::of(network).unwrap().digest();
        let before = digest();
        let recipes: [&dyn Minimax<Network>; 4] = [
            &PgdTraining::default(),
            &Trades::default(),
            &Mart::default(),
            &LogitPairing::default(),
        ];
        for recipe in recipes {
            recipe.find(network, batch, step).unwrap();
            assert_eq!(digest(), before, "{}", recipe.name());
        }
        // A pass in training mode does move them, so that the test can fail.
        let _ = network.forward(batch.rows.clone().autodiff());
        assert_ne!(digest(), before);
    });
}

/// One step from the clean row shows the sign of the gradient that was followed.
#[test]
fn the_gradient_followed_is_that_of_evaluation_mode() {
    run(|network, batch, step| {
        let one = FgsmTraining { random_start: false, step_size: 0.5, ..FgsmTraining::default() };
        let threat = Threat::new(Norm::Linf, EPSILON).unwrap();
        let found = adversarial_rows(&one.attack(), &threat, network, batch, step).unwrap();
        let moved = host::floats(found - batch.rows.clone()).unwrap();
        let aim = Goal::Untargeted(batch.labels.clone()).aim(&Device::flex());
        let frozen = snapshot(network, step.domain).unwrap();
        let at =
            input_gradient(&frozen, batch.rows.clone(), &aim, &LossKind::CrossEntropy).unwrap();
        let slopes = host::floats(at.gradient).unwrap();
        let half = (0.5 * EPSILON) as f32;
        for (moved, slope) in moved.iter().zip(&slopes) {
            if slope.abs() > 1e-6 {
                assert!((moved - half * slope.signum()).abs() < 1e-6, "{moved} {slope}");
            }
        }
    });
}

/// From a uniform start, a step of 1.25 ε up the slope ends between ε/4 and ε on the slope's side:
/// with probability 5/8 at ε, else uniformly in between, 55/64 ε on average.
#[test]
fn the_step_of_fast_training_is_a_quarter_longer_than_the_radius() {
    run(|network, _, step| {
        let batch = batch(step.domain, 60);
        let threat = Threat::new(Norm::Linf, EPSILON).unwrap();
        let attack = FgsmTraining::default().attack();
        let start = duress_core::Region::new(batch.rows.clone(), &threat, step.domain)
            .unwrap()
            .sample(step.epoch_seed(), &batch.ids, 0, 0);
        let found = adversarial_rows(&attack, &threat, network, &batch, step).unwrap();
        let went = host::floats(found.clone() - start).unwrap();
        let far = host::floats(found - batch.rows.clone()).unwrap();
        let (mut total, mut counted) = (0.0, 0.0);
        for (went, far) in went.iter().zip(&far) {
            let (went, far) = (f64::from(*went), f64::from(*far) * f64::from(went.signum()));
            if went == 0.0 {
                continue;
            }
            assert!((0.25 * EPSILON - 1e-6..=EPSILON + 1e-6).contains(&far), "{far}");
            assert!(went.abs() <= 1.25 * EPSILON + 1e-6, "{went}");
            total += far / EPSILON;
            counted += 1.0;
        }
        let mean: f64 = total / counted;
        assert!(counted > 3000.0 && (mean - 55.0 / 64.0).abs() < 0.02, "{mean} of {counted}");
    });
}
