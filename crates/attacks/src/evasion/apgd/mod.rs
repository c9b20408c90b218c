//! Auto-PGD: projected gradient descent that sets its own step size.
//!
//! Croce, Hein. *Reliable evaluation of adversarial robustness with an ensemble of diverse
//! parameter-free attacks.* ICML 2020, §3 and algorithm 1. <https://arxiv.org/abs/2003.01690>
//!
//! In L1: Croce, Hein. *Mind the box: l1-APGD for sparse adversarial attacks on image classifiers.*
//! ICML 2021, §3. <https://arxiv.org/abs/2103.01208>
mod ascent;
mod schedule;
mod sparse;
mod targeted;
mod untargeted;

pub use targeted::ApgdT;
pub(crate) use targeted::ENTRY as APGD_T;
pub use untargeted::Apgd;
pub(crate) use untargeted::ENTRY as APGD;
