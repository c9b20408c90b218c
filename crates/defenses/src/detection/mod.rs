//! Detectors of adversarial inputs.
//!
//! [`crate::DETECTORS`] lists them. A [`DetectionMethod`] is fitted on [`Evidence`] (clean rows,
//! and for some methods adversarial ones) and becomes a [`Detector`] that scores rows; a
//! [`Threshold`] comes from clean rows of its own at a chosen rate of false positives. [`Guarded`]
//! is the classifier that refuses what is flagged: what an adversary who knows of the detector
//! attacks.
mod activation_classifier;
mod autoencoder;
mod deep_neighbors;
mod detector;
mod entry;
mod error;
mod feature_squeezing;
mod guarded;
mod intrinsic_dimension;
mod kernel_density;
mod layers;
mod linear_algebra;
mod logistic;
mod mahalanobis;
mod neighbors;
mod noise_odds;
mod reconstruction;
mod reconstruction_divergence;
mod squeezers;
mod subset_scanning;
mod threshold;

pub use crate::generative::AutoencoderPlan;
pub use activation_classifier::ActivationClassifier;
pub(crate) use activation_classifier::ENTRY as ACTIVATION_CLASSIFIER;
pub use deep_neighbors::DeepNeighbors;
pub(crate) use deep_neighbors::ENTRY as DEEP_NEIGHBORS;
pub use detector::{DetectionMethod, Detector, Evidence, scores};
pub use entry::DetectorEntry;
pub use error::{Error, Result};
pub(crate) use feature_squeezing::ENTRY as FEATURE_SQUEEZING;
pub use feature_squeezing::FeatureSqueezing;
pub use guarded::Guarded;
pub(crate) use intrinsic_dimension::ENTRY as INTRINSIC_DIMENSION;
pub use intrinsic_dimension::IntrinsicDimension;
pub(crate) use kernel_density::ENTRY as KERNEL_DENSITY;
pub use kernel_density::KernelDensity;
pub(crate) use mahalanobis::ENTRY as MAHALANOBIS;
pub use mahalanobis::Mahalanobis;
pub(crate) use noise_odds::ENTRY as NOISE_ODDS;
pub use noise_odds::{NoiseKind, NoiseOdds};
pub(crate) use reconstruction::ENTRY as RECONSTRUCTION;
pub use reconstruction::Reconstruction;
pub(crate) use reconstruction_divergence::ENTRY as RECONSTRUCTION_DIVERGENCE;
pub use reconstruction_divergence::ReconstructionDivergence;
pub(crate) use subset_scanning::ENTRY as SUBSET_SCANNING;
pub use subset_scanning::SubsetScanning;
pub use threshold::Threshold;
