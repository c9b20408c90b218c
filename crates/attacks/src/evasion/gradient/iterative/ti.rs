//! TI-FGSM: translation invariance.
//!
//! Dong, Pang, Su, Zhu. *Evading Defenses to Transferable Adversarial Examples by
//! Translation-Invariant Attacks.* CVPR 2019, §3.2. <https://arxiv.org/abs/1904.02884>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// TI-MI-FGSM as in the paper: the gradient convolved with a Gaussian kernel of 15 × 15 pixels
    /// (three standard deviations to the border, as in the authors' code) before it is normalised,
    /// else [`IterativeFgsm::momentum`]. `steps = 1` and `step_size = 1` is the single step of
    /// eq. 7.
    #[must_use]
    pub fn translation_invariant() -> Self {
        Self { kernel_size: 15, name: ENTRY.name, ..Self::momentum() }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ti-fgsm",
    summary: "MI-FGSM with a smoothed gradient",
    reference: "arXiv:1904.02884",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::translation_invariant()),
    parse: |table| parse(IterativeFgsm::translation_invariant(), table),
};
