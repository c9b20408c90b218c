#![doc = include_str!("../README.md")]
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
pub mod image;
pub mod losses;
mod table;

pub use evasion::{
    AdversarialPatch, Apgd, ApgdT, Bandits, Boundary, BrendelBethge, CarliniWagnerL0,
    CarliniWagnerL2, CarliniWagnerLinf, Component, Composite, Corruption, CorruptionKind, Ddn,
    Decision, DeepFool, Ead, Elastic, Fab, FabT, Fgm, FgsmRs, Flow, Fmn, GaussianNoise, GenAttack,
    Geoda, HopSkipJump, IterativeFgsm, JointPgd, Jsma, KlPgd, Nes, OnePixel, Order, OrthogonalPgd,
    PatchShape, Pgd, Pointwise, RFgsm, Rays, SelectivePgd, SigmaZero, SignOpt, Simba, SimbaBasis,
    SmallestRadius, SparseFool, SparseRs, SparseRsPatch, Spatial, SpatialSearch, Spsa, Square,
    Start, Sticker, SuperDeepFool, SurFree, UniformNoise, UniversalDeepFool, UniversalSgd, Zoo,
};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
