//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod losses;
mod table;

pub use evasion::{
    Bandits, GenAttack, Nes, OnePixel, Simba, SimbaBasis, SparseRs, SparseRsPatch, Spsa, Square,
    Zoo,
};
pub use evasion::{Ddn, Fgm, GaussianNoise, Pgd, UniformNoise};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
