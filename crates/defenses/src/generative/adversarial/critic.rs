//! From a row to a score: how much it looks like a training row.
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;
use duress_core::Domain;

use crate::generative::layers::halving;
use crate::generative::space::Space;

/// Slope of the rectifiers below zero, as in the DCGAN paper.
const LEAK: f64 = 0.2;

/// The discriminator (its score a logit) or critic (its score a real number) of a GAN.
///
/// Pictures: two 4 × 4 convolutions of stride 2 and a linear layer; rows of another kind: three
/// fully connected layers; leaky rectifiers between. No batch norm: WGAN-GP forbids it (§4), and a
/// generator's step through it would move statistics that belong to the critic's.
#[derive(Module, Debug)]
pub struct Critic {
    body: CriticBody,
    #[module(skip)]
    space: Space,
}

/// The layers of a [`Critic`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a process holds a handful of them")]
enum CriticBody {
    Picture(PictureCritic),
    Row(Vec<Linear>),
}

#[derive(Module, Debug)]
struct PictureCritic {
    down1: Conv2d,
    down2: Conv2d,
    score: Linear,
}

impl Critic {
    pub(super) fn blank(domain: &Domain, width: usize, device: &Device) -> Self {
        let space = Space::of(domain);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let body = if let Some([channels, height, across]) = space.picture() {
            let last = 2 * width * (height / 4) * (across / 4);
            CriticBody::Picture(PictureCritic {
                down1: halving(channels, width, device),
                down2: halving(width, 2 * width, device),
                score: linear(last, 1),
            })
        } else {
            CriticBody::Row(vec![
                linear(domain.features(), 2 * width),
                linear(2 * width, 2 * width),
                linear(2 * width, 1),
            ])
        };
        Self { body, space }
    }

    /// Scores of rows, `[N, F] → [N, 1]`.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let count = rows.dims()[0];
        let values = self.space.shares(rows) * 2.0 - 1.0;
        match (&self.body, self.space.picture()) {
            (CriticBody::Picture(parts), Some([channels, height, width])) => {
                let maps = values.reshape([count, channels, height, width]);
                let maps = leaky_relu(parts.down1.forward(maps), LEAK);
                let maps = leaky_relu(parts.down2.forward(maps), LEAK);
                parts.score.forward(maps.flatten(1, 3))
            }
            (CriticBody::Row(layers), _) => {
                let mut values = layers[0].forward(values);
                for layer in &layers[1..] {
                    values = layer.forward(leaky_relu(values, LEAK));
                }
                values
            }
            (CriticBody::Picture(_), None) => unreachable!("convolutions are made for pictures"),
        }
    }
}
