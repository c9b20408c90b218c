//! Transformations of rows of any kind, or of tables.
mod feature_rounding;
mod gaussian_noise;
mod pca;
mod sign_quantizer;
mod softmax_temperature;
mod zeroed_gradient;

pub(crate) use feature_rounding::ENTRY as FEATURE_ROUNDING;
pub use feature_rounding::FeatureRounding;
pub(crate) use gaussian_noise::ENTRY as GAUSSIAN_NOISE;
pub use gaussian_noise::GaussianNoise;
pub(crate) use pca::ENTRY as PCA_DENOISING;
pub use pca::{Basis, PcaDenoising};
pub(crate) use sign_quantizer::ENTRY as SIGN_QUANTIZER;
pub use sign_quantizer::SignQuantizer;
pub(crate) use softmax_temperature::ENTRY as SOFTMAX_TEMPERATURE;
pub use softmax_temperature::SoftmaxTemperature;
pub(crate) use zeroed_gradient::ENTRY as ZEROED_GRADIENT;
pub use zeroed_gradient::ZeroedGradient;
