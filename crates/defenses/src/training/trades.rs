//! TRADES: clean cross-entropy plus the divergence that an adversary can cause.
//!
//! Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan. *Theoretically Principled Trade-off between
//! Robustness and Accuracy.* ICML 2019, eq. (5) and algorithm 1.
//! <https://arxiv.org/abs/1901.08573>
use burn::prelude::*;
use duress_attacks::KlPgd;
use duress_core::{Algorithm, Epsilon, Norm, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{adversarial_rows, logits_at, mean_cross_entropy, parameters};
use super::losses::divergence;
use super::minimax::{Minimax, minimax};
use super::near_pgd::START;
use crate::table::{Entry, defaults, training};

/// Minimises `CE(f(x), y) + β KL(softmax f(x) ‖ softmax f(x̃))`, where `x̃` maximises the same
/// divergence for the network in evaluation mode, from `x + 0.001 N(0, I)`.
///
/// The two clean passes of the loss are one; clean and perturbed rows pass the network in training
/// mode one after the other, as in the official code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trades {
    /// Norm of the ball: Linf or L2.
    pub norm: Norm,
    /// Its radius, in units of the raw input.
    pub epsilon: Epsilon,
    /// Gradient steps of the inner maximisation.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Weight β of the divergence.
    pub beta: f64,
    /// Epochs over which the radius rises linearly from 0; 0 starts at `epsilon`.
    pub warmup_epochs: u32,
    /// Epochs over which the number of inner steps rises from 1; 0 starts at `steps`.
    pub steps_warmup_epochs: u32,
}

impl Default for Trades {
    /// The paper's recipe for CIFAR-10: 10 steps of 0.007 in a ball of 0.031 (here 8/255), β 6.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::EIGHT_255THS,
            steps: 10,
            step_size: 0.007 / 0.031,
            beta: 6.0,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "trades",
    summary: "TRADES: clean cross-entropy plus β times the divergence under attack",
    reference: "arXiv:1901.08573",
    defaults: defaults::<Trades>,
    parse: training::<Trades>,
};

impl Trades {
    pub(super) fn ball(&self) -> Ball {
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

/// Rows that maximise the divergence from the clean prediction, `[B, F]`.
pub(super) fn most_divergent<M: Trainable>(
    ball: Ball,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<Tensor<2>> {
    let attack = KlPgd {
        steps: ball.steps_at(step),
        step_size: ball.step_size,
        start_deviation: START,
        restarts: 1,
    };
    adversarial_rows(&attack, &ball.threat_at(step)?, network, batch, step)
}

impl<M: Trainable> Minimax<M> for Trades {
    fn find(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<Tensor<2>> {
        most_divergent(self.ball(), network, batch, step)
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
        let natural = mean_cross_entropy(clean.clone(), batch, step);
        let robust = divergence(clean, moved.clone()).mean();
        Ok(LossOutput { loss: natural + robust * self.beta, logits: Some(moved.inner()) })
    }
}

impl<M: Trainable> Objective<M> for Trades {
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

impl TrainingDefense for Trades {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball().threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.ball().check(ENTRY.name, KlPgd::paper().norms())?;
        Check(ENTRY.name).not_negative("beta", self.beta)
    }
}
