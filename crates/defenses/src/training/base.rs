//! The recipe inside another one.
use burn::prelude::*;
use duress_core::{Result as CoreResult, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Objective, Result, Standard, Trainable};
use serde::{Deserialize, Serialize};

use super::inner;
use super::minimax::Minimax;
use super::{LogitPairing, Mart, PgdTraining, Trades, TrainingDefense};

/// What a wrapper minimises: cross-entropy, or a recipe of adversarial training with its
/// hyperparameters, as in `inner = { name = "trades", beta = 6 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum BaseRecipe {
    /// [`LogitPairing`].
    LogitPairing(LogitPairing),
    /// [`Mart`].
    Mart(Mart),
    /// [`PgdTraining`].
    PgdTraining(PgdTraining),
    /// Cross-entropy at the samples themselves.
    Standard(NoParameters),
    /// [`Trades`].
    Trades(Trades),
}

/// No hyperparameters: an unknown key is an error here too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoParameters {}

impl BaseRecipe {
    /// Cross-entropy at the samples themselves.
    #[must_use]
    pub fn standard() -> Self {
        Self::Standard(NoParameters {})
    }

    pub(super) fn find<M: Trainable>(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<Tensor<2>> {
        match self {
            Self::LogitPairing(recipe) => recipe.find(network, batch, step),
            Self::Mart(recipe) => recipe.find(network, batch, step),
            Self::PgdTraining(recipe) => recipe.find(network, batch, step),
            Self::Standard(_) => Ok(batch.rows.clone()),
            Self::Trades(recipe) => recipe.find(network, batch, step),
        }
    }

    pub(super) fn loss_at<M: Trainable>(
        &self,
        found: Tensor<2>,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<LossOutput> {
        match self {
            Self::LogitPairing(recipe) => recipe.loss_at(found, network, batch, step),
            Self::Mart(recipe) => recipe.loss_at(found, network, batch, step),
            Self::PgdTraining(recipe) => recipe.loss_at(found, network, batch, step),
            Self::Standard(_) => Ok(inner::loss_at(found, network, batch, step)),
            Self::Trades(recipe) => recipe.loss_at(found, network, batch, step),
        }
    }

    pub(super) fn loss<M: Trainable>(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<LossOutput> {
        match self {
            Self::LogitPairing(recipe) => recipe.loss(network, batch, step),
            Self::Mart(recipe) => recipe.loss(network, batch, step),
            Self::PgdTraining(recipe) => recipe.loss(network, batch, step),
            Self::Standard(_) => Objective::<M>::loss(&Standard, network, batch, step),
            Self::Trades(recipe) => recipe.loss(network, batch, step),
        }
    }

    fn defense(&self) -> Option<&dyn TrainingDefense> {
        match self {
            Self::LogitPairing(recipe) => Some(recipe),
            Self::Mart(recipe) => Some(recipe),
            Self::PgdTraining(recipe) => Some(recipe),
            Self::Standard(_) => None,
            Self::Trades(recipe) => Some(recipe),
        }
    }

    pub(super) fn threat(&self) -> Option<Threat> {
        self.defense()?.threat()
    }

    pub(super) fn check(&self) -> CoreResult<()> {
        self.defense().map_or(Ok(()), TrainingDefense::check)
    }
}
