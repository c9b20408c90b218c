//! Auto-PGD towards one class after the other, on the targeted DLR loss.
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, Error, GradientAttack, GradientJob, Loss, Norm, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::ascent::Ascent;
use crate::losses::TargetedDlr;
use crate::table::{Entry, defaults, gradient};

/// APGD-T: runs of Auto-PGD towards the classes that the clean row ranks second, third and so on.
/// Any misclassification is a success.
///
/// A model with fewer classes has fewer targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApgdT {
    /// Iterations of each run; the start costs one gradient more. The paper's: 100.
    pub steps: usize,
    /// Target classes of each sample. The paper's: 9.
    pub targets: u32,
    /// Runs towards each target.
    pub restarts: u32,
    /// Share ρ of the iterations between two checkpoints that must raise the loss.
    pub rho: f64,
    /// As [`super::Apgd::l1_shrinking_ball`].
    pub l1_shrinking_ball: bool,
}

impl ApgdT {
    /// 100 iterations towards each of 9 targets, ρ = 0.75.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 100, targets: 9, restarts: 1, rho: 0.75, l1_shrinking_ball: true }
    }
}

impl Default for ApgdT {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "apgd-t",
    summary: "Auto-PGD on the targeted DLR loss, target by target",
    reference: "arXiv:2003.01690",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<ApgdT>,
    parse: gradient::<ApgdT>,
};

impl Algorithm for ApgdT {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn restarts(&self) -> u32 {
        self.restarts * self.targets
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("targets", u64::from(self.targets))?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        ENTRY.share("rho", self.rho)?;
        if setting.targeted {
            return Err(Error::LossGoal { loss: TargetedDlr.name(), goal: "targeted" });
        }
        TargetedDlr.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for ApgdT {
    /// One target a restart; the ranks cost a query.
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let rank = (job.restart() / self.restarts.max(1)) as usize + 1;
        let clean = job.clean();
        if rank >= job.classes() || job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(clean);
        }
        let order = job.logits(clean)?.argsort_descending(1);
        let rivals = order.narrow(1, rank, 1).squeeze_dim(1);
        let (steps, rho, shrinking_ball) = (self.steps, self.rho, self.l1_shrinking_ball);
        Ascent { steps, rho, loss: &TargetedDlr, shrinking_ball }.run(job, Some(rivals))
    }
}
