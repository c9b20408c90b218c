//! σ-zero: few features, by descent on a smooth count of them.
//!
//! Cinà, Villani, Pintor, Schönherr, Biggio, Pelillo. *σ-zero: Gradient-based Optimization of
//! ℓ0-norm Adversarial Examples.* ICLR 2025, algorithm 1. <https://arxiv.org/abs/2402.01879>
use burn::prelude::*;
use duress_core::{Access, Algorithm, GradientAttack, GradientJob, Norm, Reach, Result, Setting};
use serde::{Deserialize, Serialize};

use super::nearest::Nearest;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Descent on `max(margin, 0) + (1/d) Σ δ²/(δ² + σ)`, whose gradient is divided by its largest
/// component; after each step the components below a threshold τ become zero, and τ rises while the
/// point meets the goal and falls while it does not.
///
/// `δ` is measured in sides of the box: for pixels in `[0, 1]` in raw units, as in the paper.
/// τ stays in `[0, 1]`. Steps are those of algorithm 1, where the authors' code has Adam's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigmaZero {
    /// Gradient steps; the paper's is 1000.
    pub steps: usize,
    /// Smoothness σ of the count: a component of `√σ` counts as half a feature; the paper's is 1e-3.
    pub smoothness: f64,
    /// Length of the first step's largest component; it falls to 0 along a cosine. The paper's is 1.
    pub step_size: f64,
    /// First threshold τ; the paper's is 0.3.
    pub threshold: f64,
    /// Change of the threshold a step, as a multiple of the step's length; the paper's is 0.01.
    pub threshold_rate: f64,
}

impl SigmaZero {
    /// The paper's: 1000 steps, σ = 1e-3, first step 1, τ = 0.3 changing by 0.01.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 1000, smoothness: 1e-3, step_size: 1.0, threshold: 0.3, threshold_rate: 0.01 }
    }

    /// Length of step `step`, along a cosine.
    fn length(&self, step: usize) -> f64 {
        let along = step as f64 / self.steps as f64 * std::f64::consts::PI;
        self.step_size * (1.0 + along.cos()) / 2.0
    }
}

impl Default for SigmaZero {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "sigma-zero",
    summary: "descent on a smooth count of changed features",
    reference: "arXiv:2402.01879",
    norms: &[Norm::L0],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<SigmaZero>,
    parse: gradient::<SigmaZero>,
};

impl Algorithm for SigmaZero {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.positive("smoothness", self.smoothness)?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.share("threshold", self.threshold)?;
        ENTRY.share("threshold_rate", self.threshold_rate)
    }
}

impl GradientAttack for SigmaZero {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(rows);
        }
        let mut nearest = Nearest::none(job);
        let mut delta = rows.zeros_like();
        let mut threshold = nearest.distance.ones_like() * self.threshold;
        for step in 0..self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let at = job.gradient(rows.clone(), &LossKind::Margin)?;
            let met = job.aim().met(at.logits).unsqueeze_dim::<2>(1);
            nearest.offer(job.region(), rows.clone(), met.clone().squeeze_dim(1));
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            if step > 0 {
                let change = met.clone().float() * 2.0 - 1.0;
                let rate = self.threshold_rate * self.length(step);
                threshold = (threshold + change * rate).clamp(0.0, 1.0);
            }
            let region = job.region();
            let side = region.upper() - region.lower();
            // The attack descends: minus the margin's gradient, and nothing once it is positive.
            let margin = (at.gradient * side.clone()).neg();
            let margin = margin.mask_fill(met.expand(rows.dims()), 0.0);
            let slope = margin + self.count_slope(&delta);
            let largest = Norm::Linf.of(slope.clone()).clamp_min(f32::MIN_POSITIVE);
            let ahead = delta - slope / largest * self.length(step);
            delta = in_box(ahead, side.clone(), region.center(), region.lower(), region.upper());
            let small = delta.clone().abs().lower(threshold.clone().expand(delta.dims()));
            delta = delta.mask_fill(small, 0.0);
            let moved = region.center() + delta.clone() * side;
            rows = region.clip(moved);
            if checkpoint {
                nearest.retire(job, &mut [&mut rows, &mut delta, &mut threshold])?;
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

impl SigmaZero {
    /// The gradient of `(1/d) Σ δ²/(δ² + σ)`: `2σδ / (d (δ² + σ)²)`.
    fn count_slope(&self, delta: &Tensor<2>) -> Tensor<2> {
        let features = delta.dims()[1] as f64;
        let below = (delta.clone().square() + self.smoothness).square();
        delta.clone() / below * (2.0 * self.smoothness / features)
    }
}

/// `δ` such that `x₀ + δ · side` is in the box; zero where the box has no side.
fn in_box(
    delta: Tensor<2>,
    side: Tensor<2>,
    center: Tensor<2>,
    lower: Tensor<2>,
    upper: Tensor<2>,
) -> Tensor<2> {
    let fixed = side.clone().lower_equal_elem(0.0);
    let side = side.mask_fill(fixed.clone(), 1.0);
    let low = (lower - center.clone()) / side.clone();
    let high = (upper - center) / side;
    delta.max_pair(low).min_pair(high).mask_fill(fixed, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// σ = 0.01 at δ = 0.1 and 0, of two features: 2·0.01·0.1 / (2 · 0.02²) = 2.5.
    #[test]
    fn the_slope_of_the_smooth_count_by_hand() {
        let attack = SigmaZero { smoothness: 0.01, ..SigmaZero::paper() };
        let delta = Tensor::<2>::from_data([[0.1, 0.0]], &Device::flex());
        let got = floats(attack.count_slope(&delta)).unwrap();
        assert!((got[0] - 2.5).abs() < 1e-5 && got[1].abs() < 1e-9, "{got:?}");
    }

    #[test]
    fn steps_shrink_along_a_cosine() {
        let attack = SigmaZero { steps: 4, step_size: 2.0, ..SigmaZero::paper() };
        for (step, expected) in [(0, 2.0), (2, 1.0), (4, 0.0)] {
            assert!((attack.length(step) - expected).abs() < 1e-12);
        }
    }
}
