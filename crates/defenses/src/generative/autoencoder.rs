//! A small autoencoder of clean rows.
//!
//! Meng, Chen. *`MagNet`: a Two-Pronged Defense against Adversarial Examples.* CCS 2017, §4.2 and
//! table 3. <https://arxiv.org/abs/1705.09064>
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::sigmoid;
use duress_core::{Domain, Seed, Use};
use duress_models::train::{LossOutput, OptimizerRecipe, Schedule, Step};
use duress_models::{Batch, Objective, Recipe, Result, Trainable};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::fitting::Plan;
use super::layers::MOST_WIDTH;
use super::space::Space;
use crate::transformation::mapping::{in_range, wrong};

/// How an autoencoder is made and trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderPlan {
    /// Maps of the hidden layers of pictures; values of the one hidden layer of other rows.
    pub width: usize,
    /// Standard deviation of the noise that training adds to the input, as a share of the box.
    pub noise: f64,
    /// Passes over the clean rows.
    pub epochs: u32,
    /// Rows of a training step.
    pub batch_size: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
}

impl Default for AutoencoderPlan {
    /// The paper's on MNIST: three maps, noise 0.1, 100 epochs of batches of 256, Adam at 0.001.
    fn default() -> Self {
        Self { width: 3, noise: 0.1, epochs: 100, batch_size: 256, learning_rate: 0.001 }
    }
}

impl AutoencoderPlan {
    /// Checks the hyperparameters, which do not depend on a domain.
    pub(crate) fn check_alone(&self, algorithm: &'static str) -> duress_core::Result<()> {
        if !(1..=MOST_WIDTH).contains(&self.width) {
            return wrong(algorithm, "width", "between 1 and 4096", self.width);
        }
        in_range(algorithm, "noise", self.noise, 0.0.., "at least 0")?;
        if self.epochs == 0 {
            return wrong(algorithm, "epochs", "at least 1", self.epochs);
        }
        if self.batch_size == 0 {
            return wrong(algorithm, "batch_size", "at least 1", self.batch_size);
        }
        let positive = f64::MIN_POSITIVE..;
        in_range(algorithm, "learning_rate", self.learning_rate, positive, "positive")
    }
}

impl Plan for AutoencoderPlan {
    type Network = Autoencoder;

    const KIND: &'static str = "autoencoder";

    fn check(&self, algorithm: &'static str, _: &Domain) -> duress_core::Result<()> {
        self.check_alone(algorithm)
    }

    fn blank(&self, domain: &Domain, device: &Device) -> Autoencoder {
        Autoencoder::blank(domain, self.width, device)
    }

    fn objective(&self) -> Box<dyn Objective<Autoencoder>> {
        Box::new(Denoising { noise: self.noise })
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
            schedule: Schedule::Constant {},
            seed,
            ..Recipe::default()
        }
    }
}

/// The mean squared error of the reconstruction of noisy rows.
struct Denoising {
    noise: f64,
}

impl Objective<Autoencoder> for Denoising {
    fn name(&self) -> &'static str {
        "denoising"
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "noise": self.noise })
    }

    fn loss(&self, network: &Autoencoder, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let clean = batch.rows.clone().inner();
        let ([_, features], device) = (clean.dims(), clean.device());
        let noise = step.epoch_seed().rows(
            &batch.ids,
            (0, 0, Use::Noise),
            features,
            &device,
            |rng, row| row.fill_with(|| rng.sample(StandardNormal)),
        );
        let (lower, upper) = step.domain.bounds(&device);
        let span = network.space.span(&device);
        let disturbed = clean.clone() + noise * span.clone() * self.noise;
        let disturbed = disturbed.max_pair(lower).min_pair(upper);
        let error = (network.forward(disturbed.autodiff()) - clean.autodiff()) / span.autodiff();
        Ok(LossOutput { loss: error.square().mean(), logits: None })
    }
}

/// Three 3 × 3 convolutions with sigmoids for pictures (the paper's detector II and its network for
/// CIFAR-10, whose maps keep the size of the picture); two fully connected layers with sigmoids
/// for other rows.
#[derive(Module, Debug)]
pub struct Autoencoder {
    body: AutoencoderBody,
    #[module(skip)]
    space: Space,
}

/// The layers, first to last, a sigmoid behind each.
#[derive(Module, Debug)]
enum AutoencoderBody {
    Picture(Vec<Conv2d>),
    Row(Vec<Linear>),
}

impl Autoencoder {
    fn blank(domain: &Domain, width: usize, device: &Device) -> Self {
        let space = Space::of(domain);
        let body = if let Some([channels, ..]) = space.picture() {
            let conv = |inputs: usize, outputs: usize| {
                Conv2dConfig::new([inputs, outputs], [3, 3])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                    .init(device)
            };
            let sizes = [(channels, width), (width, width), (width, channels)];
            AutoencoderBody::Picture(sizes.map(|(inputs, outputs)| conv(inputs, outputs)).to_vec())
        } else {
            let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
            let features = domain.features();
            AutoencoderBody::Row(vec![layer(features, width), layer(width, features)])
        };
        Self { body, space }
    }

    /// The reconstruction of rows, `[N, F] → [N, F]`, in the box.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let [count, features] = rows.dims();
        let shares = self.space.shares(rows);
        let shares = match (&self.body, self.space.picture()) {
            (AutoencoderBody::Picture(layers), Some([channels, height, width])) => {
                let maps = shares.reshape([count, channels, height, width]);
                let through = |maps, layer: &Conv2d| sigmoid(layer.forward(maps));
                layers.iter().fold(maps, through).reshape([count, features])
            }
            (AutoencoderBody::Row(layers), _) => {
                layers.iter().fold(shares, |values, layer| sigmoid(layer.forward(values)))
            }
            (AutoencoderBody::Picture(_), None) => {
                unreachable!("convolutions are made for pictures")
            }
        };
        self.space.rows(shares)
    }
}

impl Trainable for Autoencoder {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Autoencoder::forward(self, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use duress_core::host;

    /// `σ(σ(x / 2 · 4) · 3)` as a share of the box `[0, 2]`; a feature without a box keeps its value.
    #[test]
    fn the_layers_are_linear_with_a_sigmoid_behind_each() {
        let device = Device::flex();
        let domain = Domain::table(vec![0.0, 7.0], vec![2.0, 7.0]).unwrap();
        let mut network = Autoencoder::blank(&domain, 1, &device);
        let AutoencoderBody::Row(layers) = &mut network.body else { panic!("rows of a table") };
        layers[0].weight = Param::from_data([[4.0], [0.0]], &device);
        layers[0].bias = Some(Param::from_data([0.0], &device));
        layers[1].weight = Param::from_data([[3.0, 1.0]], &device);
        layers[1].bias = Some(Param::from_data([0.0, 0.0], &device));
        let rows = Tensor::<2>::from_data([[0.5, 7.0]], &device);
        let got = host::floats(network.forward(rows)).unwrap();
        let logistic = |value: f64| 1.0 / (1.0 + (-value).exp());
        let expected = 2.0 * logistic(3.0 * logistic(1.0));
        assert!((f64::from(got[0]) - expected).abs() < 1e-6, "{got:?}");
        assert_eq!(got[1].to_bits(), 7.0_f32.to_bits());
    }
}
