//! Adversarial training with projected gradient descent.
//!
//! Madry, Makelov, Schmidt, Tsipras, Vladu. *Towards Deep Learning Models Resistant to Adversarial
//! Attacks.* ICLR 2018, eq. (2.1). <https://arxiv.org/abs/1706.06083>
use duress_attacks::Pgd;
use duress_core::{Algorithm, Epsilon, Error, Norm, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::{TrainingDefense, inner};
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
}

impl<M: Trainable> Objective<M> for PgdTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let radius = self.epsilon.get() * inner::ramp(step, self.warmup_epochs);
        let threat = Threat::new(self.norm, radius)?;
        let rows = inner::adversarial_rows(&self.attack(), &threat, network, batch, step)?;
        Ok(inner::loss_at(rows, network, batch, step))
    }
}

impl TrainingDefense for PgdTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        Threat::new(self.norm, self.epsilon.get()).ok()
    }

    fn check(&self) -> duress_core::Result<()> {
        let (norm, attack) = (self.norm, self.attack());
        let norms = attack.norms();
        if !norms.contains(&norm) {
            let supported = norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::UnsupportedNorm { algorithm: ENTRY.name, norm, supported });
        }
        let expect = |holds, field, expected, got: String| {
            let algorithm = ENTRY.name;
            if holds { Ok(()) } else { Err(Error::Parameter { algorithm, field, expected, got }) }
        };
        let positive = self.step_size.is_finite() && self.step_size > 0.0;
        expect(self.steps >= 1, "steps", "at least 1", self.steps.to_string())?;
        expect(positive, "step_size", "positive", self.step_size.to_string())?;
        let share = (0.0..=1.0).contains(&self.momentum);
        expect(share, "momentum", "between 0 and 1", self.momentum.to_string())
    }
}
