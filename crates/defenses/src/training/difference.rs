//! Derivatives by the input, as differences of losses on the tape of the weights.
//!
//! Automatic differentiation here is of first order: a gradient by the input has no gradient by the
//! weights. What a regulariser needs is the length of such a gradient, and along a direction that
//! is held fixed a length is a difference quotient, which does have a gradient by the weights: with
//! `d = v / ‖v‖`, `‖v‖ = ⟨v, d⟩` and `∂‖v‖/∂θ = ⟨∂v/∂θ, d⟩`, both exact as the distance goes to 0.
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{Goal, Loss};
use duress_models::train::{Step, snapshot};
use duress_models::{Batch, Result, Trainable};

/// Logits of several sets of rows `[B, F]` in one pass of the network in training mode, so that
/// batch norm and dropout treat them alike.
pub(super) fn logits_together<M: Trainable>(network: &M, parts: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    let count = parts.len();
    let logits = network.forward(Tensor::cat(parts, 0).inner().autodiff());
    logits.chunk(count, 0)
}

/// `∇ₓ CE` of each row for the network in evaluation mode, `[B, F]`.
pub(super) fn slopes<M: Trainable>(
    rows: Tensor<2>,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<Tensor<2>> {
    slopes_of(&LossKind::CrossEntropy, None, rows, network, batch, step)
}

/// The same of any loss, which sees `reference` `[B, K]` in its aim.
pub(super) fn slopes_of<M: Trainable>(
    loss: &dyn Loss,
    reference: Option<Tensor<2>>,
    rows: Tensor<2>,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<Tensor<2>> {
    let frozen = snapshot(network, step.domain)?;
    let mut aim = Goal::Untargeted(batch.labels.clone()).aim(&rows.device());
    if let Some(reference) = reference {
        aim = aim.with_reference(reference);
    }
    Ok(step.passes.gradient(&frozen, rows, &aim, loss)?.gradient)
}

/// Each row over its Euclidean length; a row of zeros stays one.
pub(super) fn directions(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).sqrt().clamp_min(1e-20);
    rows / length
}
