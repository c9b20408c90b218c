//! Interrupted trainings end with the same bits.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::prelude::*;
use common::{passes, stripes};
use duress_core::{Error as CoreError, Progress, Seed};
use duress_models::train::{Augmentation, EpochReport, OptimizerRecipe, Run, Verdict, Watch};
use duress_models::{
    Architecture, Batch, Error, LossOutput, Network, Objective, Recipe, Standard, Step, Trained,
    TrainingData, Weights, train,
};

/// Says stop at its `n`-th question.
struct StopAfter {
    questions: AtomicU64,
    limit: u64,
}

impl StopAfter {
    fn new(limit: u64) -> Self {
        Self { questions: AtomicU64::new(0), limit }
    }
}

impl Progress for StopAfter {
    fn cancelled(&self) -> bool {
        self.questions.fetch_add(1, Ordering::Relaxed) >= self.limit
    }
}

/// The epoch with a fixed score is the best one.
struct Favourite(usize);

impl Watch<Network> for Favourite {
    fn epoch(&mut self, _: &Network, history: &[EpochReport], _: bool) -> Result<Verdict, Error> {
        let score = if history.len() - 1 == self.0 { 1.0 } else { 0.1 };
        Ok(Verdict { score: Some(score), stop: None })
    }
}

fn fit(
    architecture: &Architecture,
    data: &TrainingData<'_>,
    recipe: &Recipe,
    checkpoint: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained<Network>, Error> {
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    let mut watch = Favourite(1);
    let run = Run { watch: Some(&mut watch), checkpoint, progress, ..Run::new(&passes) };
    train(&network, &Standard, data, recipe, run)
}

fn digests(trained: &Trained<Network>) -> [String; 3] {
    let best = &trained.best.as_ref().unwrap().network;
    [&trained.last, &trained.raw, best].map(|network| Weights::of(network).unwrap().digest())
}

fn timeless(history: &[EpochReport]) -> Vec<EpochReport> {
    history.iter().map(|report| EpochReport { seconds: 0.0, ..report.clone() }).collect()
}

fn sgd(learning_rate: f64) -> OptimizerRecipe {
    OptimizerRecipe::Sgd { learning_rate, momentum: 0.9, nesterov: true, weight_decay: 5e-4 }
}

fn adam() -> OptimizerRecipe {
    OptimizerRecipe::Adam {
        learning_rate: 0.003,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 1e-4,
    }
}

fn recipe(optimizer: OptimizerRecipe, weight_average: Option<f64>) -> Recipe {
    Recipe {
        epochs: 4,
        batch_size: 24,
        optimizer,
        weight_average,
        augmentation: Augmentation { crop_padding: 1, flip: true },
        label_smoothing: 0.1,
        gradient_clipping: Some(1.0),
        ..Recipe::default()
    }
}

/// 64 samples in batches of 24 are three steps an epoch: 6 questions end epoch 1, 7 and 8 fall
/// inside epoch 2.
#[test]
fn a_resumed_training_ends_with_the_bits_of_an_unbroken_one() {
    let set = stripes(64);
    let data = set.data();
    for (architecture, recipe) in [
        (Architecture::SmallCnn {}, recipe(sgd(0.05), None)),
        (Architecture::SmallCnn {}, recipe(adam(), Some(0.99))),
        (Architecture::ResNet { depth: 8 }, recipe(sgd(0.05), Some(0.9))),
        (Architecture::WideResNet { depth: 10, widen: 1 }, recipe(adam(), None)),
    ] {
        let straight = fit(&architecture, &data, &recipe, None, &duress_core::Silent).unwrap();
        for stops in [vec![6], vec![2, 5], vec![7, 0, 1]] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("training");
            for &stop in &stops {
                let cancelled =
                    fit(&architecture, &data, &recipe, Some(&path), &StopAfter::new(stop));
                assert!(matches!(cancelled, Err(Error::Core(CoreError::Cancelled))));
            }
            let silent = duress_core::Silent;
            let resumed = fit(&architecture, &data, &recipe, Some(&path), &silent).unwrap();
            assert_eq!(digests(&resumed), digests(&straight), "{architecture:?} {stops:?}");
            assert_eq!(timeless(&resumed.history), timeless(&straight.history));
            let again = fit(&architecture, &data, &recipe, Some(&path), &silent).unwrap();
            assert_eq!(digests(&again), digests(&straight), "a finished training went on");
        }
    }
}

/// Cancelled by the user while it measures epoch 1, once.
struct Interrupted(bool);

impl Watch<Network> for Interrupted {
    fn epoch(
        &mut self,
        network: &Network,
        history: &[EpochReport],
        due: bool,
    ) -> Result<Verdict, Error> {
        if history.len() == 2 && std::mem::replace(&mut self.0, false) {
            return Err(CoreError::Cancelled.into());
        }
        Favourite(1).epoch(network, history, due)
    }
}

/// Standard training whose fifth loss is interrupted.
struct Losses(AtomicU64);

impl Objective<Network> for Losses {
    fn name(&self) -> &'static str {
        "standard"
    }

    fn loss(&self, network: &Network, batch: &Batch, step: &Step<'_>) -> Result<LossOutput, Error> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 4 {
            return Err(CoreError::Cancelled.into());
        }
        Standard.loss(network, batch, step)
    }
}

#[test]
fn a_cancellation_inside_the_objective_or_the_watch_keeps_every_step() {
    let set = stripes(64);
    let data = set.data();
    let (architecture, recipe) = (Architecture::SmallCnn {}, recipe(sgd(0.05), None));
    let straight = fit(&architecture, &data, &recipe, None, &duress_core::Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training");
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let (passes, losses, mut watch) = (passes(), Losses(AtomicU64::new(0)), Interrupted(true));
    let mut go = || {
        let run = Run { checkpoint: Some(&path), watch: Some(&mut watch), ..Run::new(&passes) };
        train(&network, &losses, &data, &recipe, run)
    };
    for _ in 0..2 {
        assert!(matches!(go(), Err(Error::Core(CoreError::Cancelled))));
    }
    assert_eq!(digests(&go().unwrap()), digests(&straight));
    // Twelve steps and the refused one: none was repeated.
    assert_eq!(losses.0.load(Ordering::Relaxed), 13);
}

#[test]
fn the_same_training_twice_gives_the_same_bits() {
    let set = stripes(64);
    let data = set.data();
    let recipe = recipe(sgd(0.05), None);
    let run = || {
        let architecture = Architecture::ResNet { depth: 8 };
        digests(&fit(&architecture, &data, &recipe, None, &duress_core::Silent).unwrap())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_checkpoint_of_another_run_is_refused_by_name() {
    let set = stripes(64);
    let data = set.data();
    let (architecture, base) = (Architecture::SmallCnn {}, recipe(sgd(0.05), None));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training");
    let stopped = fit(&architecture, &data, &base, Some(&path), &StopAfter::new(1));
    assert!(stopped.is_err());
    let check = |architecture: &Architecture,
                 data: &TrainingData<'_>,
                 recipe: &Recipe,
                 expected| {
        match fit(architecture, data, recipe, Some(&path), &duress_core::Silent) {
            Err(Error::OtherRun { what, .. }) => assert_eq!(what, expected),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("another {expected} was accepted"),
        }
    };
    check(&Architecture::Mlp { hidden: vec![3] }, &data, &base, "network");
    check(&architecture, &data, &Recipe { epochs: 5, ..base.clone() }, "recipe");
    let mut labels = data.labels.to_vec();
    labels.swap(0, 1);
    check(&architecture, &TrainingData { labels: &labels, ..data }, &base, "data");
    let network = architecture.init(data.domain, 3, Seed(2), &Device::flex()).unwrap();
    let passes = passes();
    let run = Run { checkpoint: Some(&path), ..Run::new(&passes) };
    let error = train(&network, &Standard, &data, &base, run).unwrap_err();
    assert!(matches!(error, Error::OtherRun { what: "initial weights", .. }), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_stays_as_it_is() {
    let set = stripes(64);
    let data = set.data();
    let (architecture, base) = (Architecture::SmallCnn {}, recipe(sgd(0.05), None));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training");
    assert!(fit(&architecture, &data, &base, Some(&path), &StopAfter::new(1)).is_err());
    let file = std::fs::read(&path).unwrap();
    let resume = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        fit(&architecture, &data, &base, Some(&path), &duress_core::Silent).unwrap_err()
    };
    for at in [20, file.len() / 2, file.len() - 1] {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let error = resume(&damaged);
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged);
    }
    for length in [0, 7, 30, 100] {
        let error = resume(&file[..length]);
        assert!(matches!(error, Error::Format { .. } | Error::Damaged { .. }), "{error}");
    }
    assert!(matches!(
        resume(b"hello, this is not a checkpoint at all, though long enough"),
        Error::Format { .. }
    ));
}
