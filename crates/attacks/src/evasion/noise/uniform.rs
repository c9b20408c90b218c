//! Uniform noise in the ball: what random search of the same budget finds.
use burn::prelude::*;
use duress_core::{Access, Algorithm, LabelAttack, LabelJob, Norm, Result, Setting};
use serde::{Deserialize, Serialize};

use super::first_hit;
use crate::table::{Entry, defaults, label};

/// Points drawn uniformly from the ball, then projected onto ball and box; the first that meets
/// the goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UniformNoise {
    /// Points tried on each sample; one query each.
    pub draws: u32,
}

impl Default for UniformNoise {
    fn default() -> Self {
        Self { draws: 10 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "uniform-noise",
    summary: "uniform draws from the ball (baseline)",
    reference: "baseline, no paper",
    norms: &Norm::ALL,
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<UniformNoise>,
    parse: label::<UniformNoise>,
};

impl Algorithm for UniformNoise {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &'static [Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("draws", u64::from(self.draws))
    }
}

impl LabelAttack for UniformNoise {
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method itself is bound to one lifetime of the job"
    )]
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        first_hit(job, self.draws, |job, draw| job.random_point(draw))
    }
}
