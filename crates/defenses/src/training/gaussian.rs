//! Training under Gaussian noise: the base classifier of randomized smoothing.
//!
//! Cohen, Rosenfeld, Kolter. *Certified Adversarial Robustness via Randomized Smoothing.*
//! ICML 2019, §3.3. <https://arxiv.org/abs/1902.02918>
use duress_core::{Threat, Use};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::{TrainingDefense, inner};
use crate::table::{Entry, defaults, training};

/// Minimises the cross-entropy at `x + N(0, σ²I)`, drawn afresh for each sample and epoch and not
/// clipped to the box, as the smoothed classifier will see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianAugmentation {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
}

impl Default for GaussianAugmentation {
    fn default() -> Self {
        Self { sigma: 0.25 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "gaussian-augmentation",
    summary: "training under Gaussian noise, for randomized smoothing",
    reference: "arXiv:1902.02918",
    defaults: defaults::<GaussianAugmentation>,
    parse: training::<GaussianAugmentation>,
};

impl<M: Trainable> Objective<M> for GaussianAugmentation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let rows = batch.rows.clone().inner();
        let (features, device) = (rows.dims()[1], rows.device());
        let at = (0, 0, Use::Noise);
        let noise = step.epoch_seed().rows(&batch.ids, at, features, &device, |rng, row| {
            row.fill_with(|| rng.sample(StandardNormal));
        });
        Ok(inner::loss_at(rows + noise * self.sigma, network, batch, step))
    }
}

impl TrainingDefense for GaussianAugmentation {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        Check(ENTRY.name).positive("sigma", self.sigma)
    }
}
