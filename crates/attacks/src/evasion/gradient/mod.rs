//! Attacks of a fixed budget that follow the input gradient.
mod fgm;
mod pgd;
mod sparse;

pub(crate) use fgm::ENTRY as FGM;
pub use fgm::Fgm;
pub(crate) use pgd::ENTRY as PGD;
pub use pgd::Pgd;
