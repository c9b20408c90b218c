//! Adversarial weight perturbation: the loss is taken at weights that make it worse.
//!
//! Wu, Xia, Wang. *Adversarial Weight Perturbation Helps Robust Generalization.* `NeurIPS` 2020,
//! §3.2. <https://arxiv.org/abs/2004.05884>
use duress_core::Threat;
use duress_models::train::{LossOutput, Step, perturbed, training_copy};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::inner::parameters;
use super::{BaseRecipe, Trades, TrainingDefense};
use crate::table::{Entry, defaults, training};

/// Minimises `max_v L(w + v)` over the adversarial batch of another recipe, where `v` moves each
/// weight of rank two or more by `γ ‖w‖` along the gradient of the same loss: one step on a copy.
///
/// The gradient is taken at `w + v` and applied to `w`, which never changes in between. (The
/// official code steps from `w + v` and subtracts `v` afterwards, so that its weight decay shrinks
/// `w + v`.) Only the pass at `w + v` moves running statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightPerturbation {
    /// The recipe whose points and loss are used.
    pub inner: BaseRecipe,
    /// Length γ of the move, relative to the length of each weight.
    pub gamma: f64,
    /// Epochs at the start without a perturbation.
    pub warmup_epochs: u32,
}

impl Default for WeightPerturbation {
    /// The paper's TRADES-AWP: γ 0.005.
    fn default() -> Self {
        Self { inner: BaseRecipe::Trades(Trades::default()), gamma: 0.005, warmup_epochs: 0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "awp",
    summary: "adversarial weight perturbation around another recipe",
    reference: "arXiv:2004.05884",
    defaults: defaults::<WeightPerturbation>,
    parse: training::<WeightPerturbation>,
};

impl<M: Trainable> Objective<M> for WeightPerturbation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let found = self.inner.find(network, batch, step)?;
        if step.epoch < self.warmup_epochs {
            return self.inner.loss_at(found, network, batch, step);
        }
        let copy = training_copy(network);
        let climbed = self.inner.loss_at(found.clone(), &copy, batch, step)?;
        let moved = perturbed(network, &copy, &climbed.loss, self.gamma);
        self.inner.loss_at(found, &moved, batch, step)
    }
}

impl TrainingDefense for WeightPerturbation {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.inner.threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.inner.check()?;
        Check(ENTRY.name).positive("gamma", self.gamma)
    }
}
