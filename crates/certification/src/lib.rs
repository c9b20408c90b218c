//! Certified robustness: statements about every perturbation of a ball, with their assumptions.
//!
//! [`CERTIFIERS`] lists the methods.
pub mod bounds;
pub mod partition;
pub mod patch;
pub mod smoothing;
mod table;
pub mod trees;
pub mod verify;
pub mod vnnlib;
mod votes;

pub use smoothing::{
    Ablation, AdaptiveSmoothing, L1Smoothing, Smoothing, TopKSmoothing, certified_radius,
    probability_lower_bound,
};
pub use table::{CERTIFIERS, Certificate, Certifier, Entry, find};
pub use votes::Votes;
