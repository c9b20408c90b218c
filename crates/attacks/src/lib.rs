//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod image;
pub mod losses;
mod table;

pub use evasion::{Apgd, ApgdT, Component, Composite, Ddn, Fab, FabT, Fgm, FgsmRs, GaussianNoise, IterativeFgsm, KlPgd, Order, Pgd, RFgsm, Square, UniformNoise};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
