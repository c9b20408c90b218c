//! SI-NI-FGSM: Nesterov's momentum over copies of the picture at several scales.
//!
//! Lin, Song, He, Wang, Hopcroft. *Nesterov Accelerated Gradient and Scale Invariance for
//! Adversarial Attacks.* ICLR 2020, eq. 9 and algorithm 1. <https://arxiv.org/abs/1908.06281>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// SI-NI-FGSM as in the paper: the mean loss of `x, x/2, …, x/16`, else
    /// [`IterativeFgsm::nesterov`]. The divisor is `2ⁱ`, not the running product of the divisors.
    #[must_use]
    pub fn scaled() -> Self {
        Self { scales: 5, name: ENTRY.name, ..Self::nesterov() }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "si-ni-fgsm",
    summary: "NI-FGSM on the mean loss over scaled copies",
    reference: "arXiv:1908.06281",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::scaled()),
    parse: |table| parse(IterativeFgsm::scaled(), table),
};
