//! Attacks that look for the nearest point that meets the goal.
mod boundary;
mod brendel_bethge;
mod carlini_wagner;
mod constant;
mod ddn;
mod deepfool;
mod ead;
mod fab;
mod fab_t;
mod fab_walk;
mod fmn;
mod host_hyperplane;
mod hyperplane;
mod jsma;
mod nearest;
mod sigma_zero;
mod smallest_radius;
mod sparsefool;
mod superdeepfool;
mod trust_region;

pub use brendel_bethge::BrendelBethge;
pub(crate) use brendel_bethge::ENTRY as BRENDEL_BETHGE;
pub(crate) use carlini_wagner::{CARLINI_WAGNER_L0, CARLINI_WAGNER_L2, CARLINI_WAGNER_LINF};
pub use carlini_wagner::{CarliniWagnerL0, CarliniWagnerL2, CarliniWagnerLinf};
pub use ddn::Ddn;
pub(crate) use ddn::ENTRY as DDN;
pub use deepfool::DeepFool;
pub(crate) use deepfool::ENTRY as DEEPFOOL;
pub(crate) use ead::ENTRY as EAD;
pub use ead::{Decision, Ead};
pub(crate) use fab::ENTRY as FAB;
pub use fab::Fab;
pub(crate) use fab_t::ENTRY as FAB_T;
pub use fab_t::FabT;
pub(crate) use fmn::ENTRY as FMN;
pub use fmn::Fmn;
pub(crate) use jsma::ENTRY as JSMA;
pub use jsma::Jsma;
pub(crate) use sigma_zero::ENTRY as SIGMA_ZERO;
pub use sigma_zero::SigmaZero;
pub(crate) use smallest_radius::ENTRY as SMALLEST_RADIUS;
pub use smallest_radius::SmallestRadius;
pub(crate) use sparsefool::ENTRY as SPARSEFOOL;
pub use sparsefool::SparseFool;
pub(crate) use superdeepfool::ENTRY as SUPERDEEPFOOL;
pub use superdeepfool::SuperDeepFool;

/// All classes but the label, the likeliest first.
fn ranked_others(logits: &[f32], label: usize) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..logits.len()).filter(|&class| class != label).collect();
    classes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    classes
}
