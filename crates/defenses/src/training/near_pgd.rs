//! Projected gradient ascent on the cross-entropy from a point next to the clean row.
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{Algorithm, GradientAttack, GradientJob, Norm, Result, Setting};
use rand::RngExt;
use rand_distr::StandardNormal;

/// PGD from `x + deviation · N(0, I)`, as the official code of MART starts.
#[derive(Clone, Debug)]
pub(super) struct NearPgd {
    pub(super) steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub(super) step_size: f64,
    /// Standard deviation of the start, in raw units.
    pub(super) deviation: f64,
}

/// The deviation of the start in the official codes of TRADES and MART.
pub(super) const START: f64 = 0.001;

impl Algorithm for NearPgd {
    fn name(&self) -> &'static str {
        "near-pgd"
    }

    fn norms(&self) -> &[Norm] {
        &[Norm::L2, Norm::Linf]
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        Ok(())
    }
}

impl GradientAttack for NearPgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let noise = job.draw(0, |rng, row| row.fill_with(|| rng.sample(StandardNormal)));
        let mut rows = job.region().project(job.clean() + noise * self.deviation);
        for step in 1..=self.steps {
            let at = job.gradient(rows.clone(), &LossKind::CrossEntropy)?;
            job.checkpoint(step)?;
            let length = job.region().radius() * self.step_size;
            rows = job.region().ascend(rows, at.gradient, length);
        }
        Ok(rows)
    }
}
