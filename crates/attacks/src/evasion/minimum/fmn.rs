//! Fast minimum-norm attack.
//!
//! Pintor, Roli, Brendel, Biggio. *Fast Minimum-norm Adversarial Attacks through Adaptive Norm
//! Constraints.* Advances in Neural Information Processing Systems 34, 2021, algorithm 1.
//! <https://arxiv.org/abs/2102.12827>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::nearest::Nearest;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Gradient steps inside a ball whose radius shrinks by `1 − γ` while the point is adversarial and
/// grows by `1 + γ` while it is not; until a first adversarial point is found, the radius is an
/// estimate of the distance to the boundary, `‖δ‖ + |loss| / ‖∇loss‖*`.
///
/// The projection is the Euclidean one onto ball and box: a point inside the ball stays where it
/// is. (Two known implementations of the L2 variant either never shrink `δ` or always rescale it.)
/// Of several points of one L0 distance the first is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fmn {
    /// Gradient steps K; the paper reports up to 1000, and 100 as the fast setting.
    pub steps: usize,
    /// Length α₀ of the first step along the gradient's L2 direction, in raw units.
    pub step_size: f64,
    /// Length of the last step; between them it falls along a cosine.
    pub last_step_size: f64,
    /// Factor γ₀ by which the radius changes at first. In L0 the radius changes by one at least.
    pub gamma: f64,
    /// Factor at the last step; between them it falls along a cosine.
    pub last_gamma: f64,
    /// What the steps increase, zero at the boundary.
    pub loss: LossKind,
}

impl Fmn {
    /// The paper's: 1000 steps, α from 1 to 0.01, γ from 0.05 to 0.001, the margin of the logits.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 1000,
            step_size: 1.0,
            last_step_size: 0.01,
            gamma: 0.05,
            last_gamma: 0.001,
            loss: LossKind::Margin,
        }
    }
}

impl Default for Fmn {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fmn",
    summary: "fast minimum-norm attack",
    reference: "arXiv:2102.12827",
    norms: &[Norm::L0, Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Fmn>,
    parse: gradient::<Fmn>,
};

impl Algorithm for Fmn {
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
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.positive("last_step_size", self.last_step_size)?;
        ENTRY.share("gamma", self.gamma)?;
        ENTRY.share("last_gamma", self.last_gamma)?;
        let signed = self.loss != LossKind::CrossEntropy;
        ENTRY.expect(signed, "loss", "zero at the boundary", self.loss.name())?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Fmn {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        let mut nearest = Nearest::none(job);
        // In L0 there is no estimate: the radius starts at one feature.
        let mut radius = nearest.distance.ones_like();
        for step in 0..self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let at = job.gradient(rows.clone(), &self.loss)?;
            let met = job.aim().met(at.logits);
            nearest.offer(job.region(), rows.clone(), met.clone());
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let region = job.region();
            let movable = region.upper().greater(region.lower()).float();
            let gradient = at.gradient * movable;
            let gamma = self.falling(step, self.gamma, self.last_gamma);
            radius = if job.norm() == Norm::L0 {
                count_of_features(&nearest, radius, met.unsqueeze_dim(1), gamma)
            } else {
                let length = job.norm().of(rows.clone() - region.center());
                let dual = job.norm().dual().unwrap_or(Norm::L2).of(gradient.clone());
                let ahead = at.loss.unsqueeze_dim(1).abs() / dual.clamp_min(TINY);
                let known = nearest.found();
                let outside = (radius.clone() * (1.0 + gamma))
                    .mask_where(known.bool_not(), (length + ahead) * BEYOND);
                let inside = (radius * (1.0 - gamma)).min_pair(nearest.distance.clone());
                outside.mask_where(met.unsqueeze_dim(1), inside)
            };
            radius = radius.min_pair(region.radius());
            let length = self.falling(step, self.step_size, self.last_step_size);
            let ahead = rows + Norm::L2.steepest(gradient) * length;
            rows = region.with_radius(radius.clone()).project(ahead);
            if checkpoint {
                nearest.retire(job, &mut [&mut rows, &mut radius])?;
            }
        }
        if job.active() > 0 && job.queries_left() != Some(0) {
            let logits = job.logits(rows.clone())?;
            let met = job.aim().met(logits);
            nearest.offer(job.region(), rows.clone(), met);
        }
        Ok(nearest.or(rows))
    }
}

/// Keeps a division by the length of a gradient finite.
const TINY: f64 = 1e-12;

/// Carries the estimate of the distance past the boundary: a point on it has not crossed it, and a
/// projection ends a little inside its ball.
const BEYOND: f64 = 1.0001;

/// The next L0 radius `[N, 1]`: whole, and another one each time.
fn count_of_features(
    nearest: &Nearest,
    radius: Tensor<2>,
    met: Tensor<2, Bool>,
    gamma: f64,
) -> Tensor<2> {
    let fewer = (radius.clone() - 1.0)
        .min_pair((radius.clone() * (1.0 - gamma)).floor())
        .min_pair(nearest.distance.clone());
    let more = (radius.clone() + 1.0).max_pair((radius * (1.0 + gamma)).floor());
    more.mask_where(met, fewer).clamp_min(1.0)
}

impl Fmn {
    /// From `first` to `last` along a cosine.
    fn falling(&self, step: usize, first: f64, last: f64) -> f64 {
        let along = step as f64 / self.steps as f64 * std::f64::consts::PI;
        last + (first - last) * (1.0 + along.cos()) / 2.0
    }
}
