//! Attacks on machine-learning models, one file each, exactly as their papers define them.
//!
//! [`ATTACKS`] lists them; an entry says what an attack needs and how to read its hyperparameters.
pub mod evasion;
mod image;
pub mod losses;
mod table;

pub use evasion::{
    AdversarialPatch, Corruption, CorruptionKind, Ddn, Elastic, Fgm, Flow, GaussianNoise,
    PatchShape, Pgd, Spatial, SpatialSearch, Sticker, UniformNoise, UniversalDeepFool,
    UniversalSgd,
};
pub use losses::{Divergence, LossKind, RivalLogit, RivalMargin, TargetedDlr};
pub use table::{ATTACKS, Entry, find};
