//! Attacks of a fixed budget that follow the input gradient.
mod composite;
mod fgm;
mod fgsm_rs;
mod iterative;
mod kl_pgd;
mod momentum;
mod pgd;
mod r_fgsm;
mod sparse;
mod undetected;

pub(crate) use composite::ENTRY as COMPOSITE;
pub use composite::{Component, Composite, Order};
pub(crate) use fgm::ENTRY as FGM;
pub use fgm::Fgm;
pub(crate) use fgsm_rs::ENTRY as FGSM_RS;
pub use fgsm_rs::FgsmRs;
pub use iterative::IterativeFgsm;
pub(crate) use iterative::{
    BIM, DI_FGSM, MI_FGSM, NI_FGSM, SI_NI_FGSM, TI_FGSM, VMI_FGSM, VNI_FGSM,
};
pub(crate) use kl_pgd::ENTRY as KL_PGD;
pub use kl_pgd::KlPgd;
pub(crate) use pgd::ENTRY as PGD;
pub use pgd::Pgd;
pub(crate) use r_fgsm::ENTRY as R_FGSM;
pub use r_fgsm::RFgsm;
pub(crate) use undetected::{JOINT_PGD, ORTHOGONAL_PGD, SELECTIVE_PGD};
pub use undetected::{JointPgd, OrthogonalPgd, SelectivePgd};

use burn::prelude::*;

/// The `next` rows `[N, F]`, but those of `solved` samples as they were, to the bit: a step of
/// length zero would project them once more as long as others keep the batch going.
fn keep_solved(next: Tensor<2>, before: Tensor<2>, solved: Option<&Tensor<1, Bool>>) -> Tensor<2> {
    match solved {
        Some(solved) if next.dims()[0] > 0 => {
            let stays = solved.clone().unsqueeze_dim::<2>(1).expand(next.dims());
            next.mask_where(stays, before)
        }
        _ => next,
    }
}
