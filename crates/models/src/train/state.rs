//! Everything that one step hands to the next.
use burn::optim::ModuleOptimizer;
use burn::prelude::*;

use super::average::Average;
use super::data::TrainingData;
use super::memory::Memory;
use super::recipe::Recipe;
use super::watch::EpochReport;
use crate::{Result, Trainable};

/// A training between two steps: what a checkpoint holds.
pub(super) struct State<M> {
    /// Weights on the tape.
    pub(super) network: M,
    /// Momentum and the like.
    pub(super) optimizer: ModuleOptimizer,
    /// Averaged weights, if the recipe averages.
    pub(super) average: Option<Average<M>>,
    /// What the objective keeps.
    pub(super) memory: Memory<M>,
    /// The best weights measured so far.
    pub(super) best: Option<Kept<M>>,
    /// Where the training is.
    pub(super) at: Position,
    /// Reports of the finished epochs.
    pub(super) history: Vec<EpochReport>,
    /// Why it stopped early, if it did.
    pub(super) stopped: Option<String>,
}

/// Weights worth keeping.
pub(super) struct Kept<M> {
    pub(super) network: M,
    pub(super) epoch: u32,
    pub(super) score: f64,
}

/// The next step, and the sums over the steps of its epoch so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Position {
    pub(super) epoch: u32,
    pub(super) step: u64,
    /// Measurements since the best one.
    pub(super) waited: u32,
    pub(super) loss: f64,
    pub(super) correct: u64,
    /// Samples whose logits the objective gave.
    pub(super) judged: u64,
    pub(super) samples: u64,
    pub(super) seconds: f64,
}

impl<M: Trainable> State<M> {
    /// A training that has not begun.
    pub(super) fn new(network: M, recipe: &Recipe) -> Self {
        let average = recipe.weight_average.map(|decay| Average::new(&network, decay));
        Self {
            optimizer: recipe.optimizer.init(),
            average,
            memory: Memory::default(),
            best: None,
            at: Position::default(),
            history: Vec::new(),
            stopped: None,
            network,
        }
    }

    /// A copy of the weights to judge the training by: averaged if the recipe averages, in
    /// evaluation mode.
    pub(super) fn evaluation(&self) -> M {
        match &self.average {
            Some(average) => average.network.valid(),
            None => self.network.valid(),
        }
    }
}

/// `network` on the tape of `device`; shares nothing with the one that came.
pub(super) fn on_tape<M: Trainable>(network: &M, device: &Device) -> M {
    network.valid().to_device(device).train()
}

/// The order of the samples in an epoch: a Fisher-Yates shuffle drawn from `Use::Shuffle`.
pub(super) fn order(recipe: &Recipe, data: &TrainingData<'_>, epoch: u32) -> Vec<usize> {
    use rand::seq::SliceRandom;
    let mut order: Vec<usize> = (0..data.labels.len()).collect();
    let mut rng = recipe.seed.stream(0, epoch, 0, duress_core::Use::Shuffle);
    order.shuffle(&mut rng);
    order
}

/// The losses of a few steps, left on the device until somebody looks.
#[derive(Default)]
pub(super) struct Pending {
    first: u64,
    losses: Vec<Tensor<1>>,
    correct: Vec<Tensor<1>>,
    sizes: Vec<(u64, bool)>,
}

impl Pending {
    /// Nothing pending; the next step is `first`.
    pub(super) fn from(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.losses.len()
    }

    /// Adds a step: its mean loss and, if there are logits, its count of correct predictions.
    pub(super) fn push(
        &mut self,
        loss: &Tensor<1>,
        logits: Option<Tensor<2>>,
        labels: Tensor<1, Int>,
    ) {
        let samples = labels.dims()[0] as u64;
        self.losses.push(loss.clone().inner());
        self.sizes.push((samples, logits.is_some()));
        let correct = match logits {
            Some(logits) => {
                let predicted = logits.inner().argmax(1).squeeze_dim::<1>(1);
                predicted.equal(labels).float().sum()
            }
            None => loss.clone().inner().zeros_like(),
        };
        self.correct.push(correct);
    }

    /// Reads everything at once and adds it to `at`.
    ///
    /// # Errors
    /// [`crate::Error::LossNotFinite`] for the first step whose loss is not finite.
    pub(super) fn settle(&mut self, at: &mut Position) -> Result<()> {
        let count = self.losses.len();
        if count == 0 {
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.losses);
        all.append(&mut self.correct);
        let values = duress_core::host::floats(Tensor::cat(all, 0))?;
        let (losses, correct) = values.split_at(count);
        for (index, (&value, &correct)) in losses.iter().zip(correct).enumerate() {
            if !value.is_finite() {
                let step = self.first + index as u64;
                return Err(crate::Error::LossNotFinite { epoch: at.epoch, step, value });
            }
            let (samples, judged) = self.sizes[index];
            at.loss += f64::from(value) * samples as f64;
            at.samples += samples;
            if judged {
                at.correct += correct as u64;
                at.judged += samples;
            }
        }
        self.first += count as u64;
        self.sizes.clear();
        Ok(())
    }
}
