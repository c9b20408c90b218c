//! NI-FGSM: Nesterov's momentum.
//!
//! Lin, Song, He, Wang, Hopcroft. *Nesterov Accelerated Gradient and Scale Invariance for
//! Adversarial Attacks.* ICLR 2020, eq. 6 to 8. <https://arxiv.org/abs/1908.06281>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// NI-FGSM as in the paper: the gradient at `x + α μ g`, else [`IterativeFgsm::momentum`].
    #[must_use]
    pub fn nesterov() -> Self {
        Self { look_ahead: true, name: ENTRY.name, ..Self::momentum() }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ni-fgsm",
    summary: "iterative FGSM with Nesterov's momentum",
    reference: "arXiv:1908.06281",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::nesterov()),
    parse: |table| parse(IterativeFgsm::nesterov(), table),
};
