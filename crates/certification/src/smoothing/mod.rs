//! Randomized smoothing.
mod bound;
mod gaussian;

pub use bound::{certified_radius, probability_lower_bound};
pub(crate) use gaussian::ENTRY;
pub use gaussian::Smoothing;
