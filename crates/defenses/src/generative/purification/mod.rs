//! Transformations that replace a row by one that a generative network holds for clean.
//!
//! Their networks live on the device that they were trained on; rows must come from there.
mod defense_gan;
mod diffusion_purifier;
mod inversion;
mod latent_attack;
mod magnet_reformer;

use duress_core::{Domain, Error, Result};

pub use defense_gan::DefenseGan;
pub(crate) use defense_gan::ENTRY as DEFENSE_GAN;
pub use diffusion_purifier::DiffusionPurifier;
pub(crate) use diffusion_purifier::ENTRY as DIFFUSION_PURIFIER;
pub use inversion::{Inversion, Inverted};
pub use latent_attack::LatentAttack;
pub(crate) use magnet_reformer::ENTRY as MAGNET_REFORMER;
pub use magnet_reformer::MagnetReformer;

/// Refuses rows of another layout than a network was trained on.
fn fits(what: &'static str, trained: &Domain, domain: &Domain) -> Result<()> {
    if trained.layout() == domain.layout() {
        return Ok(());
    }
    Err(Error::Shape {
        what,
        expected: format!("{:?}, as it was fitted on", trained.layout()),
        got: format!("{:?}", domain.layout()),
    })
}
