//! Attacks that perturb the input of a fixed model.
pub mod gradient;
pub mod minimum;
pub mod noise;
pub mod score;

pub use gradient::{Fgm, Pgd};
pub use minimum::Ddn;
pub use noise::{GaussianNoise, UniformNoise};
pub use score::{
    Bandits, GenAttack, Nes, OnePixel, Simba, SimbaBasis, SparseRs, SparseRsPatch, Spsa, Square,
    Zoo,
};
