//! `MagNet` by divergence: an adversarial input is predicted otherwise once it is reconstructed.
//!
//! Meng, Chen. *`MagNet`: a Two-Pronged Defense against Adversarial Examples.* CCS 2017, §4.2.2.
//! <https://arxiv.org/abs/1705.09064>
use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::Classifier;
use serde::{Deserialize, Serialize};

use super::autoencoder::autoencoder_of;
use super::entry::parse;
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::generative::{Autoencoder, AutoencoderPlan};
use crate::table::defaults;

/// The Jensen-Shannon divergence of `softmax(f(x) / T)` and `softmax(f(ae(x)) / T)`, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconstructionDivergence {
    /// The temperature `T`: above 1 it keeps small differences of a sure classifier visible.
    pub temperature: f64,
    /// The autoencoder.
    pub autoencoder: AutoencoderPlan,
}

impl Default for ReconstructionDivergence {
    /// The first of the paper's temperatures on CIFAR-10 (10 and 40).
    fn default() -> Self {
        Self { temperature: 10.0, autoencoder: AutoencoderPlan::default() }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "magnet-divergence",
    summary: "change of the prediction by an autoencoder of clean rows",
    reference: "arXiv:1705.09064",
    slope: "exact",
    supervised: false,
    defaults: defaults::<ReconstructionDivergence>,
    parse: parse::<ReconstructionDivergence>,
};

impl DetectionMethod for ReconstructionDivergence {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.positive("temperature", self.temperature)?;
        Ok(self.autoencoder.check_alone(ENTRY.name)?)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 1)?;
        let (model, temperature) = (Arc::clone(&evidence.model), self.temperature);
        Ok(Box::new(Fitted {
            model,
            autoencoder: autoencoder_of(&self.autoencoder, evidence)?,
            temperature,
        }))
    }
}

struct Fitted {
    model: Arc<dyn Classifier>,
    autoencoder: Autoencoder,
    temperature: f64,
}

impl Detector for Fitted {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let reconstructed = self.autoencoder.forward(rows.clone());
        let of = |rows: Tensor<2>| softmax(self.model.forward(rows) / self.temperature, 1);
        divergence(of(rows), of(reconstructed))
    }
}

/// Keeps the logarithm of a probability finite.
const TINY: f64 = 1e-12;

/// `½ KL(p ‖ m) + ½ KL(q ‖ m)` with `m = (p + q) / 2`, `[N, K] → [N]`.
fn divergence(p: Tensor<2>, q: Tensor<2>) -> Tensor<1> {
    let (p, q) = (p.clamp_min(TINY), q.clamp_min(TINY));
    let middle = ((p.clone() + q.clone()) * 0.5).log();
    let side = |p: Tensor<2>| p.clone() * (p.log() - middle.clone());
    ((side(p.clone()) + side(q.clone())) * 0.5).sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    /// Distributions on different classes are ln 2 apart; equal ones 0; (¾, ¼) and (¼, ¾) are
    /// `¾ ln 3/2 − ¼ ln 2`.
    #[test]
    fn divergences_by_hand() {
        let device = Device::flex();
        let p = Tensor::from_data([[1.0, 0.0], [0.3, 0.7], [0.75, 0.25]], &device);
        let q = Tensor::from_data([[0.0, 1.0], [0.3, 0.7], [0.25, 0.75]], &device);
        let got = host::floats(divergence(p, q)).unwrap();
        let last = 0.75 * 1.5_f32.ln() - 0.25 * 2.0_f32.ln();
        for (got, expected) in got.into_iter().zip([2.0_f32.ln(), 0.0, last]) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }
}
