//! VMI-FGSM: momentum tuned by the gradient's variance.
//!
//! Wang, He. *Enhancing the Transferability of Adversarial Attacks through Variance Tuning.*
//! CVPR 2021, eq. 7 and algorithm 1. <https://arxiv.org/abs/2103.15571>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// VMI-FGSM as in the paper: 20 neighbours within 1.5 ε in each feature, else
    /// [`IterativeFgsm::momentum`]. The variance is measured against the gradient itself, not
    /// against the tuned one.
    #[must_use]
    pub fn variance_tuned() -> Self {
        Self { neighbors: 20, name: ENTRY.name, ..Self::momentum() }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "vmi-fgsm",
    summary: "MI-FGSM tuned by the variance of the gradient",
    reference: "arXiv:2103.15571",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::variance_tuned()),
    parse: |table| parse(IterativeFgsm::variance_tuned(), table),
};
