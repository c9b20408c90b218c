//! KL-PGD: ascent on the divergence from the clean prediction.
//!
//! Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan. *Theoretically Principled Trade-off between
//! Robustness and Accuracy.* ICML 2019, algorithm 1, lines 5 to 8 (the inner maximisation of
//! TRADES). <https://arxiv.org/abs/1901.08573>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, Error, GradientAttack, GradientJob, Loss, Norm, Objective, Result, Setting,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::keep_solved;
use crate::losses::Divergence;
use crate::table::{Entry, defaults, gradient};

/// Projected ascent on `KL(softmax(f(x₀)) ‖ softmax(f(x)))`, from a point next to the clean row:
/// at the row itself the divergence has no slope.
///
/// It uses no label; one forward pass tells the clean logits. Its first direction follows the
/// random start, so that it may also climb away from the boundary: restarts try both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlPgd {
    /// Gradient steps on each sample and restart.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Standard deviation of the start around the clean row, in raw units.
    pub start_deviation: f64,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
}

impl KlPgd {
    /// The paper's on CIFAR-10: 10 steps of 0.007 in a ball of 0.031, from `x + 0.001 N(0, I)`.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 10, step_size: 0.007 / 0.031, start_deviation: 0.001, restarts: 1 }
    }
}

impl Default for KlPgd {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "kl-pgd",
    summary: "PGD on the divergence from the clean prediction (inner maximisation of TRADES)",
    reference: "arXiv:1901.08573",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<KlPgd>,
    parse: gradient::<KlPgd>,
};

impl Algorithm for KlPgd {
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
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.positive("start_deviation", self.start_deviation)?;
        if setting.targeted {
            return Err(Error::LossGoal { loss: Divergence.name(), goal: "targeted" });
        }
        Divergence.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for KlPgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        // The clean logits, and a gradient at least.
        if job.active() == 0 || job.queries_left().is_some_and(|left| left < 2) {
            return Ok(rows);
        }
        let mut reference = job.logits(rows.clone())?;
        let noise = job.draw(0, |rng, row| row.fill_with(|| rng.sample(StandardNormal)));
        rows = job.region().project(rows + noise * self.start_deviation);
        for step in 1..=self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let aim = job.aim().clone().with_reference(reference.clone());
            let at = job.gradient_towards(rows.clone(), &aim, &Divergence)?;
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
                job.retire(solved, &mut rows, &mut [&mut reference])?;
            }
        }
        Ok(rows)
    }
}
