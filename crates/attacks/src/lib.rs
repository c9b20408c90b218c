//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod losses;
mod table;

pub use evasion::{
    Boundary, Ddn, Fgm, GaussianNoise, Geoda, HopSkipJump, Pgd, Pointwise, Rays, SignOpt, Start,
    SurFree, UniformNoise,
};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
