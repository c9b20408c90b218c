//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod image;
pub mod losses;
mod table;

pub use evasion::{Apgd, ApgdT, CarliniWagnerL0, CarliniWagnerL2, CarliniWagnerLinf, Component, Composite, Ddn, Decision, DeepFool, Ead, Fab, FabT, Fgm, FgsmRs, Fmn, GaussianNoise, IterativeFgsm, KlPgd, Order, Pgd, RFgsm, SmallestRadius, Square, SuperDeepFool, UniformNoise};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
