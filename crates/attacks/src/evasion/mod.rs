//! Attacks that perturb the input of a fixed model.
pub mod gradient;
pub mod minimum;
pub mod noise;

pub use gradient::{Fgm, Pgd};
pub use minimum::{
    CarliniWagnerL0, CarliniWagnerL2, CarliniWagnerLinf, Ddn, Decision, DeepFool, Ead, Fmn,
    SmallestRadius, SuperDeepFool,
};
pub use noise::{GaussianNoise, UniformNoise};
