//! `DeepFool`.
//!
//! Moosavi-Dezfooli, Fawzi, Frossard. *`DeepFool`: a simple and accurate method to fool deep neural
//! networks.* CVPR 2016, algorithm 2 and eq. 10–12. <https://arxiv.org/abs/1511.04599>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::boundary::Rivals;
use super::nearest::Nearest;
use crate::losses::RivalMargin;
use crate::table::{Entry, defaults, gradient};

/// Steps onto the nearest boundary of the linearised model until the real one is crossed.
///
/// The classes to leave for are ranked once, at the clean row, as in the authors' code. The step is
/// from the label, not from the prediction; with a target there is one boundary, between the target
/// and the largest other class. The row is `x₀ + (1 + overshoot) Σ r`, in the box, so the overshoot
/// enters once and not with each step. Gradients are taken at that row; where the box cuts a step
/// short, more steps follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepFool {
    /// Steps; the authors' code makes at most 50.
    pub steps: usize,
    /// Share by which the sum of the steps is overshot.
    pub overshoot: f64,
    /// Classes to look at, those with the largest logits; 0 for all. The authors' code takes 9
    /// (10 with the label), which hides farther classes.
    pub candidates: usize,
}

impl DeepFool {
    /// The paper's: overshoot 0.02, 50 steps, every class.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 50, overshoot: 0.02, candidates: 0 }
    }
}

impl Default for DeepFool {
    fn default() -> Self {
        Self::paper()
    }
}

/// The least step, in raw units: two logits that tie are at distance zero and have no winner yet.
pub(super) const LEAST_STEP: f64 = 1e-6;

pub(crate) const ENTRY: Entry = Entry {
    name: "deepfool",
    summary: "steps onto the nearest linearised boundary",
    reference: "arXiv:1511.04599",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<DeepFool>,
    parse: gradient::<DeepFool>,
};

impl Algorithm for DeepFool {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.share("overshoot", self.overshoot)?;
        RivalMargin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for DeepFool {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(rows);
        }
        let mut nearest = Nearest::none(job);
        let mut rivals = Rivals::at_clean(job, self.candidates)?;
        let mut sum = rows.zeros_like();
        for step in 1..=self.steps {
            let short = job.queries_left().is_some_and(|left| left < rivals.queries());
            if job.active() == 0 || short {
                break;
            }
            let at = rivals.nearest(job, &rows)?;
            nearest.offer(job.region(), rows.clone(), at.met);
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.normal.clone())?;
            }
            let open = nearest.found().bool_not().float();
            let length = at.distance.clamp_min(LEAST_STEP) * open;
            sum = sum + job.norm().steepest(at.normal) * length;
            let region = job.region();
            rows = region.clip(region.center() + sum.clone() * (1.0 + self.overshoot));
            if checkpoint {
                // A sample that crossed is done, near enough or not.
                let done = nearest.found().squeeze_dim(1);
                let mut state = vec![&mut rows, &mut sum];
                state.extend(rivals.classes.as_mut());
                nearest.leave(done, job, &mut state)?;
            }
        }
        if job.active() > 0 && job.queries_left() != Some(0) {
            let logits = job.logits(rows.clone())?;
            let met = job.aim().met(logits);
            let met = met.bool_and(nearest.found().bool_not().squeeze_dim(1));
            nearest.offer(job.region(), rows.clone(), met);
        }
        Ok(nearest.or(rows))
    }
}
