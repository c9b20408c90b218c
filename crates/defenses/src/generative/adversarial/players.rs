//! The two players of a GAN as one network, so that the training loop trains both.
use std::sync::Arc;

use burn::module::Module;
use burn::prelude::*;
use duress_core::{Domain, Passes, Result, Seed, host};
use duress_models::Trainable;

use super::critic::Critic;
use super::generator::{Generator, LatentMap};
use crate::generative::normal;

/// A generator and its critic.
#[derive(Module, Debug)]
pub struct Players {
    pub(super) generator: Generator,
    pub(super) critic: Critic,
}

impl Players {
    pub(super) fn blank(domain: &Domain, latent: usize, width: usize, device: &Device) -> Self {
        Self {
            generator: Generator::blank(domain, latent, width, device),
            critic: Critic::blank(domain, width, device),
        }
    }

    /// The generator.
    #[must_use]
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The generator by itself in evaluation mode, to search in.
    #[must_use]
    pub fn latent_map(&self) -> Arc<dyn LatentMap> {
        Arc::new(self.generator.valid())
    }

    /// The critic.
    #[must_use]
    pub fn critic(&self) -> &Critic {
        &self.critic
    }

    /// The generated rows number `ids`, row-major `[ids, F]`: each a function of the network, the
    /// seed and its number, whatever others are asked for.
    ///
    /// # Errors
    /// [`duress_core::Error::Device`] if a read fails.
    pub fn sample(&self, ids: &[u64], seed: Seed, passes: &Passes) -> Result<Vec<f32>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let generator = self.generator.valid();
        let latent = normal::rows(seed, ids, 0, generator.latent(), passes.device());
        let parts = passes.over(&latent, |latent, _| Ok([generator.forward(latent)]))?;
        let rows = parts.into_iter().map(|[rows]| rows).collect();
        host::floats(Tensor::cat(rows, 0))
    }
}

impl Trainable for Players {
    /// The scores of the critic, `[N, F] → [N, 1]`.
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.critic.forward(rows)
    }
}
