//! Estimates of robustness: numbers that look like radii and prove nothing.
//!
//! They are kept apart from the certifiers: an attack can break what an estimate says, and for
//! [`Clever`] on networks that mask their gradients one does (Goodfellow. *Gradient Masking Causes
//! CLEVER to Overestimate Adversarial Perturbation Size.* 2018. <https://arxiv.org/abs/1804.07870>).
mod clever;
mod weibull;

pub use clever::{Clever, CleverEstimate};
pub use weibull::reverse_weibull_location;
