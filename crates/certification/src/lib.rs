//! Certified robustness: statements about every perturbation of a ball, with their assumptions.
//!
//! [`CERTIFIERS`] lists the methods that certify any classifier; [`bounds`] are sound bounds of what a
//! network of known operations can answer.
pub mod bounds;
pub mod smoothing;
mod table;

pub use smoothing::{Smoothing, certified_radius, probability_lower_bound};
pub use table::{CERTIFIERS, Certificate, Certifier, Entry, find};
