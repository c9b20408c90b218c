//! R+FGSM: a random step before the gradient step.
//!
//! Tramèr, Kurakin, Papernot, Goodfellow, Boneh, `McDaniel`. *Ensemble Adversarial Training: Attacks
//! and Defenses.* ICLR 2018, §4.1 (RAND+FGSM). <https://arxiv.org/abs/1705.07204>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Objective, Result, Setting,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::keep_solved;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// `x' = x + α sgn(N(0, I))`, then `x' + (ε − α) sgn(∇ loss(x'))`: two steps, one gradient.
///
/// Both points are brought into the box; a single gradient step, as in the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RFgsm {
    /// Length α of the random step, as a fraction of the radius ε.
    pub random_step: f64,
    /// Attempts on each sample, each with a random step of its own.
    pub restarts: u32,
    /// What the gradient step increases.
    pub loss: LossKind,
}

impl RFgsm {
    /// The paper's: α = ε/2, one attempt, cross-entropy.
    #[must_use]
    pub fn paper() -> Self {
        Self { random_step: 0.5, restarts: 1, loss: LossKind::CrossEntropy }
    }
}

impl Default for RFgsm {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "r-fgsm",
    summary: "FGSM after a random sign step",
    reference: "arXiv:1705.07204",
    norms: &[Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<RFgsm>,
    parse: gradient::<RFgsm>,
};

impl Algorithm for RFgsm {
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
        ENTRY.share("random_step", self.random_step)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for RFgsm {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let clean = job.clean();
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(clean);
        }
        let radius = job.region().radius();
        // The sign of a normal draw is a fair coin.
        let signs = job.draw(0, |rng, row| {
            row.fill_with(|| if rng.random() { 1.0 } else { -1.0 });
        });
        let start = job.region().project(clean + signs * (radius.clone() * self.random_step));
        let at = job.gradient(start.clone(), &self.loss)?;
        if job.checkpoint(1)? {
            job.ensure_finite(at.gradient.clone())?;
        }
        let solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
        let length = radius * (1.0 - self.random_step);
        let next = job.region().ascend(start.clone(), at.gradient, length);
        Ok(keep_solved(next, start, solved.as_ref()))
    }
}
