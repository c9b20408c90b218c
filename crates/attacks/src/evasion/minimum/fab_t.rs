//! Targeted fast adaptive boundary attack: towards one class boundary after the other.
//!
//! Croce, Hein. *Reliable evaluation of adversarial robustness with an ensemble of diverse
//! parameter-free attacks.* ICML 2020, §4 (FAB-T). <https://arxiv.org/abs/2003.01690>
use burn::prelude::*;
use duress_core::{Access, Algorithm, GradientAttack, GradientJob, Norm, Reach, Result, Setting};
use serde::{Deserialize, Serialize};

use super::fab_walk::Walk;
use crate::table::{Entry, defaults, gradient};

/// [`super::Fab`] that looks at the boundary with one class at a time: one gradient a step however
/// many classes there are.
///
/// The targets are the classes of rank 2, 3, … at the clean row. Any class other than the label is
/// a success, whichever was aimed at; goals that name their class are refused, as by
/// [`super::Fab`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FabT {
    /// Classes aimed at, one walk each; the paper's is 9. Fewer where the model has fewer.
    pub targets: usize,
    /// Iterations of each walk; the paper's is 100.
    pub steps: usize,
    /// Walks to each target: the first from the clean row, the others from a point drawn at half
    /// the best distance so far (half the radius while there is none); the paper's is 1.
    pub restarts: u32,
    /// Largest weight of the projection of the clean row; the paper's is 0.1.
    pub alpha_max: f64,
    /// Factor η by which a projection is passed; the paper's is 1.05.
    pub extrapolation: f64,
    /// Share β of the perturbation that is left after a point that meets the goal; the paper's is 0.9.
    pub backward_step: f64,
    /// Steps of the search on the segment between the clean row and the result: 3 in the paper of
    /// FAB, none in `AutoAttack`.
    pub final_search: usize,
}

impl FabT {
    /// The papers': 9 targets, 100 iterations, 1 restart, `α_max` = 0.1, η = 1.05, β = 0.9, final
    /// search of 3.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            targets: 9,
            steps: 100,
            restarts: 1,
            alpha_max: 0.1,
            extrapolation: 1.05,
            backward_step: 0.9,
            final_search: 3,
        }
    }

    /// The standard parameters of `AutoAttack` with so many targets (9 of CIFAR-10's classes):
    /// 100 iterations, 1 restart, no final search.
    #[must_use]
    pub fn autoattack(targets: usize) -> Self {
        Self { targets, final_search: 0, ..Self::paper() }
    }

    fn walk(&self) -> Walk {
        let Self { steps, restarts, alpha_max, extrapolation, backward_step, final_search, .. } =
            *self;
        Walk { steps, restarts, alpha_max, extrapolation, backward_step, final_search }
    }
}

impl Default for FabT {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fab-t",
    summary: "fast adaptive boundary attack, one class boundary at a time",
    reference: "arXiv:2003.01690, arXiv:1907.02044",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<FabT>,
    parse: gradient::<FabT>,
};

impl Algorithm for FabT {
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
        ENTRY.at_least_one("targets", self.targets as u64)?;
        self.walk().check(&ENTRY, setting)
    }
}

impl GradientAttack for FabT {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        self.walk().run(job, self.targets, true)
    }
}
