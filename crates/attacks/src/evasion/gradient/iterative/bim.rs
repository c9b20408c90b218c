//! BIM, the basic iterative method.
//!
//! Kurakin, Goodfellow, Bengio. *Adversarial examples in the physical world.* ICLR 2017 workshop,
//! §2.2. <https://arxiv.org/abs/1607.02533>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// The basic iterative method as in the paper: from the clean row, steps of 1/255, of which
    /// there are `min(ε + 4, 1.25 ε)` for ε in 255ths; both are stated here for ε = 16/255.
    #[must_use]
    pub fn basic() -> Self {
        Self { steps: 20, step_size: 1.0 / 16.0, ..Self::plain(ENTRY.name) }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "bim",
    summary: "basic iterative method: projected gradient steps from the clean row",
    reference: "arXiv:1607.02533",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::basic()),
    parse: |table| parse(IterativeFgsm::basic(), table),
};
