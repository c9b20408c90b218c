//! Attacks that perturb the input of a fixed model.
pub mod gradient;
pub mod minimum;
pub mod noise;

pub use gradient::{Fgm, Pgd};
pub use minimum::{BrendelBethge, Ddn, Fab, FabT, Jsma, SigmaZero, SparseFool};
pub use noise::{GaussianNoise, UniformNoise};
