//! Orthogonal projected gradient descent.
//!
//! Bryniarski, Hingun, Pachuca, Wang, Carlini. *Evading Adversarial Example Detection Defenses with
//! Orthogonal Projected Gradient Descent.* ICLR 2022, §4.2. <https://arxiv.org/abs/2106.15023>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Norm, Objective, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::super::keep_solved;
use crate::losses::{Misclassification, Passing, misclassification};
use crate::table::{Entry, defaults, gradient};

/// Each step raises the margin that is missing, along the part of its gradient that is orthogonal
/// to the other's, so that what was gained on one side is not lost on the other.
///
/// A step behind a detector takes two gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrthogonalPgd {
    /// Steps on each sample and restart.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Start at a uniform draw from the ball instead of at the clean row.
    pub random_start: bool,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
}

impl Default for OrthogonalPgd {
    /// The paper sets steps and lengths for each detector; these are moderate.
    fn default() -> Self {
        Self { steps: 100, step_size: 0.05, random_start: true, restarts: 1 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "orthogonal-pgd",
    summary: "on a classifier and its detector: gradients made orthogonal to each other",
    reference: "arXiv:2106.15023",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<OrthogonalPgd>,
    parse: gradient::<OrthogonalPgd>,
};

impl Algorithm for OrthogonalPgd {
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

impl GradientAttack for OrthogonalPgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = if self.random_start { job.random_start() } else { job.clean() };
        let guarded = job.aim().refusal().is_some();
        let cost = if guarded { 2 } else { 1 };
        for step in 1..=self.steps {
            if job.active() == 0 || job.queries_left().is_some_and(|left| left < cost) {
                break;
            }
            let at = job.gradient(rows.clone(), &Misclassification)?;
            let gradient = if guarded {
                let pass = job.gradient(rows.clone(), &Passing)?.gradient;
                let wrong = misclassification(at.logits.clone(), job.aim()).greater_elem(0.0);
                let wrong = wrong.unsqueeze_dim::<2>(1).expand(pass.dims());
                let fool = orthogonal(at.gradient.clone(), &pass);
                fool.mask_where(wrong, orthogonal(pass, &at.gradient))
            } else {
                at.gradient
            };
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(gradient.clone())?;
            }
            let solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
            let length = job.region().radius() * self.step_size;
            let next = job.region().ascend(rows.clone(), gradient, length);
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

/// A gradient of which less than this share of its length is left has no orthogonal part but
/// rounding; it is followed as it is.
const LEAST: f64 = 1e-3;

/// What is left of each row of `gradient` without its part along `other`.
fn orthogonal(gradient: Tensor<2>, other: &Tensor<2>) -> Tensor<2> {
    // By the largest value first: gradients may be so small that their squares vanish.
    let unit = |rows: &Tensor<2>| {
        let rows = rows.clone() / rows.clone().abs().max_dim(1).clamp_min(f32::MIN_POSITIVE);
        let length = rows.clone().square().sum_dim(1).sqrt();
        rows / length.clamp_min(f32::MIN_POSITIVE)
    };
    let (own, other) = (unit(&gradient), unit(other));
    let along = (own.clone() * other.clone()).sum_dim(1);
    let left = own.clone() - other * along;
    let tiny = left.clone().square().sum_dim(1).lower_elem(LEAST * LEAST);
    left.mask_where(tiny.expand(own.dims()), own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// (3, 3) against (−2, 0) leaves (0, 1/√2) of its unit; against (1, 1) nothing is left.
    #[test]
    fn the_orthogonal_part_by_hand() {
        let device = Device::flex();
        let gradient = Tensor::<2>::from_data([[3.0, 3.0], [3.0, 3.0], [1e-30, 0.0]], &device);
        let other = Tensor::<2>::from_data([[-2.0, 0.0], [1.0, 1.0], [0.0, 0.0]], &device);
        let got = floats(orthogonal(gradient, &other)).unwrap();
        let half = 0.5_f32.sqrt();
        for (got, expected) in got.into_iter().zip([0.0, half, half, half, 1.0, 0.0]) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }
}
