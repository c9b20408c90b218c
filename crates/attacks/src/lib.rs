//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod image;
pub mod losses;
mod table;

pub use evasion::{Apgd, ApgdT, Bandits, Boundary, BrendelBethge, CarliniWagnerL0, CarliniWagnerL2, CarliniWagnerLinf, Component, Composite, Ddn, Decision, DeepFool, Ead, Fab, FabT, Fgm, FgsmRs, Fmn, GaussianNoise, GenAttack, Geoda, HopSkipJump, IterativeFgsm, Jsma, KlPgd, Nes, OnePixel, Order, Pgd, Pointwise, RFgsm, Rays, SigmaZero, SignOpt, Simba, SimbaBasis, SmallestRadius, SparseFool, SparseRs, SparseRsPatch, Spsa, Square, Start, SuperDeepFool, SurFree, UniformNoise, Zoo};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
