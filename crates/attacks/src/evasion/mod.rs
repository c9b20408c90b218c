//! Attacks that perturb the input of a fixed model.
pub mod decision;
pub mod gradient;
pub mod minimum;
pub mod noise;

pub use decision::{Boundary, Geoda, HopSkipJump, Pointwise, Rays, SignOpt, Start, SurFree};
pub use gradient::{Fgm, Pgd};
pub use minimum::Ddn;
pub use noise::{GaussianNoise, UniformNoise};
