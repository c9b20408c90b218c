//! Fast adaptive boundary attack: towards the nearest of all class boundaries.
//!
//! Croce, Hein. *Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack.*
//! ICML 2020, algorithm 1. <https://arxiv.org/abs/1907.02044>
use burn::prelude::*;
use duress_core::{Access, Algorithm, GradientAttack, GradientJob, Norm, Reach, Result, Setting};
use serde::{Deserialize, Serialize};

use super::fab_walk::Walk;
use crate::table::{Entry, defaults, gradient};

/// Projections, in the box, onto the nearest linearised boundary: of the iterate and of the clean
/// row, mixed so that the walk stays near the clean row; a point that meets the goal is kept and
/// the walk goes back towards the clean row.
///
/// Each step takes one gradient for each other class and one prediction. The boundaries are taken
/// one after the other: no Jacobian is held. Restarts are part of one attempt, because they begin at
/// half the best distance of those before.
///
/// Goals that name their class are refused: a projection onto one plane reaches the union of other
/// classes, not the intersection of half-spaces that a single class is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fab {
    /// Iterations of each restart; the paper's is 100.
    pub steps: usize,
    /// Walks: the first from the clean row, the others from a point drawn at half the best distance
    /// so far (half the radius while there is none); the paper reports 5.
    pub restarts: u32,
    /// Largest weight of the projection of the clean row; the paper's is 0.1.
    pub alpha_max: f64,
    /// Factor η by which a projection is passed; the paper's is 1.05.
    pub extrapolation: f64,
    /// Share β of the perturbation that is left after a point that meets the goal; the paper's is 0.9.
    pub backward_step: f64,
    /// Steps of the search on the segment between the clean row and the result; the paper's is 3.
    /// The official code has none.
    pub final_search: usize,
}

impl Fab {
    /// The paper's: 100 iterations, 5 restarts, `α_max` = 0.1, η = 1.05, β = 0.9, final search of 3.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 100,
            restarts: 5,
            alpha_max: 0.1,
            extrapolation: 1.05,
            backward_step: 0.9,
            final_search: 3,
        }
    }

    fn walk(&self) -> Walk {
        let Self { steps, restarts, alpha_max, extrapolation, backward_step, final_search } = *self;
        Walk { steps, restarts, alpha_max, extrapolation, backward_step, final_search }
    }
}

impl Default for Fab {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fab",
    summary: "fast adaptive boundary attack, all class boundaries",
    reference: "arXiv:1907.02044",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<Fab>,
    parse: gradient::<Fab>,
};

impl Algorithm for Fab {
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
        self.walk().check(&ENTRY, setting)
    }
}

impl GradientAttack for Fab {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        self.walk().run(job, usize::MAX, false)
    }
}
