//! Defences that transform the input of a classifier.
//!
//! A [`Transformation`] holds hyperparameters; [`Transformation::wrap`] puts it in front of a
//! classifier. What comes of it, [`Defended`], is attacked by those who know it (BPDA, and in
//! expectation over draws where it is random) unless another view is asked for.
pub mod audio;
mod backward;
mod defended;
mod draws;
mod fitting;
pub mod generic;
pub(crate) mod host_rows;
pub mod image;
pub(crate) mod mapping;
mod passage;
mod trained_behind;
pub mod zoo;

pub use audio::{BandPass, MuLaw, NoiseInjection, Resampling, SpeedPerturbation, WaveformMedian};
pub use backward::Backward;
pub use defended::{Adversary, Defended, Naive};
pub use draws::Draws;
pub use fitting::TrainingRows;
pub use generic::{
    FeatureRounding, GaussianNoise, PcaDenoising, SignQuantizer, SoftmaxTemperature, ZeroedGradient,
};
pub use image::{
    BitDepth, Denoising, ErrorDiffusion, GaussianSmoothing, Jpeg, MedianSmoothing, NonLocalMeans,
    OrderedDithering, PixelDeflection, Quilting, RandomResize, Thermometer, TotalVariation,
    WaveletDenoising,
};
pub use mapping::{Mapping, Transformation};
pub use passage::Passage;
pub use trained_behind::TrainedBehind;
