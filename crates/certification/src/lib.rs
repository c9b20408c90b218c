//! Certified robustness: statements about every perturbation of a ball, with their assumptions.
//!
//! [`CERTIFIERS`] lists the methods.
pub mod bounds;
pub mod smoothing;
mod table;

pub use smoothing::{Smoothing, certified_radius, probability_lower_bound};
pub use table::{CERTIFIERS, Certificate, Certifier, Entry, find};
