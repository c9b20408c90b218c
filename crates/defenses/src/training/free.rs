//! Free adversarial training: one backward pass moves the perturbation and the weights.
//!
//! Shafahi, Najibi, Ghiasi, Xu, Dickerson, Studer, Davis, Taylor, Goldstein. *Adversarial Training
//! for Free!* `NeurIPS` 2019, algorithm 1. <https://arxiv.org/abs/1904.12843>
use burn::prelude::*;
use duress_core::{Epsilon, Norm, Region, Threat};
use duress_models::train::{Feedback, LossOutput, Memory, Step, Traced};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::inner::{mean_cross_entropy, parameters};
use crate::table::{Entry, defaults, training};

/// Trains on each batch `replays` times in a row. Each step goes against the gradient of the
/// cross-entropy at `x + δ` and then moves `δ ← clip(δ + ε sign ∇ₓ)`, from the same backward pass.
/// `δ` belongs to the place in the batch and is kept from batch to batch.
///
/// The gradient by the input is that of the network in training mode, as the method has but one
/// pass. An epoch has `replays` times the steps: divide the epochs of a recipe by it. Since `δ`
/// stays at its place, the result depends on the order of the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreeTraining {
    /// Radius of the Linf ball, in units of the raw input.
    pub epsilon: Epsilon,
    /// Steps `m` on each batch.
    pub replays: u32,
    /// Length of a move of the perturbation, as a fraction of the radius.
    pub step_size: f64,
}

impl Default for FreeTraining {
    /// The paper's recipe for CIFAR-10: m 8 at 8/255, moves of ε.
    fn default() -> Self {
        Self { epsilon: Epsilon::EIGHT_255THS, replays: 8, step_size: 1.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "free-training",
    summary: "free adversarial training: replayed batches, one backward pass for both",
    reference: "arXiv:1904.12843",
    defaults: defaults::<FreeTraining>,
    parse: training::<FreeTraining>,
};

/// The perturbation's name in the memory, `[batch, F]`.
const PERTURBATION: &str = "perturbation";

impl FreeTraining {
    /// What is kept for the first `rows` places of a batch; zero where nothing is kept.
    fn kept<M: Trainable>(memory: &Memory<M>, rows: &Tensor<2>) -> Tensor<2> {
        let [count, features] = rows.dims();
        match memory.tensor(PERTURBATION) {
            Some(kept) if kept.dims()[0] >= count => kept.narrow(0, 0, count),
            Some(kept) => {
                let missing = [count - kept.dims()[0], features];
                Tensor::cat(vec![kept, Tensor::zeros(missing, &rows.device())], 0)
            }
            None => rows.zeros_like(),
        }
    }
}

impl<M: Trainable> Objective<M> for FreeTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        Ok(self.loss_by(network, batch, step, &mut Memory::default())?.output)
    }

    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let rows = batch.rows.clone().inner();
        let threat = Threat::new(Norm::Linf, self.epsilon.get())?;
        let region = Region::new(rows.clone(), &threat, step.domain)?;
        let moved = region.project(rows.clone() + Self::kept(memory, &rows));
        let leaf = moved.autodiff().require_grad();
        let logits = network.forward(leaf.clone());
        let loss = mean_cross_entropy(logits.clone(), batch, step);
        let output = LossOutput { loss, logits: Some(logits.inner()) };
        Ok(Traced { output, leaf: Some(leaf) })
    }

    fn remember(
        &self,
        memory: &mut Memory<M>,
        batch: &Batch,
        _: &Step<'_>,
        feedback: Feedback,
    ) -> Result<()> {
        let Some(slope) = feedback.slope else { return Ok(()) };
        let (radius, rows) = (self.epsilon.get(), batch.rows.clone().inner());
        let length = radius * self.step_size;
        let moved = Self::kept(memory, &rows) + slope.sign() * length;
        let moved = moved.clamp(-radius, radius);
        let count = rows.dims()[0];
        // A smaller batch leaves the other places as they are.
        let whole = match memory.tensor(PERTURBATION) {
            Some(kept) if kept.dims()[0] > count => {
                let rest = kept.dims()[0] - count;
                Tensor::cat(vec![moved, kept.narrow(0, count, rest)], 0)
            }
            _ => moved,
        };
        memory.keep_tensor(PERTURBATION, whole);
        Ok(())
    }

    fn replays(&self) -> u32 {
        self.replays
    }
}

impl TrainingDefense for FreeTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        Threat::new(Norm::Linf, self.epsilon.get()).ok()
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.holds(self.replays >= 1, "replays", "at least 1", self.replays)?;
        check.positive("step_size", self.step_size)
    }
}
