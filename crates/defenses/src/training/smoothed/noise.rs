//! Several draws of noise for each sample, and the mean of the answers under them.
use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::{Result, Use};
use duress_models::train::Step;
use duress_models::{Batch, Trainable};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::training::check::Check;
use crate::training::difference::logits_together;
use crate::training::inner::mean_cross_entropy;

/// `draws` tensors `[B, F]` of `N(0, σ²I)`, fresh for each sample and epoch. The first is that of
/// [`crate::training::GaussianAugmentation`].
pub(super) fn noises(batch: &Batch, step: &Step<'_>, sigma: f64, draws: u32) -> Vec<Tensor<2>> {
    let rows = batch.rows.clone().inner();
    let (features, device) = (rows.dims()[1], rows.device());
    let draw = |draw: u32| {
        let at = (draw, 0, Use::Noise);
        let noise = step.epoch_seed().rows(&batch.ids, at, features, &device, |rng, row| {
            row.fill_with(|| rng.sample(StandardNormal));
        });
        noise * sigma
    };
    (0..draws).map(draw).collect()
}

/// Logits `[B, K]` under each of `noises`, of the network in training mode, in one pass.
pub(super) fn logits_under<M: Trainable>(
    network: &M,
    rows: &Tensor<2>,
    noises: Vec<Tensor<2>>,
) -> Vec<Tensor<2>> {
    let rows = rows.clone().inner();
    logits_together(network, noises.into_iter().map(|noise| rows.clone() + noise).collect())
}

/// `1/m Σ softmax(zᵢ)` of logits `[B, K]`.
pub(super) fn mean_probabilities(logits: &[Tensor<2>]) -> Tensor<2> {
    let probabilities = logits.iter().map(|logits| softmax(logits.clone(), 1)).collect();
    mean_of(probabilities)
}

/// The mean of tensors of one shape, of which there is at least one.
pub(super) fn mean_of<const D: usize>(tensors: Vec<Tensor<D>>) -> Tensor<D> {
    let count = tensors.len() as f64;
    let sum = tensors.into_iter().reduce(|sum, tensor| sum + tensor);
    sum.expect("a recipe draws at least once") / count
}

/// The cross-entropy of all draws, each with the recipe's label smoothing.
pub(super) fn mean_of_cross_entropies(
    logits: &[Tensor<2>],
    batch: &Batch,
    step: &Step<'_>,
) -> Tensor<1> {
    mean_of(logits.iter().map(|z| mean_cross_entropy(z.clone(), batch, step)).collect())
}

/// Checks what the recipe called `name` draws.
pub(super) fn check(name: &'static str, sigma: f64, draws: u32, least: u32) -> Result<()> {
    let check = Check(name);
    check.positive("sigma", sigma)?;
    let expected = if least == 1 { "at least 1" } else { "at least 2: answers are compared" };
    check.holds(draws >= least, "draws", expected, draws)
}
