//! DI-FGSM: diverse inputs.
//!
//! Xie, Zhang, Zhou, Bai, Wang, Ren, Yuille. *Improving Transferability of Adversarial Examples
//! with Input Diversity.* CVPR 2019, §3.3. <https://arxiv.org/abs/1803.06978>
use duress_core::Access;

use super::{IterativeFgsm, NORMS, parse, table_of};
use crate::table::Entry;

impl IterativeFgsm {
    /// DI²-FGSM as in the paper: with probability ½ the model sees the picture resized and padded,
    /// from 299 to 330 pixels; 19 steps of 1/255 for ε = 15/255, no momentum (`momentum = 1` is
    /// M-DI²-FGSM).
    ///
    /// Each sample has a draw of its own in each step. The padded picture is brought back to the
    /// size that the model takes; the resizing is bilinear.
    #[must_use]
    pub fn diverse() -> Self {
        Self { diversity: 0.5, steps: 19, step_size: 1.0 / 15.0, ..Self::plain(ENTRY.name) }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "di-fgsm",
    summary: "iterative FGSM on randomly resized and padded inputs",
    reference: "arXiv:1803.06978",
    norms: NORMS,
    access: Access::Gradients,
    targeted: true,
    defaults: || table_of(&IterativeFgsm::diverse()),
    parse: |table| parse(IterativeFgsm::diverse(), table),
};
