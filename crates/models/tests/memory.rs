//! What an objective keeps between steps: replays, several passes, companions, the checkpoint.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
mod common;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::prelude::*;
use common::{passes, stripes};
use duress_core::{Error as CoreError, Progress, Seed, Silent, host};
use duress_models::train::{
    Feedback, Memory, Mix, OptimizerRecipe, Preparation, Run, Schedule, Traced, cross_entropy,
    map_matrices,
};
use duress_models::{
    Architecture, Batch, Error, LossOutput, Network, Objective, Recipe, Standard, Step, Trained,
    TrainingData, Weights, train,
};

/// Says stop at its `n`-th question.
struct StopAfter {
    questions: AtomicU64,
    limit: u64,
}

impl Progress for StopAfter {
    fn cancelled(&self) -> bool {
        self.questions.fetch_add(1, Ordering::Relaxed) >= self.limit
    }
}

/// Replays batches, moves a kept perturbation up the gradient, is drawn to a companion.
#[derive(Default)]
struct Keeper {
    replays: u32,
    passes: u32,
    companion: bool,
    /// Which samples each step saw, by the first id.
    seen: Mutex<Vec<(u64, u64)>>,
}

impl Objective<Network> for Keeper {
    fn name(&self) -> &'static str {
        "keeper"
    }

    fn loss(&self, _: &Network, _: &Batch, _: &Step<'_>) -> Result<LossOutput, Error> {
        panic!("an objective with a memory is asked with it")
    }

    fn loss_by(
        &self,
        network: &Network,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<Network>,
    ) -> Result<Traced, Error> {
        self.seen.lock().unwrap().push((step.step, batch.ids[0]));
        let kept = memory.tensor("shift").unwrap_or_else(|| batch.rows.zeros_like());
        let kept = kept.narrow(0, 0, batch.len());
        let leaf = (batch.rows.clone() + kept).autodiff().require_grad();
        let logits = network.forward(leaf.clone());
        let mut loss = cross_entropy(logits.clone(), batch.targets(), 0.0).mean();
        if let Some(companion) = memory.network("companion") {
            let theirs = companion.forward(batch.rows.clone());
            loss = loss + (logits.clone() - theirs.autodiff()).square().mean() * 0.1;
        }
        let output = LossOutput { loss, logits: Some(logits.inner()) };
        Ok(Traced { output, leaf: Some(leaf) })
    }

    fn prepare(&self, now: &Preparation<'_, Network>) -> Result<Memory<Network>, Error> {
        if !self.companion {
            return Ok(Memory::default());
        }
        let recipe = Recipe { epochs: 2, ..now.recipe.clone() };
        let trained = now.companion("companion", now.network, &Standard, &recipe)?;
        let mut memory = Memory::default();
        memory.keep_network("companion", &trained);
        Ok(memory)
    }

    fn remember(
        &self,
        memory: &mut Memory<Network>,
        batch: &Batch,
        _: &Step<'_>,
        feedback: Feedback,
    ) -> Result<(), Error> {
        let slope = feedback.slope.unwrap();
        assert_eq!(slope.dims(), batch.rows.dims());
        let whole = memory.tensor("shift").unwrap_or_else(|| batch.rows.zeros_like());
        let [rows, features] = whole.dims();
        let count = batch.len().min(rows);
        let moved = whole.clone().narrow(0, 0, count) + slope.narrow(0, 0, count).sign() * 0.01;
        memory.keep_tensor("shift", whole.slice_assign([0..count, 0..features], moved));
        Ok(())
    }

    fn replays(&self) -> u32 {
        self.replays
    }

    fn backward_passes(&self) -> u32 {
        self.passes
    }

    fn after_step(&self, network: Network, _: &Step<'_>) -> Result<Network, Error> {
        Ok(map_matrices(network, |_, matrix| matrix * 0.999))
    }
}

fn recipe() -> Recipe {
    let optimizer = OptimizerRecipe::Sgd {
        learning_rate: 0.05,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 5e-4,
    };
    Recipe { epochs: 2, batch_size: 24, optimizer, weight_average: Some(0.9), ..Recipe::default() }
}

fn fit(
    keeper: &Keeper,
    data: &TrainingData<'_>,
    checkpoint: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained<Network>, Error> {
    let architecture = Architecture::SmallCnn {};
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    train(&network, keeper, data, &recipe(), Run { checkpoint, progress, ..Run::new(&passes) })
}

fn digest(trained: &Trained<Network>) -> [String; 2] {
    [&trained.last, &trained.raw].map(|network| Weights::of(network).unwrap().digest())
}

/// 60 samples in batches of 24 are three batches, replayed twice: six steps an epoch.
#[test]
fn a_batch_is_replayed_step_by_step() {
    let set = stripes(60);
    let keeper = Keeper { replays: 2, passes: 1, ..Keeper::default() };
    let trained = fit(&keeper, &set.data(), None, &Silent).unwrap();
    let seen = keeper.seen.into_inner().unwrap();
    assert_eq!(seen.len(), 12);
    for pair in seen.chunks(2) {
        assert_eq!(pair[0].1, pair[1].1, "a replay has the same samples");
        assert_eq!(pair[0].0 + 1, pair[1].0);
    }
    assert_eq!(trained.history[0].samples, 120);
}

#[test]
fn what_is_kept_survives_an_interruption_to_the_bit() {
    let set = stripes(60);
    let data = set.data();
    for (replays, passes, companion) in [(2, 1, false), (1, 2, false), (3, 1, true)] {
        let keeper = || Keeper { replays, passes, companion, seen: Mutex::default() };
        let straight = fit(&keeper(), &data, None, &Silent).unwrap();
        // A companion's two epochs ask six times: the first stop falls into its training.
        for stops in [vec![1], vec![2, 8], vec![3, 1]] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a training");
            for &limit in &stops {
                let stop = StopAfter { questions: AtomicU64::new(0), limit };
                let cancelled = fit(&keeper(), &data, Some(&path), &stop);
                if !matches!(cancelled, Err(Error::Core(CoreError::Cancelled))) {
                    assert!(cancelled.is_ok());
                }
            }
            let resumed = fit(&keeper(), &data, Some(&path), &Silent).unwrap();
            assert_eq!(digest(&resumed), digest(&straight), "{replays} {passes} {stops:?}");
            let files = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(files, 1, "the companion's checkpoint is gone");
        }
    }
}

/// Two passes of one loss without a perturbation are a step of twice the gradient.
#[test]
fn gradients_of_several_passes_add_up() {
    struct Twice(u32);
    impl Objective<Network> for Twice {
        fn name(&self) -> &'static str {
            "twice"
        }
        fn loss(&self, net: &Network, batch: &Batch, step: &Step<'_>) -> Result<LossOutput, Error> {
            Standard.loss(net, batch, step)
        }
        fn backward_passes(&self) -> u32 {
            self.0
        }
    }
    let set = stripes(24);
    let data = set.data();
    let network = Architecture::Mlp { hidden: vec![] }
        .init(data.domain, 3, Seed(1), &Device::flex())
        .unwrap();
    let passes = passes();
    let ends = |times, learning_rate| {
        let optimizer = OptimizerRecipe::Sgd {
            learning_rate,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        };
        let schedule = Schedule::Constant {};
        let recipe = Recipe { epochs: 1, batch_size: 24, optimizer, schedule, ..Recipe::default() };
        let trained = train(&network, &Twice(times), &data, &recipe, Run::new(&passes)).unwrap();
        Weights::of(&trained.last).unwrap().get("layers.0.weight").unwrap().to_vec()
    };
    assert_eq!(ends(2, 0.125), ends(1, 0.25));
}

/// Seen by the objective, 10 samples of which 4 are of the second set: three batches an epoch, the
/// last one with its share.
#[test]
fn a_second_set_has_its_share_of_each_batch() {
    #[derive(Default)]
    struct Ids(Mutex<Vec<Vec<u64>>>);
    impl Objective<Network> for Ids {
        fn name(&self) -> &'static str {
            "ids"
        }
        fn loss(&self, net: &Network, batch: &Batch, step: &Step<'_>) -> Result<LossOutput, Error> {
            self.0.lock().unwrap().push(batch.ids.clone());
            assert_eq!(batch.rows.dims()[0], batch.ids.len());
            Standard.loss(net, batch, step)
        }
    }
    let (set, other) = (stripes(15), stripes(5));
    let data = set.data();
    let network = Architecture::Mlp { hidden: vec![] }
        .init(data.domain, 3, Seed(1), &Device::flex())
        .unwrap();
    let mix = Mix { file: "generated.npz".into(), share: 0.4 };
    let recipe = Recipe { epochs: 2, batch_size: 10, mix: Some(mix), ..Recipe::default() };
    let passes = passes();
    let ids = Ids::default();
    let run = || Run { extra: Some(other.data()), ..Run::new(&passes) };
    train(&network, &ids, &data, &recipe, run()).unwrap();
    let seen = ids.0.into_inner().unwrap();
    let own = |ids: &[u64]| ids.iter().filter(|&&id| id < 1 << 63).count();
    let counts: Vec<(usize, usize)> = seen.iter().map(|ids| (own(ids), ids.len())).collect();
    assert_eq!(counts, [(6, 10), (6, 10), (3, 5), (6, 10), (6, 10), (3, 5)]);
    let mut all: Vec<u64> = seen[..3].concat().into_iter().filter(|&id| id < 1 << 63).collect();
    all.sort_unstable();
    assert_eq!(all, (0..15).collect::<Vec<_>>());

    let plain = Recipe { mix: None, ..recipe.clone() };
    let error = train(&network, &Standard, &data, &plain, run()).unwrap_err().to_string();
    assert!(error.contains("`mix`"), "{error}");
    let error = train(&network, &Standard, &data, &recipe, Run::new(&passes)).unwrap_err();
    assert!(error.to_string().contains("no second set"), "{error}");
}

#[test]
fn a_constraint_holds_after_each_step() {
    struct Zero;
    impl Objective<Network> for Zero {
        fn name(&self) -> &'static str {
            "zero"
        }
        fn loss(&self, net: &Network, batch: &Batch, step: &Step<'_>) -> Result<LossOutput, Error> {
            Standard.loss(net, batch, step)
        }
        fn after_step(&self, network: Network, _: &Step<'_>) -> Result<Network, Error> {
            Ok(map_matrices(network, |_, matrix| matrix * 0.0))
        }
    }
    let set = stripes(24);
    let data = set.data();
    let network = Architecture::Mlp { hidden: vec![5] }
        .init(data.domain, 3, Seed(1), &Device::flex())
        .unwrap();
    let passes = passes();
    let trained = train(&network, &Zero, &data, &recipe(), Run::new(&passes)).unwrap();
    let logits = trained.raw.forward(Tensor::ones([1, 64], &Device::flex()));
    let weights = Weights::of(&trained.raw).unwrap();
    assert!(weights.get("layers.0.weight").unwrap().iter().all(|&value| value == 0.0));
    let bias = weights.get("layers.1.bias").unwrap().to_vec();
    assert_eq!(host::floats(logits).unwrap(), bias, "the biases are trained all the same");
}
