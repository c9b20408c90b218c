//! Selective projected gradient descent.
//!
//! Bryniarski, Hingun, Pachuca, Wang, Carlini. *Evading Adversarial Example Detection Defenses with
//! Orthogonal Projected Gradient Descent.* ICLR 2022, §4.1. <https://arxiv.org/abs/2106.15023>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Norm, Objective, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::super::keep_solved;
use crate::losses::Selective;
use crate::table::{Entry, defaults, gradient};

/// Each step raises the one margin that is missing: that of misclassification while the row is
/// classified correctly, then that of not being detected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectivePgd {
    /// Gradient steps on each sample and restart.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Start at a uniform draw from the ball instead of at the clean row.
    pub random_start: bool,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
}

impl Default for SelectivePgd {
    /// The paper sets steps and lengths for each detector; these are moderate.
    fn default() -> Self {
        Self { steps: 100, step_size: 0.05, random_start: true, restarts: 1 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "selective-pgd",
    summary: "on a classifier and its detector: steps on the one that is not fooled yet",
    reference: "arXiv:2106.15023",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<SelectivePgd>,
    parse: gradient::<SelectivePgd>,
};

impl Algorithm for SelectivePgd {
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
        super::check(&ENTRY, (self.steps, self.step_size, self.restarts), setting)
    }
}

impl GradientAttack for SelectivePgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = if self.random_start { job.random_start() } else { job.clean() };
        for step in 1..=self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let at = job.gradient(rows.clone(), &Selective)?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
            let length = job.region().radius() * self.step_size;
            let next = job.region().ascend(rows.clone(), at.gradient, length);
            rows = keep_solved(next, rows, solved.as_ref());
            if let Some(solved) = solved
                && checkpoint
            {
                job.retire(solved, &mut rows, &mut [])?;
            }
        }
        Ok(rows)
    }
}
