//! Attacks that perturb the input of a fixed model.
pub mod gradient;
pub mod minimum;
pub mod noise;

pub use gradient::{Fgm, FgsmRs, IterativeFgsm, KlPgd, Pgd, RFgsm};
pub use minimum::Ddn;
pub use noise::{GaussianNoise, UniformNoise};
