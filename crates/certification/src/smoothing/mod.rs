//! Randomized smoothing: certificates of a vote over noise, each with a failure probability.
//!
//! | Norm | Noise | File |
//! |---|---|---|
//! | L2 | Gaussian | `gaussian`; `adaptive` decides one radius; `top_k` for the k likeliest |
//! | L1 | Laplace, uniform | `l1` |
//! | L0 | a few kept features; features at another level | `ablation`; `discrete` |
//!
//! `bound` holds the confidence bounds and Gaussian radii, `sequential` bounds that may be looked at
//! on the way, `sampling` the counts of draws, `protocol` what all with a fixed number of draws do.
pub(crate) mod ablation;
pub(crate) mod adaptive;
mod bound;
pub(crate) mod discrete;
#[cfg(test)]
mod fixtures;
pub(crate) mod gaussian;
pub(crate) mod l1;
mod protocol;
mod sampling;
mod sequential;
pub(crate) mod top_k;

pub use ablation::{Ablation, ablation_radius};
pub use adaptive::AdaptiveSmoothing;
pub use bound::{
    certified_radius, gaussian_radius, probability_lower_bound, probability_upper_bound,
};
pub use discrete::{DiscreteSmoothing, discrete_radius};
pub use gaussian::Smoothing;
pub use l1::{L1Noise, L1Smoothing, laplace_radius, uniform_radius};
pub(crate) use sampling::one_row;
pub use sequential::{Looks, SequentialBound};
pub use top_k::{TopKSmoothing, top_k_radius};
