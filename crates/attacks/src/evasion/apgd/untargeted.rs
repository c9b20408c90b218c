//! Auto-PGD on one loss.
use burn::prelude::*;
use duress_core::{Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Result, Setting};
use serde::{Deserialize, Serialize};

use super::ascent::Ascent;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Projected ascent whose step starts at twice the radius and halves where it no longer pays.
///
/// A sample leaves at its first point that meets the goal; one that survives ends with the point
/// of its largest loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Apgd {
    /// Iterations; the start costs one gradient more. The paper's: 100.
    pub steps: usize,
    /// Attempts on each sample, each from a random start of its own.
    pub restarts: u32,
    /// What the steps increase.
    pub loss: LossKind,
    /// Share ρ of the iterations between two checkpoints that must raise the loss.
    pub rho: f64,
    /// In L1, spend 30 % of the iterations in a ball of three times the radius and 30 % in one of
    /// twice the radius before the rest.
    pub l1_shrinking_ball: bool,
}

impl Apgd {
    /// 100 iterations on the cross-entropy, one start, ρ = 0.75.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 100,
            restarts: 1,
            loss: LossKind::CrossEntropy,
            rho: 0.75,
            l1_shrinking_ball: true,
        }
    }
}

impl Default for Apgd {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "apgd",
    summary: "Auto-PGD: projected gradient descent that sets its own step size",
    reference: "arXiv:2003.01690, arXiv:2103.01208",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Apgd>,
    parse: gradient::<Apgd>,
};

impl Algorithm for Apgd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        ENTRY.share("rho", self.rho)?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Apgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let (steps, rho, shrinking_ball) = (self.steps, self.rho, self.l1_shrinking_ball);
        Ascent { steps, rho, loss: &self.loss, shrinking_ball }.run(job, None)
    }
}
