//! Attacks that perturb the input of a fixed model.
pub mod corruption;
pub mod gradient;
pub mod minimum;
pub mod noise;
pub mod physical;
pub mod universal;

pub use corruption::{Corruption, CorruptionKind};
pub use gradient::{Fgm, Pgd};
pub use minimum::Ddn;
pub use noise::{GaussianNoise, UniformNoise};
pub use physical::{AdversarialPatch, Elastic, Flow, PatchShape, Spatial, SpatialSearch, Sticker};
pub use universal::{UniversalDeepFool, UniversalSgd};
