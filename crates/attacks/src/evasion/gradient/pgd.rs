//! Projected gradient descent, with momentum as an option.
//!
//! Madry, Makelov, Schmidt, Tsipras, Vladu. *Towards Deep Learning Models Resistant to Adversarial
//! Attacks.* ICLR 2018, §2.1. <https://arxiv.org/abs/1706.06083>
//!
//! Momentum: Dong, Liao, Pang, Su, Zhu, Hu, Li. *Boosting Adversarial Attacks with Momentum.*
//! CVPR 2018, algorithm 1 (MI-FGSM). <https://arxiv.org/abs/1710.06081>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Objective, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::{keep_solved, momentum, sparse};
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Projected ascent on a loss, from a random point of the ball.
///
/// `x ← Π(x + α ε d)`, where `d` is the steepest direction of the norm (in L1 the sparse direction
/// of Tramèr and Boneh) and `Π` the exact Euclidean projection onto ball and box. A sample that
/// meets its goal stops there, unless the job is to maximise the loss.
///
/// ```
/// # use duress_attacks::Pgd;
/// let weak = Pgd { steps: 7, step_size: 0.25, ..Pgd::paper() };
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pgd {
    /// Gradient steps on each sample and restart.
    pub steps: usize,
    /// Length α of a step, as a fraction of the radius ε.
    pub step_size: f64,
    /// Start at a uniform draw from the ball instead of at the clean row.
    pub random_start: bool,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
    /// Decay μ of the accumulated gradient; 0 is plain descent, 1 is the paper's MI-FGSM.
    pub momentum: f64,
    /// What the steps increase.
    pub loss: LossKind,
    /// In L1, the share of gradient components that a step ignores.
    pub l1_quantile: f64,
}

impl Pgd {
    /// Madry et al. on MNIST: 40 steps of ε/30 (0.01 at ε = 0.3), random start, cross-entropy.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 40,
            step_size: 1.0 / 30.0,
            random_start: true,
            restarts: 1,
            momentum: 0.0,
            loss: LossKind::CrossEntropy,
            l1_quantile: 0.99,
        }
    }

    /// Dong et al.: 10 steps of ε/10 from the clean row with μ = 1.
    #[must_use]
    pub fn momentum_paper() -> Self {
        Self { steps: 10, step_size: 0.1, random_start: false, momentum: 1.0, ..Self::paper() }
    }
}

impl Default for Pgd {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "pgd",
    summary: "projected gradient descent, optional momentum (MI-FGSM)",
    reference: "arXiv:1706.06083, arXiv:1710.06081",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Pgd>,
    parse: gradient::<Pgd>,
};

impl Algorithm for Pgd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &'static [Norm] {
        ENTRY.norms
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.share("momentum", self.momentum)?;
        ENTRY.share("l1_quantile", self.l1_quantile)?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Pgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = if self.random_start { job.random_start() } else { job.clean() };
        let mut velocity = rows.zeros_like();
        for step in 1..=self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let at = job.gradient(rows.clone(), &self.loss)?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let gradient = if self.momentum > 0.0 {
                velocity = momentum::accumulate(velocity, at.gradient, self.momentum);
                velocity.clone()
            } else {
                at.gradient
            };
            let solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
            let length = job.region().radius() * self.step_size;
            let next = if job.norm() == Norm::L1 {
                let step = sparse::direction(gradient, &rows, job.region(), self.l1_quantile);
                job.region().project(rows.clone() + step * length)
            } else {
                job.region().ascend(rows.clone(), gradient, length)
            };
            rows = keep_solved(next, rows, solved.as_ref());
            if let Some(solved) = solved
                && checkpoint
            {
                job.retire(solved, &mut rows, &mut [&mut velocity])?;
            }
        }
        Ok(rows)
    }
}
