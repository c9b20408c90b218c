//! MI-FGSM: momentum.
//!
//! Dong, Liao, Pang, Su, Zhu, Hu, Li. *Boosting Adversarial Attacks with Momentum.* CVPR 2018,
//! algorithm 1. <https://arxiv.org/abs/1710.06081>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// MI-FGSM as in the paper: `g ← μ g + ∇ / ‖∇‖₁` with μ = 1, 10 steps of ε/10 from the clean
    /// row. [`crate::Pgd::momentum_paper`] is the same.
    #[must_use]
    pub fn momentum() -> Self {
        Self { momentum: 1.0, ..Self::plain(ENTRY.name) }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "mi-fgsm",
    summary: "iterative FGSM with momentum",
    reference: "arXiv:1710.06081",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::momentum()),
    parse: |table| parse(IterativeFgsm::momentum(), table),
};
