//! Training on small boxes around adversarial points.
//!
//! Müller, Eckert, Fischer, Vechev. *Certified Training: Small Boxes are All You Need.* ICLR 2023.
//! <https://arxiv.org/abs/2210.04871>
use duress_core::{Epsilon, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Initialization, Layered, Network, Objective, Recipe, Result};
use serde::{Deserialize, Serialize};

use super::loss::{Bounded, searched, threat};
use super::schedule::{Ramp, Schedule, fits};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;

/// Minimises the cross-entropy of the worst logits by intervals on the box of radius `λ ε` around
/// the worst point that PGD finds in the ball of radius `(1 − λ) ε`.
///
/// The bound holds for the small box only: certify such networks with tighter methods than
/// intervals. λ = 1 is interval training. The attack's steps are of one length; the authors' shrink
/// tenfold after the fourth and the seventh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SabrTraining {
    /// Radius of the Linf ball, in units of the raw input.
    pub epsilon: Epsilon,
    /// λ, the radius of the small box as a share of `epsilon`: 0.4 at 0.1 and 0.6 at 0.3 on MNIST,
    /// 0.1 at 2/255 and 0.7 at 8/255 on CIFAR-10.
    pub lambda: f64,
    /// Factor on the radius before each rectifier; less than 1 shrinks the boxes further.
    pub relu_shrinking: f64,
    /// Gradient steps of the inner attack.
    pub steps: usize,
    /// Length of a step, as a share of the radius that is searched.
    pub step_size: f64,
    /// Epochs of clean training first.
    pub warmup_epochs: u32,
    /// Epochs over which the radius rises to `epsilon`.
    pub ramp_epochs: u32,
    /// How it rises.
    pub ramp: Ramp,
    /// Weight at radius 0 of the regularisers of [`super::FastIbpTraining`], on the small box.
    pub regularization: f64,
    /// How the weights are drawn.
    pub initialization: Initialization,
    /// Weight of the sum of absolute weights of linear layers and convolutions: 1e-5 at 0.1 and 1e-6
    /// at 0.3 on MNIST.
    pub l1: f64,
}

impl Default for SabrTraining {
    /// The paper's recipe for CIFAR-10 at 8/255.
    fn default() -> Self {
        Self {
            epsilon: Epsilon::EIGHT_255THS,
            lambda: 0.7,
            relu_shrinking: 1.0,
            steps: 8,
            step_size: 0.5,
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
    name: "sabr-training",
    summary: "certified training: intervals on small boxes around adversarial points",
    reference: "arXiv:2210.04871",
    defaults: defaults::<SabrTraining>,
    parse: training::<SabrTraining>,
};

impl SabrTraining {
    fn schedule(&self) -> Schedule {
        let Self { warmup_epochs, ramp_epochs, ramp, .. } = *self;
        Schedule { warmup_epochs, ramp_epochs, ramp }
    }
}

impl<M: Layered> Objective<M> for SabrTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let share = self.schedule().share(ENTRY.name, step)?;
        let radius = self.epsilon.get() * share;
        let (small, searched_radius) = (radius * self.lambda, radius * (1.0 - self.lambda));
        let middle = searched((self.steps, self.step_size), searched_radius, network, batch, step)?;
        let bounded = Bounded::new(network, batch, step)?;
        let on_box = (radius > 0.0).then(|| bounded.on_box(middle, small, self.relu_shrinking));
        let loss = bounded.robust_or_clean(on_box.as_ref());
        let weight = self.regularization * (1.0 - share);
        let regularizers = bounded.regularizers(weight, small, on_box.as_ref());
        Ok(bounded.output(loss, regularizers, self.l1))
    }
}

impl TrainingDefense for SabrTraining {
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
        check.share("lambda", self.lambda)?;
        check.positive("lambda", self.lambda)?;
        check.share("relu_shrinking", self.relu_shrinking)?;
        check.positive("relu_shrinking", self.relu_shrinking)?;
        check.at_least_one("steps", self.steps)?;
        check.positive("step_size", self.step_size)?;
        check.not_negative("regularization", self.regularization)?;
        check.not_negative("l1", self.l1)
    }
}
