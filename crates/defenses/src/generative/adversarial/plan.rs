//! How a GAN is made and trained.
use burn::prelude::*;
use duress_core::{Domain, Seed};
use duress_models::train::{OptimizerRecipe, Schedule};
use duress_models::{Objective, Recipe};
use serde::{Deserialize, Serialize};

use super::objective::{Game, Play};
use super::players::Players;
use crate::generative::fitting::Plan;
use crate::generative::layers::{MOST_WIDTH, large_enough};
use crate::transformation::mapping::{in_range, wrong};

/// How a GAN is made and trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanPlan {
    /// What the players minimise.
    pub game: Game,
    /// Length of a latent vector.
    pub latent: usize,
    /// Maps of the narrowest layer; half the values of the hidden layers of rows that are no
    /// pictures.
    pub width: usize,
    /// Passes over the training rows.
    pub epochs: u32,
    /// Rows of a training step, and as many generated ones.
    pub batch_size: usize,
    /// Learning rate of Adam, of both players.
    pub learning_rate: f64,
    /// Decays of Adam's moments.
    pub betas: [f64; 2],
}

impl Default for GanPlan {
    /// Radford et al., §4, on a network for small pictures: Adam at 0.0002 with β₁ = 0.5, batches
    /// of 128. The number of passes is for data sets of a few thousand rows.
    fn default() -> Self {
        Self {
            game: Game::default(),
            latent: 32,
            width: 32,
            epochs: 100,
            batch_size: 128,
            learning_rate: 2e-4,
            betas: [0.5, 0.999],
        }
    }
}

impl Plan for GanPlan {
    type Network = Players;

    const KIND: &'static str = "gan";

    fn check(&self, algorithm: &'static str, domain: &Domain) -> duress_core::Result<()> {
        for (field, value) in [("latent", self.latent), ("width", self.width)] {
            if !(1..=MOST_WIDTH).contains(&value) {
                return wrong(algorithm, field, "between 1 and 4096", value);
            }
        }
        if self.epochs == 0 {
            return wrong(algorithm, "epochs", "at least 1", self.epochs);
        }
        if self.batch_size == 0 {
            return wrong(algorithm, "batch_size", "at least 1", self.batch_size);
        }
        let positive = f64::MIN_POSITIVE..;
        in_range(algorithm, "learning_rate", self.learning_rate, positive.clone(), "positive")?;
        for beta in self.betas {
            in_range(algorithm, "betas", beta, 0.0..1.0, "in [0, 1)")?;
        }
        if let Game::WassersteinFiniteDifferencePenalty { critic_steps, penalty, distance } =
            self.game
        {
            if critic_steps == 0 {
                return wrong(algorithm, "game.critic_steps", "at least 1", critic_steps);
            }
            in_range(algorithm, "game.penalty", penalty, 0.0.., "at least 0")?;
            in_range(algorithm, "game.distance", distance, positive, "positive")?;
        }
        large_enough(algorithm, domain)
    }

    fn blank(&self, domain: &Domain, device: &Device) -> Players {
        Players::blank(domain, self.latent, self.width, device)
    }

    fn objective(&self) -> Box<dyn Objective<Players>> {
        Box::new(Play { game: self.game.clone() })
    }

    fn recipe(&self, seed: Seed) -> Recipe {
        Recipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: OptimizerRecipe::Adam {
                learning_rate: self.learning_rate,
                betas: self.betas,
                epsilon: 1e-8,
                weight_decay: 0.0,
            },
            schedule: Schedule::Constant {},
            seed,
            ..Recipe::default()
        }
    }
}
