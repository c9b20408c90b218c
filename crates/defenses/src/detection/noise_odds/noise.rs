//! The noise of the test, and how it moves logits.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Seed, Use};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::NoiseOdds;
use crate::detection::detector::table;

/// How a feature of the noise is drawn, at size `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// From a Gaussian of standard deviation `s`.
    Gaussian,
    /// Either `−s` or `s`.
    Sign,
    /// Uniformly from `[−s, s]`.
    Uniform,
}

impl NoiseKind {
    /// One draw at size 1.
    pub(super) fn draw(self, rng: &mut impl Rng) -> f32 {
        match self {
            NoiseKind::Gaussian => rng.sample(StandardNormal),
            NoiseKind::Sign if rng.random::<bool>() => 1.0,
            NoiseKind::Sign => -1.0,
            NoiseKind::Uniform => rng.random_range(-1.0..=1.0),
        }
    }
}

/// How noise moves the logits of a classifier.
pub(super) struct Shifts {
    model: Arc<dyn Classifier>,
    /// Of each kind and size, `[1, F]` a draw.
    noise: Vec<Vec<Tensor<2>>>,
    /// Sides of the box, `[1, F]`.
    sides: (Tensor<2>, Tensor<2>),
}

impl Shifts {
    pub(super) fn new(
        model: &Arc<dyn Classifier>,
        method: &NoiseOdds,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let domain = model.domain();
        let features = domain.features();
        let span = |feature| domain.upper().at(feature) - domain.lower().at(feature);
        let pairs =
            method.kinds.iter().flat_map(|kind| method.sizes.iter().map(move |s| (kind, s)));
        let noise = pairs.enumerate().map(|(setting, (kind, &size))| {
            let draw = |draw: u32| {
                let mut rng = seed.stream(0, setting as u32, draw, Use::Noise);
                let value = |feature: usize| kind.draw(&mut rng) * size as f32 * span(feature);
                table((0..features).map(value).collect(), features, device)
            };
            (0..method.draws).map(draw).collect()
        });
        let (noise, sides) = (noise.collect(), domain.bounds(device));
        Self { model: Arc::clone(model), noise, sides }
    }

    pub(super) fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    /// Kinds times sizes.
    pub(super) fn settings(&self) -> usize {
        self.noise.len()
    }

    /// The mean shift of the logits by each kind and size, and the logits themselves, `[N, K]` each.
    pub(super) fn of(&self, rows: Tensor<2>) -> (Vec<Tensor<2>>, Tensor<2>) {
        let logits = self.model.forward(rows.clone());
        let sides = [&self.sides.0, &self.sides.1].map(|side| side.clone().expand(rows.dims()));
        let mean = |draws: &Vec<Tensor<2>>| {
            let [lower, upper] = &sides;
            let noisy = draws.iter().map(|noise| {
                let noisy = rows.clone() + noise.clone();
                self.model.forward(noisy.max_pair(lower.clone()).min_pair(upper.clone()))
            });
            let sum = noisy.fold(logits.zeros_like(), |sum, logits| sum + logits);
            sum / draws.len() as f64 - logits.clone()
        };
        (self.noise.iter().map(mean).collect(), logits)
    }
}
