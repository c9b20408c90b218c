//! VNI-FGSM: Nesterov's momentum tuned by the gradient's variance.
//!
//! Wang, He. *Enhancing the Transferability of Adversarial Attacks through Variance Tuning.*
//! CVPR 2021, §3.3. <https://arxiv.org/abs/2103.15571>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// VNI-FGSM as in the paper: [`IterativeFgsm::variance_tuned`] with the look-ahead of
    /// [`IterativeFgsm::nesterov`]. The neighbours are those of the point ahead, where the gradient
    /// is taken.
    #[must_use]
    pub fn variance_tuned_nesterov() -> Self {
        Self { look_ahead: true, name: ENTRY.name, ..Self::variance_tuned() }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "vni-fgsm",
    summary: "NI-FGSM tuned by the variance of the gradient",
    reference: "arXiv:2103.15571",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::variance_tuned_nesterov()),
    parse: |table| parse(IterativeFgsm::variance_tuned_nesterov(), table),
};
