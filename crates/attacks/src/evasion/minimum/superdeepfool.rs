//! `SuperDeepFool`.
//!
//! Abdolahpourrostam, Abroshan, Moosavi-Dezfooli. *`SuperDeepFool`: a new fast and accurate minimal
//! adversarial attack.* `NeurIPS` 2024, algorithms 1 and 2. <https://arxiv.org/abs/2303.12481>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::boundary::Rivals;
use super::deepfool::LEAST_STEP;
use super::nearest::Nearest;
use crate::losses::RivalMargin;
use crate::table::{Entry, defaults, gradient};

/// `DeepFool` steps, then projections of the displacement on the normal of the boundary, until a
/// projected point meets the goal: SDF(m, n). At the nearest point the displacement is parallel to
/// the normal, which `DeepFool` alone does not seek. Of all points that meet the goal the nearest
/// is kept, those before their projection included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuperDeepFool {
    /// Points at which gradients are taken, at most: where the box bends the way, projected points
    /// may keep falling short. The authors' code bounds the rounds by 100.
    pub steps: usize,
    /// `DeepFool` steps of a round (m); 0 for as many as it takes to cross the boundary.
    pub crossing_steps: usize,
    /// Projections of a round (n).
    pub projections: usize,
    /// Share by which the steps of a round are overshot.
    pub overshoot: f64,
    /// Classes to look at, those with the largest logits at the clean row; 0 for all.
    pub candidates: usize,
    /// Halvings of the last search, between the clean row and the point found; 0 for none.
    pub search_steps: usize,
}

impl SuperDeepFool {
    /// SDF(∞, 1), the paper's strongest: overshoot 0.02, 10 halvings at the end as in the authors'
    /// code.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 100,
            crossing_steps: 0,
            projections: 1,
            overshoot: 0.02,
            candidates: 0,
            search_steps: 10,
        }
    }
}

impl Default for SuperDeepFool {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "superdeepfool",
    summary: "DeepFool with projections on the boundary's normal",
    reference: "arXiv:2303.12481",
    norms: &[Norm::L2],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<SuperDeepFool>,
    parse: gradient::<SuperDeepFool>,
};

impl Algorithm for SuperDeepFool {
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
        ENTRY.at_least_one("projections", self.projections as u64)?;
        ENTRY.share("overshoot", self.overshoot)?;
        RivalMargin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for SuperDeepFool {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(job.clean());
        }
        let (whole, restart, enough) = (job.region().radius(), job.restart(), job.enough());
        // Samples that end a round on the far side leave, and come back for the last search.
        let rows = job.within(whole, restart, |inner| self.rounds(inner, enough))?;
        self.search(job, rows)
    }
}

impl SuperDeepFool {
    /// The rounds of crossing and projecting.
    fn rounds(&self, job: &mut GradientJob<'_>, enough: Tensor<2>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        let mut nearest = Nearest::none(job).within(enough);
        let mut rivals = Rivals::at_clean(job, self.candidates)?;
        // Where the round's steps start, and their sum.
        let (mut base, mut sum) = (rows.clone(), rows.zeros_like());
        let mut crossed = nearest.distance.zeros_like();
        let (mut projected, mut done) = (crossed.clone(), crossed.clone());
        let most = if self.crossing_steps == 0 { usize::MAX } else { self.crossing_steps };
        for step in 1..=self.steps {
            let short = job.queries_left().is_some_and(|left| left < rivals.queries());
            if job.active() == 0 || short {
                break;
            }
            let at = rivals.nearest(job, &rows)?;
            let met = at.met.unsqueeze_dim::<2>(1);
            let open = done.clone().equal_elem(0.0);
            let counts = met.clone().bool_and(open);
            nearest.offer(job.region(), rows.clone(), counts.squeeze_dim(1));
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.normal.clone())?;
            }

            let wide = rows.dims();
            let ended = projected.clone().greater_equal_elem(self.projections as f32);
            let crossing = projected.clone().equal_elem(0.0);
            done = done.mask_fill(ended.clone().bool_and(met.clone()), 1.0);
            let enough_steps = crossed.clone().greater_equal_elem(most as f32);
            let project = crossing
                .bool_and(met.bool_or(enough_steps))
                .bool_or(projected.clone().greater_elem(0.0).bool_and(ended.clone().bool_not()));
            let projection = project_on(job, &rows, at.normal.clone());

            // A round that ended short of the boundary: the next starts where it ended.
            let anew = ended.clone().expand(wide);
            base = base.mask_where(anew.clone(), rows);
            sum = sum.mask_fill(anew, 0.0)
                + Norm::L2.steepest(at.normal) * at.distance.clamp_min(LEAST_STEP);
            let ahead = job.region().clip(base.clone() + sum.clone() * (1.0 + self.overshoot));
            crossed = crossed.mask_fill(ended.clone(), 0.0) + 1.0;
            crossed = crossed.mask_fill(project.clone(), 0.0);
            projected = projected.mask_fill(ended, 0.0) + project.clone().float();
            rows = ahead.mask_where(project.expand(wide), projection);
            if checkpoint {
                let leave = done.clone().greater_elem(0.0).squeeze_dim(1);
                let leave = leave.bool_or(nearest.solved());
                let mut state =
                    vec![&mut rows, &mut base, &mut sum, &mut crossed, &mut projected, &mut done];
                state.extend(rivals.classes.as_mut());
                nearest.leave(leave, job, &mut state)?;
            }
        }
        Ok(nearest.or(rows))
    }

    /// The last search: the nearest point on the line from the clean row that meets the goal.
    fn search(&self, job: &mut GradientJob<'_>, rows: Tensor<2>) -> Result<Tensor<2>> {
        let mut nearest = Nearest::none(job);
        let delta = rows.clone() - job.clean();
        let mut high = nearest.distance.ones_like();
        let mut low = high.zeros_like();
        let mut share = high.clone();
        for step in 0..=self.search_steps {
            if job.queries_left() == Some(0) {
                break;
            }
            let point = if step == 0 {
                rows.clone()
            } else {
                job.region().clip(job.clean() + delta.clone() * share.clone())
            };
            let logits = job.logits(point.clone())?;
            let met = job.aim().met(logits);
            nearest.offer(job.region(), point, met.clone());
            let met = met.unsqueeze_dim::<2>(1);
            high = high.mask_where(met.clone(), share.clone());
            low = share.mask_where(met, low);
            share = (low.clone() + high.clone()) * 0.5;
        }
        Ok(nearest.or(rows))
    }
}

/// `x₀ + ⟨x − x₀, w⟩ w/‖w‖²`, in the box.
fn project_on(job: &GradientJob<'_>, rows: &Tensor<2>, normal: Tensor<2>) -> Tensor<2> {
    let unit = Norm::L2.steepest(normal);
    let along = ((rows.clone() - job.clean()) * unit.clone()).sum_dim(1);
    job.region().clip(job.clean() + unit * along)
}
