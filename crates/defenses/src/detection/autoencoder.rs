//! A small autoencoder of clean rows.
//!
//! Meng, Chen. *`MagNet`: a Two-Pronged Defense against Adversarial Examples.* CCS 2017, §4.2 and
//! table 3. <https://arxiv.org/abs/1705.09064>
use std::sync::Arc;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::sigmoid;
use duress_core::{Domain, Layout, Use, host};
use duress_models::train::{LossOutput, OptimizerRecipe, Run, Schedule, Step};
use duress_models::{Batch, Objective, Recipe, Result, Trainable, TrainingData, he_normal, train};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::{DetectorEntry, Evidence};

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
    pub(super) fn check(&self, entry: &DetectorEntry) -> super::Result<()> {
        entry.at_least("width", 1, "at least 1", self.width)?;
        let fine = self.noise.is_finite() && self.noise >= 0.0;
        entry.expect(fine, "noise", "at least 0", self.noise)?;
        entry.at_least("epochs", 1, "at least 1", self.epochs as usize)?;
        entry.at_least("batch_size", 1, "at least 1", self.batch_size)?;
        entry.positive("learning_rate", self.learning_rate)
    }

    /// An autoencoder trained on the clean rows of the evidence, by the mean squared error.
    pub(super) fn fit(&self, evidence: &Evidence<'_>) -> super::Result<Autoencoder> {
        let (domain, passes) = (evidence.model.domain(), evidence.passes);
        let blank = Autoencoder::blank(domain, self.width, passes.device());
        let network = he_normal(blank, evidence.seed);
        let rows = host::floats(evidence.clean.clone())?;
        let ids: Vec<u64> = (0..evidence.labels.len() as u64).collect();
        let data = TrainingData {
            rows: &rows,
            labels: &evidence.labels,
            ids: &ids,
            domain,
            classes: evidence.model.classes(),
        };
        let recipe = Recipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: OptimizerRecipe::Adam {
                learning_rate: self.learning_rate,
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                weight_decay: 0.0,
            },
            schedule: Schedule::Constant {},
            seed: evidence.seed,
            ..Recipe::default()
        };
        let objective = Denoising { noise: self.noise };
        let run = Run { progress: evidence.progress, ..Run::new(passes) };
        Ok(train(&network, &objective, &data, &recipe, run)?.last.valid())
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
        let span = network.span(&device);
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
pub(super) struct Autoencoder {
    body: Body,
    #[module(skip)]
    domain: Shared,
}

/// The domain, shared by all copies.
#[derive(Clone, Debug)]
struct Shared(Arc<Domain>);

/// The layers, first to last, a sigmoid behind each.
#[derive(Module, Debug)]
enum Body {
    Picture(Vec<Conv2d>),
    Row(Vec<Linear>),
}

impl Autoencoder {
    fn blank(domain: &Domain, width: usize, device: &Device) -> Self {
        let body = match domain.layout() {
            Layout::Image { channels, .. } => {
                let conv = |inputs: usize, outputs: usize| {
                    Conv2dConfig::new([inputs, outputs], [3, 3])
                        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                        .init(device)
                };
                let sizes = [(channels, width), (width, width), (width, channels)];
                Body::Picture(sizes.map(|(inputs, outputs)| conv(inputs, outputs)).to_vec())
            }
            Layout::Waveform { .. } | Layout::Table { .. } => {
                let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
                let features = domain.features();
                Body::Row(vec![layer(features, width), layer(width, features)])
            }
        };
        Self { body, domain: Shared(Arc::new(domain.clone())) }
    }

    /// The length of each feature's box, 1 where it has none, `[1, F]`.
    fn span(&self, device: &Device) -> Tensor<2> {
        let (lower, upper) = self.domain.0.bounds(device);
        let span = upper - lower;
        span.clone().mask_fill(span.equal_elem(0.0), 1.0)
    }

    /// The reconstruction of rows, `[N, F] → [N, F]`, in the box.
    pub(super) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let ([count, features], device) = (rows.dims(), rows.device().inner());
        let (lower, _) = self.domain.0.bounds(&device);
        let span = self.span(&device);
        let shares = (rows - lower.clone()) / span.clone();
        let shares = match (&self.body, self.domain.0.layout()) {
            (Body::Picture(layers), Layout::Image { channels, height, width }) => {
                let maps = shares.reshape([count, channels, height, width]);
                let through = |maps, layer: &Conv2d| sigmoid(layer.forward(maps));
                layers.iter().fold(maps, through).reshape([count, features])
            }
            (Body::Row(layers), _) => {
                layers.iter().fold(shares, |values, layer| sigmoid(layer.forward(values)))
            }
            (Body::Picture(_), _) => unreachable!("convolutions are made for pictures"),
        };
        shares * span + lower
    }
}

impl Trainable for Autoencoder {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Autoencoder::forward(self, rows)
    }
}
