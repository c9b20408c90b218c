//! Adversarial training with one step from a random start.
//!
//! Wong, Rice, Kolter. *Fast is better than free: Revisiting adversarial training.* ICLR 2020,
//! algorithm 3. <https://arxiv.org/abs/2001.03994>
use duress_attacks::Pgd;
use duress_core::{Epsilon, Norm, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::{CollapseCheck, TrainingDefense, inner};
use crate::table::{Entry, defaults, training};

/// Minimises the cross-entropy after one FGSM step of `step_size · ε` from a uniform draw of the
/// Linf ball.
///
/// The method can collapse within an epoch: the network learns to defeat the single step and loses
/// all robustness to PGD. The paper's check is part of it: robust accuracy on a slice of the
/// training data is measured after each epoch, and a fall by more than `collapse` stops the
/// training (see [`super::RobustnessWatch`]). So does a network that is right at the single step's
/// points and wrong under PGD from the beginning: more than `mismatch` between the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FgsmTraining {
    /// Radius of the Linf ball, in units of the raw input.
    pub epsilon: Epsilon,
    /// Length of the step, as a fraction of the radius.
    pub step_size: f64,
    /// Start at a uniform draw from the ball. Without it the method is known to collapse.
    pub random_start: bool,
    /// Epochs over which the radius rises linearly from 0; 0, as in the paper, starts at `epsilon`.
    pub warmup_epochs: u32,
    /// Largest fall of robust accuracy from one epoch to the next that does not stop the training.
    pub collapse: f64,
    /// Largest distance of the accuracy at the points trained on from the robust accuracy that does
    /// not stop the training, once the radius is the full one.
    pub mismatch: f64,
}

impl Default for FgsmTraining {
    fn default() -> Self {
        Self {
            epsilon: Epsilon::EIGHT_255THS,
            step_size: 1.25,
            random_start: true,
            warmup_epochs: 0,
            collapse: 0.2,
            mismatch: 0.3,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fgsm-training",
    summary: "fast adversarial training: FGSM from a random start, with a collapse check",
    reference: "arXiv:2001.03994",
    defaults: defaults::<FgsmTraining>,
    parse: training::<FgsmTraining>,
};

impl FgsmTraining {
    /// The inner attack.
    #[must_use]
    pub fn attack(&self) -> Pgd {
        Pgd { steps: 1, step_size: self.step_size, random_start: self.random_start, ..Pgd::paper() }
    }
}

impl<M: Trainable> Objective<M> for FgsmTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let attack = self.attack();
        let radius = self.epsilon.get() * inner::ramp(step, self.warmup_epochs);
        let threat = Threat::new(Norm::Linf, radius)?;
        let rows = inner::adversarial_rows(&attack, &threat, network, batch, step)?;
        Ok(inner::loss_at(rows, network, batch, step))
    }
}

impl TrainingDefense for FgsmTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        Threat::new(Norm::Linf, self.epsilon.get()).ok()
    }

    fn collapse(&self) -> Option<CollapseCheck> {
        let (fall, mismatch, full_radius) = (self.collapse, self.mismatch, self.warmup_epochs);
        Some(CollapseCheck { fall, mismatch, full_radius })
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.positive("step_size", self.step_size)?;
        check.share("collapse", self.collapse)?;
        check.share("mismatch", self.mismatch)
    }
}
