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

use burn::prelude::*;

/// Step lengths `[N, 1]`, zero where a sample is solved: it stays where it is.
fn hold(length: Tensor<2>, solved: Option<&Tensor<1, Bool>>) -> Tensor<2> {
    match solved {
        Some(solved) => length.mask_fill(solved.clone().unsqueeze_dim(1), 0.0),
        None => length,
    }
}
