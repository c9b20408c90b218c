//! Networks that make rows like those of the training samples, and what defends with them.
//!
//! [`Fitted::train`] trains a [`Plan`]: a GAN ([`GanPlan`]), a denoising autoencoder
//! ([`AutoencoderPlan`]) or a diffusion ([`DiffusionPlan`]). A GAN or a diffusion
//! ([`RowSampler`]) makes training data ([`generate`]); each is the heart of a purifier, a [`crate::Transformation`] that is fitted on
//! the training samples ([`DefenseGan`], [`MagnetReformer`], [`DiffusionPurifier`]).
//! [`LatentAttack`] looks for adversarial rows among those that a generator makes.
mod adversarial;
mod autoencoder;
mod diffusion;
mod fitting;
mod layers;
mod normal;
mod pseudo_labels;
mod purification;
mod sampler;
mod space;

pub use adversarial::{Critic, Game, GanPlan, Generator, LatentMap, Players};
pub use autoencoder::{Autoencoder, AutoencoderPlan};
pub use diffusion::{
    Denoiser, DiffusionPlan, NoiseSchedule, Posterior, Variances, denoised, diffused,
};
pub use fitting::{Fitted, GenerativeCard, Plan, fit};
pub use pseudo_labels::{PseudoLabelled, generate, pseudo_labels};
pub(crate) use purification::{DEFENSE_GAN, DIFFUSION_PURIFIER, MAGNET_REFORMER};
pub use purification::{
    DefenseGan, DiffusionPurifier, Inversion, Inverted, LatentAttack, MagnetReformer,
};
pub use sampler::RowSampler;
