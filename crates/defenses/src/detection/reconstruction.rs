//! `MagNet` by reconstruction: an autoencoder of clean rows does not reproduce an adversarial one.
//!
//! Meng, Chen. *`MagNet`: a Two-Pronged Defense against Adversarial Examples.* CCS 2017, §4.2.1.
//! <https://arxiv.org/abs/1705.09064>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::Classifier;
use serde::{Deserialize, Serialize};

use super::autoencoder::autoencoder_of;
use super::entry::parse;
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::generative::{Autoencoder, AutoencoderPlan};
use crate::table::defaults;

/// The mean of `|x − ae(x)|ᵖ` over the features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconstruction {
    /// The power `p`, 1 or 2.
    pub power: u32,
    /// The autoencoder.
    pub autoencoder: AutoencoderPlan,
}

impl Default for Reconstruction {
    /// The paper's L1 detector.
    fn default() -> Self {
        Self { power: 1, autoencoder: AutoencoderPlan::default() }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "magnet-reconstruction",
    summary: "reconstruction error of an autoencoder of clean rows",
    reference: "arXiv:1705.09064",
    slope: "exact",
    supervised: false,
    defaults: defaults::<Reconstruction>,
    parse: parse::<Reconstruction>,
};

impl DetectionMethod for Reconstruction {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.expect(matches!(self.power, 1 | 2), "power", "1 or 2", self.power)?;
        Ok(self.autoencoder.check_alone(ENTRY.name)?)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 1)?;
        let (model, power) = (Arc::clone(&evidence.model), self.power);
        Ok(Box::new(Fitted {
            model,
            autoencoder: autoencoder_of(&self.autoencoder, evidence)?,
            power,
        }))
    }
}

struct Fitted {
    model: Arc<dyn Classifier>,
    autoencoder: Autoencoder,
    power: u32,
}

impl Detector for Fitted {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let error = self.autoencoder.forward(rows.clone()) - rows;
        let error = if self.power == 1 { error.abs() } else { error.square() };
        error.mean_dim(1).squeeze_dim(1)
    }
}
