//! Certified robustness: statements about every perturbation of a ball, with their assumptions.
//!
//! [`CERTIFIERS`] lists the methods that certify any classifier within a ball, sample by sample. Beside
//! them stand [`patch`] (one rectangle of a picture), [`partition`] (poisoned training data) and
//! [`trees`] (ensembles of decision trees), whose threat or model is another; [`vnnlib`] holds the
//! file formats of the verification competition.
//!
//! [`bounds`] are sound bounds on what a network can answer on a set of inputs; [`verify`] settles
//! properties with them; [`lipschitz`] bounds how much a network stretches distances; [`proof`]
//! makes certificates of all three. [`estimate`] holds what only looks like one.
pub mod bounds;
pub mod estimate;
pub mod lipschitz;
pub mod partition;
pub mod patch;
pub mod proof;
pub mod smoothing;
mod table;
pub mod trees;
pub mod verify;
pub mod vnnlib;
mod votes;

pub use lipschitz::LipschitzBound;
pub use proof::Prover;
pub use smoothing::{
    Ablation, AdaptiveSmoothing, DiscreteSmoothing, L1Smoothing, Smoothing, TopKSmoothing,
    certified_radius, probability_lower_bound,
};
pub use table::{CERTIFIERS, Certificate, Certification, Certifier, Entry, find};
pub use votes::Votes;
