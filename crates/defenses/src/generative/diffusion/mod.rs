//! Denoising diffusion models of small pictures and of rows of any kind.
mod denoiser;
mod plan;
mod reverse;
mod schedule;

pub use denoiser::Denoiser;
pub use plan::DiffusionPlan;
pub(crate) use plan::place_of;
pub use reverse::{denoised, diffused};
pub use schedule::{NoiseSchedule, Posterior, Variances};
