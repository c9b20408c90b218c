//! Attacks that perturb the input of a fixed model.
pub mod gradient;
pub mod noise;

pub use gradient::{Fgm, Pgd};
pub use noise::{GaussianNoise, UniformNoise};
