//! Transformations of sounds.
mod band_pass;
mod convolution;
mod median;
mod mu_law;
mod noise_injection;
mod resampling;
mod speed_perturbation;

pub use band_pass::BandPass;
pub(crate) use band_pass::ENTRY as BAND_PASS;
pub(crate) use median::ENTRY as WAVEFORM_MEDIAN;
pub use median::WaveformMedian;
pub(crate) use mu_law::ENTRY as MU_LAW;
pub use mu_law::MuLaw;
pub(crate) use noise_injection::ENTRY as NOISE_INJECTION;
pub use noise_injection::NoiseInjection;
pub(crate) use resampling::ENTRY as RESAMPLING;
pub use resampling::Resampling;
pub(crate) use speed_perturbation::ENTRY as SPEED_PERTURBATION;
pub use speed_perturbation::SpeedPerturbation;
