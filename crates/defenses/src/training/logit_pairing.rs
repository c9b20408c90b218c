//! Adversarial logit pairing: a sample and its adversarial twin get like logits.
//!
//! Kannan, Kurakin, Goodfellow. *Adversarial Logit Pairing.* 2018, §3.
//! <https://arxiv.org/abs/1803.06373>
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{Algorithm, Epsilon, Norm, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{adversarial_rows, logits_at, mean_cross_entropy, parameters};
use super::minimax::{Minimax, minimax};
use crate::table::{Entry, defaults, training};

/// Minimises `½ CE(f(x), y) + ½ CE(f(x̃), y) + λ · mean (f(x) − f(x̃))²`, the mean over samples and
/// classes, with `x̃` of PGD. Half of the loss is clean: the paper's mixed minibatches.
///
/// Its robustness at large radii did not stand closer looks (Engstrom, Ilyas, Athalye 2018,
/// <https://arxiv.org/abs/1807.10272>): measure it with a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogitPairing {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius, in units of the raw input.
    pub epsilon: Epsilon,
    /// Gradient steps of the inner attack.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Start at a uniform draw from the ball.
    pub random_start: bool,
    /// Weight λ of the pairing.
    pub lambda: f64,
    /// Epochs over which the radius rises linearly from 0; 0 starts at `epsilon`.
    pub warmup_epochs: u32,
    /// Epochs over which the number of inner steps rises from 1; 0 starts at `steps`.
    pub steps_warmup_epochs: u32,
}

impl Default for LogitPairing {
    /// λ 0.5, the weight of the paper's `ImageNet` model; the ball and steps of PGD training.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::EIGHT_255THS,
            steps: 7,
            step_size: 0.25,
            random_start: true,
            lambda: 0.5,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "logit-pairing",
    summary: "adversarial logit pairing (ALP) on half clean batches",
    reference: "arXiv:1803.06373",
    defaults: defaults::<LogitPairing>,
    parse: training::<LogitPairing>,
};

impl LogitPairing {
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

impl<M: Trainable> Minimax<M> for LogitPairing {
    fn find(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<Tensor<2>> {
        let ball = self.ball();
        let attack = Pgd {
            steps: ball.steps_at(step),
            step_size: self.step_size,
            random_start: self.random_start,
            ..Pgd::paper()
        };
        adversarial_rows(&attack, &ball.threat_at(step)?, network, batch, step)
    }

    fn loss_at(
        &self,
        found: Tensor<2>,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<LossOutput> {
        let clean = logits_at(batch.rows.clone(), network);
        let moved = logits_at(found, network);
        let both = mean_cross_entropy(clean.clone(), batch, step)
            + mean_cross_entropy(moved.clone(), batch, step);
        let pairing = (clean - moved.clone()).square().mean();
        Ok(LossOutput { loss: both * 0.5 + pairing * self.lambda, logits: Some(moved.inner()) })
    }
}

impl<M: Trainable> Objective<M> for LogitPairing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        minimax(self, network, batch, step)
    }
}

impl TrainingDefense for LogitPairing {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball().threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.ball().check(ENTRY.name, Pgd::paper().norms())?;
        Check(ENTRY.name).not_negative("lambda", self.lambda)
    }
}
