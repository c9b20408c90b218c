//! How a diffusion is made and trained.
use burn::prelude::*;
use duress_core::{Domain, Seed, Use};
use duress_models::train::{LossOutput, OptimizerRecipe, Schedule, Step};
use duress_models::{Batch, Objective, Recipe, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::denoiser::Denoiser;
use super::schedule::{NoiseSchedule, Variances};
use crate::generative::fitting::Plan;
use crate::generative::layers::{MOST_WIDTH, large_enough};
use crate::generative::normal;
use crate::transformation::mapping::{in_range, wrong};

/// Most steps of a diffusion.
const MOST_STEPS: usize = 10_000;

/// How a diffusion is made and trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiffusionPlan {
    /// Steps `T` from a row to noise.
    pub steps: usize,
    /// The variances of the steps.
    pub schedule: NoiseSchedule,
    /// Maps of the full size, or values of the outer hidden layers.
    pub width: usize,
    /// Passes over the training rows.
    pub epochs: u32,
    /// Rows of a training step.
    pub batch_size: usize,
    /// Learning rate of Adam, at its highest; it falls by a cosine.
    pub learning_rate: f64,
    /// Decay of the average of the weights that is used in the end.
    pub weight_average: f64,
}

impl Default for DiffusionPlan {
    /// For small pictures and a few thousand rows: a tenth of the paper's 1000 steps, cosine
    /// schedule.
    fn default() -> Self {
        Self {
            steps: 100,
            schedule: NoiseSchedule::Cosine,
            width: 32,
            epochs: 100,
            batch_size: 128,
            learning_rate: 2e-3,
            weight_average: 0.995,
        }
    }
}

impl DiffusionPlan {
    /// The variances of the steps.
    #[must_use]
    pub fn variances(&self) -> Variances {
        Variances::new(self.schedule, self.steps)
    }
}

impl Plan for DiffusionPlan {
    type Network = Denoiser;

    const KIND: &'static str = "diffusion";

    fn check(&self, algorithm: &'static str, domain: &Domain) -> duress_core::Result<()> {
        if !(1..=MOST_STEPS).contains(&self.steps) {
            return wrong(algorithm, "steps", "between 1 and 10000", self.steps);
        }
        if !(1..=MOST_WIDTH).contains(&self.width) {
            return wrong(algorithm, "width", "between 1 and 4096", self.width);
        }
        if self.epochs == 0 {
            return wrong(algorithm, "epochs", "at least 1", self.epochs);
        }
        if self.batch_size == 0 {
            return wrong(algorithm, "batch_size", "at least 1", self.batch_size);
        }
        let positive = f64::MIN_POSITIVE..;
        in_range(algorithm, "learning_rate", self.learning_rate, positive, "positive")?;
        in_range(algorithm, "weight_average", self.weight_average, 0.0..1.0, "in [0, 1)")?;
        large_enough(algorithm, domain)
    }

    fn blank(&self, domain: &Domain, device: &Device) -> Denoiser {
        Denoiser::blank(domain, self.width, device)
    }

    fn objective(&self) -> Box<dyn Objective<Denoiser>> {
        Box::new(NoisePrediction { variances: self.variances(), schedule: self.schedule })
    }

    fn recipe(&self, seed: Seed) -> Recipe {
        Recipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: OptimizerRecipe::Adam {
                learning_rate: self.learning_rate,
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                weight_decay: 0.0,
            },
            schedule: Schedule::Cosine { warmup_epochs: 0 },
            weight_average: Some(self.weight_average),
            seed,
            ..Recipe::default()
        }
    }
}

/// The mean squared error of the predicted noise at a step drawn for each row.
///
/// Ho, Jain, Abbeel, `NeurIPS` 2020, eq. (14) and alg. 1.
struct NoisePrediction {
    variances: Variances,
    schedule: NoiseSchedule,
}

impl Objective<Denoiser> for NoisePrediction {
    fn name(&self) -> &'static str {
        "noise-prediction"
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "steps": self.variances.steps(), "schedule": self.schedule })
    }

    fn loss(&self, network: &Denoiser, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let clean = network.centred(batch.rows.clone().inner());
        let ([_, features], device) = (clean.dims(), clean.device());
        let (seed, steps) = (step.epoch_seed(), self.variances.steps());
        let noise = normal::rows(seed, &batch.ids, 0, features, &device);
        // Of each row: √ᾱ, √(1 − ᾱ), and the place in [0, 1].
        let place = (0, 1, Use::Noise);
        let drawn = seed.rows(&batch.ids, place, 3, &device, |generator, row| {
            let at = generator.random_range(1..=steps);
            let kept = self.variances.kept(at);
            row[0] = kept.sqrt() as f32;
            row[1] = (1.0 - kept).sqrt() as f32;
            row[2] = place_of(at, steps);
        });
        let part = |index| drawn.clone().narrow(1, index, 1);
        let mixed = clean * part(0) + noise.clone() * part(1);
        let predicted = network.predict(mixed.autodiff(), part(2).autodiff());
        let loss = (predicted - noise.autodiff()).square().mean();
        Ok(LossOutput { loss, logits: None })
    }
}

/// Where a step is, from 0 for the first to 1 for the last.
pub(crate) fn place_of(step: usize, steps: usize) -> f32 {
    (step - 1) as f32 / (steps - 1).max(1) as f32
}
