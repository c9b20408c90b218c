//! What a step minimises.
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::{Domain, Passes, Progress, Seed, Use};
use rand::Rng;

use super::data::Batch;
use super::memory::Memory;
use super::preparation::Preparation;
use crate::{Result, Trainable};

/// Everything an objective may use besides the network and the batch.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Epoch, from 0.
    pub epoch: u32,
    /// Step of the epoch, from 0.
    pub step: u64,
    /// Steps of an epoch.
    pub steps: u64,
    /// Epochs of the recipe.
    pub epochs: u32,
    /// Seed of the recipe.
    pub seed: Seed,
    /// Mass that label smoothing takes from the label and spreads over all classes.
    pub label_smoothing: f64,
    /// Input space.
    pub domain: &'a Domain,
    /// Number of classes `K`.
    pub classes: usize,
    /// Computes passes of frozen networks.
    pub passes: &'a Passes,
    /// Asked whether to stop.
    pub progress: &'a dyn Progress,
}

impl Step<'_> {
    /// A seed that differs in each epoch, so that a draw keyed by a sample's id is fresh in each.
    #[must_use]
    pub fn epoch_seed(&self) -> Seed {
        Seed(self.seed.stream(u64::from(self.epoch), 0, 0, Use::Step).next_u64())
    }
}

/// What an objective returns.
#[derive(Clone, Debug)]
pub struct LossOutput {
    /// The mean loss of the batch, `[1]`, on the tape of the network's weights.
    pub loss: Tensor<1>,
    /// Logits `[B, K]` at the points that were trained on, from which the training accuracy is
    /// counted; `None` if there are none.
    pub logits: Option<Tensor<2>>,
}

/// A loss, and the leaf of its tape whose gradient the objective asks back.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The loss of the step.
    pub output: LossOutput,
    /// A leaf of the loss's tape (rows, say): [`Objective::remember`] gets its gradient, from the
    /// same backward pass as the weights'.
    pub leaf: Option<Tensor<2>>,
}

impl From<LossOutput> for Traced {
    fn from(output: LossOutput) -> Self {
        Self { output, leaf: None }
    }
}

/// What a backward pass says besides the weights' gradient.
#[derive(Clone, Debug)]
pub struct Feedback {
    /// Which of the step's backward passes it was, from 0.
    pub pass: u32,
    /// The gradient of the loss (a mean over the batch) by [`Traced::leaf`].
    pub slope: Option<Tensor<2>>,
    /// The logits of the pass, [`LossOutput::logits`].
    pub logits: Option<Tensor<2>>,
}

/// A loss whose minimiser is wanted.
///
/// An objective holds hyperparameters only. What it keeps between steps is in a [`Memory`], which
/// the training hands from step to step and keeps in its checkpoint.
pub trait Objective<M: Trainable>: Send + Sync {
    /// Name used in configuration files, model cards and reports.
    fn name(&self) -> &str;

    /// Hyperparameters, for the card and to tell one run from another.
    fn parameters(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// The loss of one batch. `network` is in training mode, its weights on the tape.
    ///
    /// # Errors
    /// A failure to compute the loss ends the training.
    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput>;

    /// The loss of one batch by what is kept; [`Objective::loss`] unless the objective has a
    /// memory.
    ///
    /// # Errors
    /// As [`Objective::loss`].
    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let _ = memory;
        Ok(self.loss(network, batch, step)?.into())
    }

    /// What is kept before the first step: nothing, unless the objective needs a companion.
    ///
    /// # Errors
    /// A failure ends the training.
    fn prepare(&self, preparation: &Preparation<'_, M>) -> Result<Memory<M>> {
        let _ = preparation;
        Ok(Memory::default())
    }

    /// Changes what is kept after a backward pass.
    ///
    /// # Errors
    /// A failure ends the training.
    fn remember(
        &self,
        memory: &mut Memory<M>,
        batch: &Batch,
        step: &Step<'_>,
        feedback: Feedback,
    ) -> Result<()> {
        let _ = (memory, batch, step, feedback);
        Ok(())
    }

    /// Steps in a row that each batch is trained on, at least one. [`Step::step`] counts them all:
    /// step `s` is of batch `s / replays`.
    fn replays(&self) -> u32 {
        1
    }

    /// Losses of a step, at least one, each with its backward pass; the step goes against the sum
    /// of their gradients.
    fn backward_passes(&self) -> u32 {
        1
    }

    /// The network after a step of the optimiser: where a constraint on the weights is enforced.
    /// Comes before averaging.
    ///
    /// # Errors
    /// A failure ends the training.
    fn after_step(&self, network: M, step: &Step<'_>) -> Result<M> {
        let _ = step;
        Ok(network)
    }
}

/// Cross-entropy at the samples themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standard;

impl<M: Trainable> Objective<M> for Standard {
    fn name(&self) -> &'static str {
        "standard"
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let logits = network.forward(batch.rows.clone().autodiff());
        let loss = cross_entropy(logits.clone(), batch.targets(), step.label_smoothing).mean();
        Ok(LossOutput { loss, logits: Some(logits.inner()) })
    }
}

/// Cross-entropy of each row with smoothed labels, logits `[B, K]` and labels `[B] → [B]`.
///
/// `−(1 − s) log p_y − s/K Σ_k log p_k`. Szegedy et al. *Rethinking the Inception Architecture.*
/// CVPR 2016, §7. <https://arxiv.org/abs/1512.00567>
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let log_probabilities = log_softmax(logits, 1);
    let label = -log_probabilities.clone().gather(1, labels.unsqueeze_dim(1)).squeeze_dim::<1>(1);
    if smoothing == 0.0 {
        return label;
    }
    let uniform = -log_probabilities.mean_dim(1).squeeze_dim::<1>(1);
    label * (1.0 - smoothing) + uniform * smoothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Silent, host};

    /// With logits `(0, ln 3)` the probabilities are `(1/4, 3/4)`.
    #[test]
    fn smoothing_mixes_the_label_with_the_uniform_distribution() {
        let device = Device::flex();
        let loss = |label: i64, smoothing| {
            let logits = Tensor::<2>::from_data([[0.0, 3.0_f32.ln()]], &device);
            let labels = Tensor::<1, Int>::from_data([label], &device);
            host::floats(cross_entropy(logits, labels, smoothing)).unwrap()[0]
        };
        let (first, second) = (4.0_f32.ln(), (4.0_f32 / 3.0).ln());
        assert!((loss(0, 0.0) - first).abs() < 1e-6);
        assert!((loss(1, 0.0) - second).abs() < 1e-6);
        let smooth = 0.8 * second + 0.2 * 0.5 * (first + second);
        assert!((loss(1, 0.2) - smooth).abs() < 1e-6);
    }

    #[test]
    fn each_epoch_has_its_own_seed() {
        let domain = Domain::image(1, 1, 1).unwrap();
        let passes = Passes::with_batch(&Device::flex(), 1);
        let step = |epoch, step| Step {
            epoch,
            step,
            steps: 9,
            epochs: 9,
            seed: Seed(1),
            label_smoothing: 0.0,
            domain: &domain,
            classes: 2,
            passes: &passes,
            progress: &Silent,
        };
        assert_eq!(step(1, 0).epoch_seed(), step(1, 5).epoch_seed());
        assert_ne!(step(1, 0).epoch_seed(), step(2, 0).epoch_seed());
    }
}
