//! The inner maximisation of adversarial training.
use burn::prelude::*;
use duress_core::{Cut, Goal, GradientAttack, GradientOracle, Job, Region, Threat, WhiteBox};
use duress_models::train::{LossOutput, Step, cross_entropy, snapshot};
use duress_models::{Batch, Result, Trainable};

/// Rows that `attack` finds against the network in evaluation mode, `[B, F]`.
///
/// Every sample is attacked, whether it is classified correctly or not, and none stops early.
pub(super) fn adversarial_rows<M: Trainable>(
    attack: &dyn GradientAttack,
    threat: &Threat,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<Tensor<2>> {
    let frozen = snapshot(network, step.domain)?;
    let oracle = WhiteBox::with_cut(&frozen, step.passes, Cut::FULL);
    let rows = batch.rows.clone().inner();
    let aim = Goal::Untargeted(batch.labels.clone()).aim(&rows.device());
    let region = Region::new(rows, threat, step.domain)?;
    let draws = (step.epoch_seed(), batch.ids.clone());
    let mut job = Job::maximise(&oracle as &dyn GradientOracle, region, aim, draws, step.progress);
    Ok(attack.perturb(&mut job)?)
}

/// The share of the final radius at `step`: rises linearly over the first `warmup_epochs`.
pub(super) fn ramp(step: &Step<'_>, warmup_epochs: u32) -> f64 {
    let done = f64::from(step.epoch) + step.step as f64 / step.steps.max(1) as f64;
    if warmup_epochs == 0 { 1.0 } else { (done / f64::from(warmup_epochs)).min(1.0) }
}

/// The logits of the network in training mode at `rows` `[B, F]`, on the tape of its weights.
pub(super) fn logits_at<M: Trainable>(rows: Tensor<2>, network: &M) -> Tensor<2> {
    network.forward(rows.inner().autodiff())
}

/// The mean cross-entropy of `logits` with the recipe's label smoothing.
pub(super) fn mean_cross_entropy(logits: Tensor<2>, batch: &Batch, step: &Step<'_>) -> Tensor<1> {
    cross_entropy(logits, batch.targets(), step.label_smoothing).mean()
}

/// The mean cross-entropy of the network in training mode at `rows` `[B, F]`.
pub(super) fn loss_at<M: Trainable>(
    rows: Tensor<2>,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> LossOutput {
    let logits = logits_at(rows, network);
    let loss = mean_cross_entropy(logits.clone(), batch, step);
    LossOutput { loss, logits: Some(logits.inner()) }
}

/// The hyperparameters of a recipe as it is written in a file.
pub(super) fn parameters(recipe: &impl serde::Serialize) -> serde_json::Value {
    // A struct of numbers and names always has a JSON form.
    serde_json::to_value(recipe).unwrap_or_default()
}
