//! `MagNet`'s reformer: the classifier sees the reconstruction by a denoising autoencoder.
//!
//! Meng, Chen. *`MagNet`: a Two-Pronged Defense against Adversarial Examples.* CCS 2017, §4.3.
//! <https://arxiv.org/abs/1705.09064>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Domain, Error, Result, Seed};
use serde::{Deserialize, Serialize};

use super::fits;
use crate::generative::autoencoder::{Autoencoder, AutoencoderPlan};
use crate::generative::fitting::{Fitted, Plan, fit};
use crate::table::{Entry, defaults, transformation};
use crate::transformation::{Backward, Draws, Mapping, TrainingRows, Transformation};

/// Replaces a row by its reconstruction. Differentiable: a gradient passes by the chain rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MagnetReformer {
    /// Seed of the training of the autoencoder.
    pub seed: u64,
    /// The autoencoder.
    pub autoencoder: AutoencoderPlan,
    /// The trained autoencoder.
    #[serde(skip)]
    pub fitted: Option<Arc<Fitted<AutoencoderPlan>>>,
}

pub(crate) const ENTRY: Entry = Entry {
    name: "magnet-reformer",
    summary: "reconstruction by an autoencoder of the training samples",
    reference: "arXiv:1705.09064",
    defaults: defaults::<MagnetReformer>,
    parse: transformation::<MagnetReformer>,
};

impl Transformation for MagnetReformer {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        let fitted = fit(ENTRY.name, &self.autoencoder, data, Seed(self.seed))?;
        Ok(Some(Box::new(Self { fitted: Some(Arc::new(fitted)), ..self.clone() })))
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        self.autoencoder.check(ENTRY.name, domain)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let Some(fitted) = &self.fitted else {
            return Err(Error::NotFitted { algorithm: ENTRY.name });
        };
        fits("rows of a reformer", &fitted.card().domain, domain)?;
        Ok(Box::new(Reconstruction(fitted.network().clone())))
    }
}

struct Reconstruction(Autoencoder);

impl Mapping for Reconstruction {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        self.0.forward(rows)
    }
}
