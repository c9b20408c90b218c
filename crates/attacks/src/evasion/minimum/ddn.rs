//! Decoupled direction and norm.
//!
//! Rony, Hafemann, Oliveira, Ben Ayed, Sabourin, Granger. *Decoupling Direction and Norm for
//! Efficient Gradient-Based L2 Adversarial Attacks and Defenses.* CVPR 2019, algorithm 1.
//! <https://arxiv.org/abs/1811.09600>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Region, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::nearest::Nearest;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// A gradient step of fixed length, then a rescaling onto a sphere whose radius shrinks by `1 − γ`
/// while the point is adversarial and grows by `1 + γ` while it is not.
///
/// A sample without an adversarial point ends with its last iterate, never silently with the clean
/// row. Rescaling is onto the sphere in both directions, as the paper has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ddn {
    /// Gradient steps; the paper reports 100, 300 and 1000.
    pub steps: usize,
    /// Factor γ by which the radius changes.
    pub gamma: f64,
    /// First radius, in raw units.
    pub initial_norm: f64,
    /// Length of the first step; it falls to 0.01 along a cosine.
    pub step_size: f64,
    /// Levels that the box is quantised to at each step (256 for 8-bit images); 0 for none.
    pub levels: u32,
    /// What the steps increase.
    pub loss: LossKind,
}

impl Ddn {
    /// The paper's: 100 steps, γ = 0.05, first radius 1, 256 levels.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 100,
            gamma: 0.05,
            initial_norm: 1.0,
            step_size: 1.0,
            levels: 256,
            loss: LossKind::CrossEntropy,
        }
    }
}

impl Default for Ddn {
    fn default() -> Self {
        Self::paper()
    }
}

/// Length of the last step.
const LAST_STEP: f64 = 0.01;

pub(crate) const ENTRY: Entry = Entry {
    name: "ddn",
    summary: "decoupled direction and norm",
    reference: "arXiv:1811.09600",
    norms: &[Norm::L2],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Ddn>,
    parse: gradient::<Ddn>,
};

impl Algorithm for Ddn {
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
        ENTRY.share("gamma", self.gamma)?;
        ENTRY.positive("gamma", self.gamma)?;
        ENTRY.positive("initial_norm", self.initial_norm)?;
        ENTRY.positive("step_size", self.step_size)?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Ddn {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        let mut nearest = Nearest::none(job);
        let mut sphere = nearest.distance.ones_like() * self.initial_norm;
        for step in 0..self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let at = job.gradient(rows.clone(), &self.loss)?;
            let met = job.aim().met(at.logits);
            nearest.offer(job.region(), rows.clone(), met.clone());
            if job.checkpoint(step)? {
                job.ensure_finite(at.gradient.clone())?;
            }
            let factor =
                met.float().unsqueeze_dim::<2>(1) * (-2.0 * self.gamma) + (1.0 + self.gamma);
            sphere = sphere * factor;
            let ahead = rows.clone() + Norm::L2.steepest(at.gradient) * self.length(step);
            rows = self.onto_sphere(job.region(), ahead, &sphere);
            if job.checkpoint(step)? {
                nearest.retire(job, &mut [&mut rows, &mut sphere])?;
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

impl Ddn {
    /// Length of the step, along a cosine.
    fn length(&self, step: usize) -> f64 {
        let along = step as f64 / self.steps as f64 * std::f64::consts::PI;
        LAST_STEP + (self.step_size - LAST_STEP) * (1.0 + along.cos()) / 2.0
    }

    /// `x₀ + ρ δ/‖δ‖`, in the box, quantised.
    fn onto_sphere(&self, region: &Region, rows: Tensor<2>, sphere: &Tensor<2>) -> Tensor<2> {
        let delta = region.clip(rows) - region.center();
        let rows = region.clip(region.center() + Norm::L2.steepest(delta) * sphere.clone());
        if self.levels < 2 {
            return rows;
        }
        let steps = f64::from(self.levels - 1);
        let side = region.upper() - region.lower();
        let fixed = side.clone().lower_equal_elem(0.0);
        let place = (rows.clone() - region.lower()) / side.clone().clamp_min(1e-30);
        let grid = region.lower() + (place * steps).round() / steps * side;
        region.clip(grid.mask_where(fixed, rows))
    }
}
