//! Distributionally robust training: perturbations pay for their length instead of stopping at one.
//!
//! Sinha, Namkoong, Duchi. *Certifying Some Distributional Robustness with Principled Adversarial
//! Training.* ICLR 2018, eq. (2) and algorithm 1. <https://arxiv.org/abs/1710.10571>
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{Error as CoreError, Goal, Norm, Region, Threat};
use duress_models::train::{LossOutput, Step, snapshot};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::inner::{loss_at, parameters};
use crate::table::{Entry, defaults, training};

/// Minimises `E sup_x̃ L(θ, x̃, y) − γ ‖x̃ − x‖₂²`. The supremum is sought by ascent on the network in
/// evaluation mode: with `t` from 0, `x̃ ← x̃ + (∇L / 2γ − (x̃ − x)) / √(t + 2)`, within the input box.
///
/// There is no ball: how far a point goes is the loss's own doing. A smaller γ lets it go farther;
/// above the smoothness of the loss, the inner problem is concave and the paper's certificate holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WassersteinTraining {
    /// Price γ of a squared unit of Euclidean distance, in raw units.
    pub gamma: f64,
    /// Steps of the ascent.
    pub steps: usize,
}

impl Default for WassersteinTraining {
    /// The authors' code on MNIST: 15 steps, γ = 1 / (2 · 1.3).
    fn default() -> Self {
        Self { gamma: 1.0 / 2.6, steps: 15 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "wasserstein-training",
    summary: "distributionally robust training: perturbations at a price for their length",
    reference: "arXiv:1710.10571",
    defaults: defaults::<WassersteinTraining>,
    parse: training::<WassersteinTraining>,
};

impl WassersteinTraining {
    /// The points of the inner ascent, `[B, F]`.
    fn find<M: Trainable>(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<Tensor<2>> {
        let frozen = snapshot(network, step.domain)?;
        let clean = batch.rows.clone().inner();
        let aim = Goal::Untargeted(batch.labels.clone()).aim(&clean.device());
        // A ball that holds the box: what is left is the box, and what may not change.
        let whole = Threat::new(Norm::Linf, 2.0 * step.domain.diameter(Norm::Linf))?;
        let region = Region::new(clean.clone(), &whole, step.domain)?;
        let mut rows = clean.clone();
        for count in 0..self.steps {
            if step.progress.cancelled() {
                return Err(CoreError::Cancelled.into());
            }
            let at = step.passes.gradient(&frozen, rows.clone(), &aim, &LossKind::CrossEntropy)?;
            let up = at.gradient / (2.0 * self.gamma) - (rows.clone() - clean.clone());
            rows = region.clip(rows + up / (count as f64 + 2.0).sqrt());
        }
        Ok(rows)
    }
}

impl<M: Trainable> Objective<M> for WassersteinTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let found = self.find(network, batch, step)?;
        Ok(loss_at(found, network, batch, step))
    }
}

impl TrainingDefense for WassersteinTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.positive("gamma", self.gamma)?;
        check.holds(self.steps >= 1, "steps", "at least 1", self.steps)
    }
}
