//! Gaussian noise: what an undirected disturbance of the same size does.
use burn::prelude::*;
use duress_core::{Access, Algorithm, LabelAttack, LabelJob, Norm, Result, Setting};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::first_hit;
use crate::table::{Entry, defaults, label};

/// Independent Gaussian noise on every feature, projected onto ball and box; the first draw that
/// meets the goal.
///
/// The standard deviation is `scale · ε` in Linf and `scale · ε / √F` in L2, where the expected
/// length is then about `scale · ε`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianNoise {
    /// Size of the noise relative to the radius, before the projection.
    pub scale: f64,
    /// Draws tried on each sample; one query each.
    pub draws: u32,
}

impl Default for GaussianNoise {
    fn default() -> Self {
        Self { scale: 1.0, draws: 10 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "gaussian-noise",
    summary: "Gaussian draws of the ball's size (baseline)",
    reference: "baseline, no paper",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<GaussianNoise>,
    parse: label::<GaussianNoise>,
};

impl Algorithm for GaussianNoise {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &'static [Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.positive("scale", self.scale)?;
        ENTRY.at_least_one("draws", u64::from(self.draws))
    }
}

impl LabelAttack for GaussianNoise {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        first_hit(job, self.draws, |job, draw| {
            let noise = job.draw(draw, |rng, row| {
                row.fill_with(|| rng.sample(StandardNormal));
            });
            let features = noise.dims()[1] as f64;
            let deviation = match job.norm() {
                Norm::L2 => self.scale / features.sqrt(),
                _ => self.scale,
            };
            let step = noise * (job.region().radius() * deviation);
            job.region().project(job.clean() + step)
        })
    }
}
