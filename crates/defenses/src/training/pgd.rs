//! Adversarial training with projected gradient descent.
//!
//! Madry, Makelov, Schmidt, Tsipras, Vladu. *Towards Deep Learning Models Resistant to Adversarial
//! Attacks.* ICLR 2018, eq. (2.1). <https://arxiv.org/abs/1706.06083>
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{Algorithm, Epsilon, Norm, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{adversarial_rows, loss_at, parameters};
use super::minimax::{Minimax, minimax};
use crate::table::{Entry, defaults, training};

/// Minimises the cross-entropy at the worst point that a few steps of PGD find:
/// `min_θ E max_{‖δ‖≤ε} L(θ, x + δ, y)`.
///
/// With `momentum` the inner attack accumulates its gradient as MI-FGSM does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PgdTraining {
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
    /// Decay of the inner attack's accumulated gradient; 0 is plain PGD.
    pub momentum: f64,
    /// Epochs over which the radius rises linearly from 0 to `epsilon`; 0, as in the paper, starts
    /// at `epsilon`. At large radii a network may otherwise never leave the constant answer.
    pub warmup_epochs: u32,
    /// Epochs over which the number of inner steps rises from 1; 0, as in the paper, starts at
    /// `steps`. A weak adversary first is the curriculum of Cai, Du, Liu, Song, IJCAI 2018.
    pub steps_warmup_epochs: u32,
}

impl Default for PgdTraining {
    /// The paper's recipe for CIFAR-10: 7 steps of 2/255 at 8/255.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::EIGHT_255THS,
            steps: 7,
            step_size: 0.25,
            random_start: true,
            momentum: 0.0,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "pgd-training",
    summary: "adversarial training with PGD, optional momentum",
    reference: "arXiv:1706.06083",
    defaults: defaults::<PgdTraining>,
    parse: training::<PgdTraining>,
};

impl PgdTraining {
    /// The inner attack.
    #[must_use]
    pub fn attack(&self) -> Pgd {
        Pgd {
            steps: self.steps,
            step_size: self.step_size,
            random_start: self.random_start,
            momentum: self.momentum,
            ..Pgd::paper()
        }
    }

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

impl<M: Trainable> Minimax<M> for PgdTraining {
    fn find(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<Tensor<2>> {
        let ball = self.ball();
        let attack = Pgd { steps: ball.steps_at(step), ..self.attack() };
        adversarial_rows(&attack, &ball.threat_at(step)?, network, batch, step)
    }

    fn loss_at(
        &self,
        found: Tensor<2>,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<LossOutput> {
        Ok(loss_at(found, network, batch, step))
    }
}

impl<M: Trainable> Objective<M> for PgdTraining {
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

impl TrainingDefense for PgdTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball().threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.ball().check(ENTRY.name, self.attack().norms())?;
        Check(ENTRY.name).share("momentum", self.momentum)
    }
}
