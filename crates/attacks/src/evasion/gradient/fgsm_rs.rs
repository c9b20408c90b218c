//! FGSM-RS: one gradient step from a random point of the ball.
//!
//! Wong, Rice, Kolter. *Fast is better than free: Revisiting adversarial training.* ICLR 2020,
//! algorithm 3. <https://arxiv.org/abs/2001.03994>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Objective, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::keep_solved;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// `Π(x + δ + α sgn(∇ loss(x + δ)))` with `δ` uniform in the ball: one gradient.
///
/// A step longer than the radius makes up for what the start goes the wrong way; much longer ones
/// let adversarial training collapse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FgsmRs {
    /// Length α of the step, as a fraction of the radius ε.
    pub step_size: f64,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
    /// What the step increases.
    pub loss: LossKind,
}

impl FgsmRs {
    /// The paper's: α = 1.25 ε (10/255 at 8/255), one attempt, cross-entropy.
    #[must_use]
    pub fn paper() -> Self {
        Self { step_size: 1.25, restarts: 1, loss: LossKind::CrossEntropy }
    }
}

impl Default for FgsmRs {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fgsm-rs",
    summary: "FGSM from a random start",
    reference: "arXiv:2001.03994",
    norms: &[Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<FgsmRs>,
    parse: gradient::<FgsmRs>,
};

impl Algorithm for FgsmRs {
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
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for FgsmRs {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(job.clean());
        }
        let start = job.random_start();
        let at = job.gradient(start.clone(), &self.loss)?;
        if job.checkpoint(1)? {
            job.ensure_finite(at.gradient.clone())?;
        }
        let solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
        let length = job.region().radius() * self.step_size;
        let next = job.region().ascend(start.clone(), at.gradient, length);
        Ok(keep_solved(next, start, solved.as_ref()))
    }
}
