//! Attacks that see logits only.
//!
//! Each is a search on one sample: every query of it is counted, the ones that only test whether a
//! new point meets the goal too, which some papers leave out.
mod adam;
mod bandits;
mod gen_attack;
mod grid;
mod nes;
mod one_pixel;
mod probes;
mod scores;
mod simba;
mod sparse_rs;
mod sparse_rs_patch;
mod spsa;
mod square;
mod zoo;

pub use bandits::Bandits;
pub(crate) use bandits::ENTRY as BANDITS;
pub(crate) use gen_attack::ENTRY as GEN_ATTACK;
pub use gen_attack::GenAttack;
pub(crate) use nes::ENTRY as NES;
pub use nes::Nes;
pub(crate) use one_pixel::ENTRY as ONE_PIXEL;
pub use one_pixel::OnePixel;
pub(crate) use simba::ENTRY as SIMBA;
pub use simba::{Simba, SimbaBasis};
pub(crate) use sparse_rs::ENTRY as SPARSE_RS;
pub use sparse_rs::SparseRs;
pub(crate) use sparse_rs_patch::ENTRY as SPARSE_RS_PATCH;
pub use sparse_rs_patch::SparseRsPatch;
pub(crate) use spsa::ENTRY as SPSA;
pub use spsa::Spsa;
pub(crate) use square::ENTRY as SQUARE;
pub use square::Square;
pub(crate) use zoo::ENTRY as ZOO;
pub use zoo::Zoo;

use duress_core::Asker;
use duress_core::search::Scores;

use scores::{log_probability, margin};

/// Values that one question may hold: rows of a sample wait in memory with those of all others.
const VALUES_AT_ONCE: usize = 1 << 18;

/// Whether any other row than the clean one may be tried.
fn can_move(asker: &Asker<Scores>) -> bool {
    asker.radius() > 0.0 && (0..asker.clean().len()).any(|feature| may_change(asker, feature))
}

/// Whether box, mask and ball leave a feature any room.
fn may_change(asker: &Asker<Scores>, feature: usize) -> bool {
    asker.lower()[feature] < asker.upper()[feature]
}

/// Rows of `features` values that one question holds.
fn rows_at_once(features: usize) -> usize {
    (VALUES_AT_ONCE / features.max(1)).max(1)
}

/// A score of the label as what the adversary minimises: the score itself where the label is to be
/// left, its negative where it is to be reached.
fn minimised(asker: &Asker<Scores>, score: f64) -> f64 {
    if asker.is_targeted() { -score } else { score }
}

/// The margin of the label, to be minimised.
fn margin_loss(asker: &Asker<Scores>, logits: &[f32]) -> f64 {
    minimised(asker, margin(logits, asker.label()))
}

/// The logarithm of the label's probability, to be minimised: the negative cross-entropy of a label
/// to leave, the cross-entropy of a target.
fn log_probability_loss(asker: &Asker<Scores>, logits: &[f32]) -> f64 {
    minimised(asker, log_probability(logits, asker.label()))
}

/// The margin of a label to leave, the cross-entropy of a target: what the random searches use.
fn search_loss(asker: &Asker<Scores>, logits: &[f32]) -> f64 {
    if asker.is_targeted() {
        log_probability_loss(asker, logits)
    } else {
        margin_loss(asker, logits)
    }
}
