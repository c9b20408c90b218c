//! Attacks that perturb the input of a fixed model.
pub mod gradient;
pub mod minimum;
pub mod noise;

pub use gradient::{Component, Composite, Fgm, FgsmRs, IterativeFgsm, KlPgd, Order, Pgd, RFgsm};
pub use minimum::Ddn;
pub use noise::{GaussianNoise, UniformNoise};
