//! Universal perturbations by stochastic gradient ascent.
//!
//! Shafahi, Najibi, Xu, Dickerson, Davis, Goldstein. *Universal Adversarial Training.* AAAI 2020,
//! §3, eq. 3 and algorithm 1. <https://arxiv.org/abs/1811.11304>
use burn::prelude::*;
use duress_core::{
    Access, Aim, Algorithm, GradientAttack, GradientJob, Loss, Norm, Result, Setting,
};
use serde::{Deserialize, Serialize};

use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// One perturbation `v` that ascends the mean of `min(cross-entropy, β)` over the batch:
/// `v ← Π(v + α ε d)`, where `d` is the steepest direction of the mean gradient and `Π` moves `v`
/// back into the ball, only if it left it.
///
/// The bound `β` keeps a few samples far beyond their boundary from taking the whole step. The
/// mini-batch of a step is the batch that the attack is given. Each step is one query of each
/// sample; none leaves, since the perturbation is everybody's. A sample with a smaller radius than
/// the largest gets the projection of `x + v` onto its own ball.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UniversalSgd {
    /// Gradient steps, one query of each sample each; the paper counts epochs.
    pub steps: usize,
    /// Length α of a step, as a fraction of the radius ε.
    pub step_size: f64,
    /// Bound β of a sample's loss. With a target the ascended loss is never positive and the bound
    /// without effect.
    pub clip: f64,
}

impl UniversalSgd {
    /// The paper's bound β = 9; 100 steps of ε/10.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 100, step_size: 0.1, clip: 9.0 }
    }
}

impl Default for UniversalSgd {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "universal-sgd",
    summary: "one perturbation for all samples, by gradient ascent",
    reference: "arXiv:1811.11304",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<UniversalSgd>,
    parse: gradient::<UniversalSgd>,
};

impl Algorithm for UniversalSgd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn joint(&self) -> bool {
        true
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.positive("clip", self.clip)?;
        LossKind::CrossEntropy.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for UniversalSgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let clean = job.clean();
        if job.active() == 0 {
            return Ok(clean);
        }
        let (region, loss) = (job.region().clone(), Clipped { at: self.clip });
        let radius = region.radius().max_dim(0);
        let movable = region.upper().greater(region.lower()).float();
        let shifted = |v: Tensor<2>| region.project(clean.clone() + v);
        let mut perturbation = movable.clone().narrow(0, 0, 1) * 0.0;
        for step in 0..self.steps {
            if job.queries_left() == Some(0) {
                break;
            }
            let gradient = job.gradient(shifted(perturbation.clone()), &loss)?.gradient;
            if job.checkpoint(step)? {
                job.ensure_finite(gradient.clone())?;
            }
            let mean = (gradient * movable.clone()).mean_dim(0);
            let length = radius.clone() * self.step_size;
            let ahead = perturbation + job.norm().steepest(mean) * length;
            perturbation = into_ball(ahead, job.norm(), radius.clone());
        }
        Ok(shifted(perturbation))
    }
}

/// Moves a perturbation `[1, F]` into the ball of `radius` `[1, 1]` around zero: only if it lies
/// outside.
fn into_ball(perturbation: Tensor<2>, norm: Norm, radius: Tensor<2>) -> Tensor<2> {
    if norm == Norm::Linf {
        return perturbation.max_pair(radius.clone().neg()).min_pair(radius);
    }
    let length = norm.of(perturbation.clone()).clamp_min(f32::MIN_POSITIVE);
    perturbation * (radius / length).clamp_max(1.0)
}

/// `min(cross-entropy, β)`.
#[derive(Debug)]
struct Clipped {
    at: f64,
}

impl Loss for Clipped {
    fn name(&self) -> &'static str {
        "clipped cross-entropy"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        LossKind::CrossEntropy.per_sample(logits, aim).clamp_max(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Goal, host::floats};

    /// Cross-entropies ln 2 and about 20.
    #[test]
    fn a_sample_beyond_the_bound_has_no_slope() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[0.0, 0.0], [0.0, 20.0]], &device);
        let aim = Goal::Untargeted(vec![0, 0]).aim(&device);
        let leaf = logits.autodiff().require_grad();
        let loss = Clipped { at: 9.0 }.per_sample(leaf.clone(), &aim);
        let mut slopes = loss.clone().sum().backward();
        let slopes = floats(leaf.grad_remove(&mut slopes).unwrap()).unwrap();
        let loss = floats(loss).unwrap();
        assert!((loss[0] - 2.0_f32.ln()).abs() < 1e-6 && (loss[1] - 9.0).abs() < 1e-6);
        assert!((slopes[1] - 0.5).abs() < 1e-6 && slopes[3].abs() < 1e-9, "{slopes:?}");
    }

    #[test]
    fn a_projection_never_enlarges() {
        let device = Device::flex();
        let project = |v: [f32; 2], norm| {
            let radius = Tensor::full([1, 1], 0.1, &device);
            floats(into_ball(Tensor::<2>::from_data([v], &device), norm, radius)).unwrap()
        };
        assert_eq!(project([0.03, -0.04], Norm::L2), [0.03, -0.04]);
        assert_eq!(project([0.03, -0.04], Norm::Linf), [0.03, -0.04]);
        let far = project([3.0, -4.0], Norm::L2);
        assert!((far[0] - 0.06).abs() < 1e-6 && (far[1] + 0.08).abs() < 1e-6);
        assert_eq!(project([3.0, -0.04], Norm::Linf), [0.1, -0.04]);
    }
}
