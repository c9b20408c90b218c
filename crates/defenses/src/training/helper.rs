//! Helper-based adversarial training: beyond the ball, the network may say what a plain one says.
//!
//! Rade, Moosavi-Dezfooli. *Reducing Excessive Margin to Achieve a Better Accuracy vs. Robustness
//! Trade-off.* ICLR 2022, algorithm 1. <https://openreview.net/forum?id=Azh9QBQ4tR7>
use duress_attacks::KlPgd;
use duress_core::{Algorithm, Epsilon, Norm, Threat};
use duress_models::train::{
    LossOutput, Memory, Preparation, Step, Traced, cross_entropy, snapshot,
};
use duress_models::{Batch, Error, Network, Objective, Result, Standard, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{logits_at, mean_cross_entropy, parameters};
use super::losses::divergence;
use super::trades::most_divergent;
use crate::table::{Entry, defaults, training};

/// Minimises `CE(f(x), y) + β KL(softmax f(x) ‖ softmax f(x̃)) + γ CE(f(x + h (x̃ − x)), ŷ)`: the
/// points of TRADES, and helpers `h` times as far out with the label `ŷ` that a network trained
/// without an adversary gives to `x̃`.
///
/// That network is trained first, by the same recipe from the same weights, and kept in the
/// checkpoint. Helpers may leave the box, as in the official code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HelperTraining {
    /// Norm of the ball: Linf or L2.
    pub norm: Norm,
    /// Its radius, in units of the raw input.
    pub epsilon: Epsilon,
    /// Gradient steps of the inner maximisation.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// How far out the helpers are, in lengths of the perturbation.
    pub helper_scale: f64,
    /// Weight β of the divergence.
    pub beta: f64,
    /// Weight γ of the helpers.
    pub gamma: f64,
    /// Epochs over which the radius rises linearly from 0; 0 starts at `epsilon`.
    pub warmup_epochs: u32,
    /// Epochs over which the number of inner steps rises from 1; 0 starts at `steps`.
    pub steps_warmup_epochs: u32,
}

impl Default for HelperTraining {
    /// The paper's recipe for CIFAR-10: β 2.5, γ 0.5, h 2, 10 steps of 2/255 at 8/255.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::EIGHT_255THS,
            steps: 10,
            step_size: 0.25,
            helper_scale: 2.0,
            beta: 2.5,
            gamma: 0.5,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "helper-training",
    summary: "helper-based adversarial training (HAT): TRADES with labelled points beyond the ball",
    reference: "Rade and Moosavi-Dezfooli 2022, openreview:Azh9QBQ4tR7",
    defaults: defaults::<HelperTraining>,
    parse: training::<HelperTraining>,
};

/// The companion's name in the memory.
const PLAIN: &str = "plain";

impl HelperTraining {
    fn ball(&self) -> Ball {
        Ball {
            norm: self.norm,
            epsilon: self.epsilon,
            steps: self.steps,
            step_size: self.step_size,
            warmup_epochs: self.warmup_epochs,
            steps_warmup_epochs: self.steps_warmup_epochs,
        }
    }
}

impl<M: Trainable> Objective<M> for HelperTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, _: &M, _: &Batch, _: &Step<'_>) -> Result<LossOutput> {
        Err(needs(ENTRY.name, "the network trained without an adversary"))
    }

    fn prepare(&self, now: &Preparation<'_, M>) -> Result<Memory<M>> {
        let mut memory = Memory::default();
        memory.keep_network(PLAIN, &now.companion(PLAIN, now.network, &Standard, now.recipe)?);
        Ok(memory)
    }

    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let Some(plain) = memory.network(PLAIN) else {
            return Ok(self.loss(network, batch, step)?.into());
        };
        let found = most_divergent(self.ball(), network, batch, step)?;
        let rows = batch.rows.clone().inner();
        let helpers = rows.clone() + (found.clone() - rows.clone()) * self.helper_scale;
        let said = step.passes.logits(&snapshot(plain, step.domain)?, found.clone())?;
        let labels = said.argmax(1).squeeze_dim::<1>(1);
        let clean = logits_at(rows, network);
        let moved = logits_at(found, network);
        let helped = logits_at(helpers, network);
        let natural = mean_cross_entropy(clean.clone(), batch, step);
        let robust = divergence(clean, moved.clone()).mean();
        let help = cross_entropy(helped, labels, step.label_smoothing).mean();
        let loss = natural + robust * self.beta + help * self.gamma;
        Ok(LossOutput { loss, logits: Some(moved.inner()) }.into())
    }
}

/// The error of an objective that is asked without the companion it prepares.
pub(super) fn needs(objective: &str, what: &str) -> Error {
    Error::Objective {
        objective: objective.into(),
        reason: format!("it needs {what}: call `prepare` first and `loss_by` with what it gives"),
    }
}

impl TrainingDefense for HelperTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball().threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.ball().check(ENTRY.name, KlPgd::paper().norms())?;
        let check = Check(ENTRY.name);
        let far = self.helper_scale.is_finite() && self.helper_scale >= 1.0;
        check.holds(far, "helper_scale", "finite and at least 1", self.helper_scale)?;
        check.not_negative("beta", self.beta)?;
        check.not_negative("gamma", self.gamma)
    }
}
