//! Adversarial training in two halves: find points, then take the loss there.
use burn::prelude::*;
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Objective, Result, Trainable};

/// A recipe whose step is an attack on the network in evaluation mode, followed by a loss of the
/// network in training mode at what the attack found.
pub(super) trait Minimax<M: Trainable>: Objective<M> {
    /// The rows that the inner maximisation finds, `[B, F]`, off the tape.
    ///
    /// # Errors
    /// Those of the attack.
    fn find(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<Tensor<2>>;

    /// The loss at what was found, on the tape of `network`.
    ///
    /// # Errors
    /// If the loss cannot be computed.
    fn loss_at(
        &self,
        found: Tensor<2>,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<LossOutput>;
}

/// Both halves.
pub(super) fn minimax<M: Trainable>(
    recipe: &impl Minimax<M>,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<LossOutput> {
    let found = recipe.find(network, batch, step)?;
    recipe.loss_at(found, network, batch, step)
}
