//! MART: what the network gets wrong already counts more.
//!
//! Wang, Zou, Yi, Bailey, Ma, Gu. *Improving Adversarial Robustness Requires Revisiting
//! Misclassified Examples.* ICLR 2020, eq. (8) and (11). <https://openreview.net/forum?id=rklOg6EFwS>
use burn::prelude::*;
use duress_core::{Algorithm, Epsilon, Norm, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{adversarial_rows, logits_at, mean_cross_entropy, parameters};
use super::losses::{divergence, label_probability, rival_penalty};
use super::minimax::{Minimax, minimax};
use super::near_pgd::{NearPgd, START};
use crate::table::{Entry, defaults, training};

/// Minimises `BCE(f(x̃), y) + λ (1 − p_y(x)) KL(softmax f(x) ‖ softmax f(x̃))`, where `x̃` maximises
/// the cross-entropy of the network in evaluation mode from `x + 0.001 N(0, I)`, and
/// `BCE = −log p_y − log(1.0001 − max_{k≠y} p_k)`.
///
/// Label smoothing acts on `−log p_y`. The gradient runs through the weight `1 − p_y(x)` too, as
/// in the official code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mart {
    /// Norm of the ball: Linf or L2.
    pub norm: Norm,
    /// Its radius, in units of the raw input.
    pub epsilon: Epsilon,
    /// Gradient steps of the inner maximisation.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Weight λ of the divergence: 6 in the official loss, 5 in the paper's experiments.
    pub lambda: f64,
    /// Epochs over which the radius rises linearly from 0; 0 starts at `epsilon`.
    pub warmup_epochs: u32,
    /// Epochs over which the number of inner steps rises from 1; 0 starts at `steps`.
    pub steps_warmup_epochs: u32,
}

impl Default for Mart {
    /// The official loss: 10 steps of 0.007 in a ball of 0.031 (here 8/255), λ 6.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::EIGHT_255THS,
            steps: 10,
            step_size: 0.007 / 0.031,
            lambda: 6.0,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "mart",
    summary: "MART: boosted cross-entropy, divergence weighted by what is wrong already",
    reference: "Wang et al. 2020, openreview:rklOg6EFwS",
    defaults: defaults::<Mart>,
    parse: training::<Mart>,
};

impl Mart {
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

    fn attack(&self, steps: usize) -> NearPgd {
        NearPgd { steps, step_size: self.step_size, deviation: START }
    }
}

impl<M: Trainable> Minimax<M> for Mart {
    fn find(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<Tensor<2>> {
        let ball = self.ball();
        let attack = self.attack(ball.steps_at(step));
        adversarial_rows(&attack, &ball.threat_at(step)?, network, batch, step)
    }

    fn loss_at(
        &self,
        found: Tensor<2>,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<LossOutput> {
        let (clean, labels) = (logits_at(batch.rows.clone(), network), batch.targets());
        let moved = logits_at(found, network);
        let boosted = mean_cross_entropy(moved.clone(), batch, step)
            + rival_penalty(moved.clone(), labels.clone()).mean();
        let wrong = label_probability(clean.clone(), labels).neg() + 1.000_000_1;
        let robust = (divergence(clean, moved.clone()) * wrong).mean();
        Ok(LossOutput { loss: boosted + robust * self.lambda, logits: Some(moved.inner()) })
    }
}

impl<M: Trainable> Objective<M> for Mart {
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

impl TrainingDefense for Mart {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball().threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.ball().check(ENTRY.name, self.attack(1).norms())?;
        Check(ENTRY.name).not_negative("lambda", self.lambda)
    }
}
