//! Interval training with a short warm-up.
//!
//! Shi, Wang, Zhang, Yi, Hsieh. *Fast Certified Robust Training with Short Warmup.* `NeurIPS` 2021.
//! <https://arxiv.org/abs/2103.17268>
use duress_core::{Epsilon, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Initialization, Layered, Network, Objective, Recipe, Result};
use serde::{Deserialize, Serialize};

use super::loss::{Bounded, threat};
use super::schedule::{Ramp, Schedule, fits};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;

/// Minimises the cross-entropy of the worst logits by intervals, from weights drawn for intervals,
/// with regularisers that keep bounds tight and rectifiers balanced while the radius grows.
///
/// Their weight is `regularization · (1 − ε / ε_max)`. Batch norms take the statistics of the clean
/// batch, for the bounds too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FastIbpTraining {
    /// Radius of the Linf ball, in units of the raw input. On MNIST the paper trains at 0.4 for 0.3
    /// and 0.4, and at 0.2 for 0.1.
    pub epsilon: Epsilon,
    /// Epochs of clean training first.
    pub warmup_epochs: u32,
    /// Epochs over which the radius rises to `epsilon`.
    pub ramp_epochs: u32,
    /// How it rises.
    pub ramp: Ramp,
    /// Weight λ₀ of the regularisers at radius 0.
    pub regularization: f64,
    /// How the weights are drawn.
    pub initialization: Initialization,
    /// Weight of the sum of absolute weights of linear layers and convolutions.
    pub l1: f64,
}

impl Default for FastIbpTraining {
    /// The paper's recipe for CIFAR-10, of 160 epochs. On MNIST it is 0 and 20 of 70 epochs.
    fn default() -> Self {
        Self {
            epsilon: Epsilon::EIGHT_255THS,
            warmup_epochs: 1,
            ramp_epochs: 80,
            ramp: Ramp::Smooth,
            regularization: 0.5,
            initialization: Initialization::Ibp,
            l1: 0.0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fast-ibp-training",
    summary: "certified training: intervals, with their own initial weights and regularisers",
    reference: "arXiv:2103.17268",
    defaults: defaults::<FastIbpTraining>,
    parse: training::<FastIbpTraining>,
};

impl FastIbpTraining {
    fn schedule(&self) -> Schedule {
        let Self { warmup_epochs, ramp_epochs, ramp, .. } = *self;
        Schedule { warmup_epochs, ramp_epochs, ramp }
    }
}

impl<M: Layered> Objective<M> for FastIbpTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let share = self.schedule().share(ENTRY.name, step)?;
        let radius = self.epsilon.get() * share;
        let bounded = Bounded::new(network, batch, step)?;
        let on_box = (radius > 0.0).then(|| bounded.on_box(bounded.rows.clone(), radius, 1.0));
        let loss = bounded.robust_or_clean(on_box.as_ref());
        let weight = self.regularization * (1.0 - share);
        let regularizers = bounded.regularizers(weight, radius, on_box.as_ref());
        Ok(bounded.output(loss, regularizers, self.l1))
    }
}

impl TrainingDefense for FastIbpTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        threat(self.epsilon)
    }

    fn initialization(&self) -> Initialization {
        self.initialization
    }

    fn fits(&self, recipe: &Recipe, network: &Network) -> Result<()> {
        fits(ENTRY.name, self.schedule(), recipe, network)
    }

    fn propagates_bounds(&self) -> bool {
        true
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.not_negative("regularization", self.regularization)?;
        check.not_negative("l1", self.l1)
    }
}
