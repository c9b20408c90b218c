//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod losses;
mod table;

pub use evasion::{
    BrendelBethge, Ddn, Fab, FabT, Fgm, GaussianNoise, Jsma, Pgd, SigmaZero, SparseFool,
    UniformNoise,
};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
