//! Stability training with noise.
//!
//! Li, Chen, Wang, Carin. *Certified Adversarial Robustness with Additive Noise.* `NeurIPS` 2019.
//! <https://arxiv.org/abs/1809.03113>
use burn::prelude::*;
use burn::tensor::activation::{log_softmax, softmax};
use duress_core::Threat;
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::noise::{check, logits_under, mean_of, noises};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;
use crate::training::inner::{mean_cross_entropy, parameters};

/// Minimises `CE(f(x), y) + λ 1/m Σᵢ CE(f(x + δᵢ), softmax f(x))`: answers under noise are to be
/// the clean ones, which learn too.
///
/// With `lambda` 0 it is training on the clean samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stability {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Draws `m` a sample.
    pub draws: u32,
    /// Weight λ of the cross-entropy between clean and noisy answers.
    pub lambda: f64,
}

impl Default for Stability {
    /// One draw of σ 0.25, λ 2.
    fn default() -> Self {
        Self { sigma: 0.25, draws: 1, lambda: 2.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "stability",
    summary: "clean training whose answers are to stay under noise, for randomized smoothing",
    reference: "arXiv:1809.03113",
    defaults: defaults::<Stability>,
    parse: training::<Stability>,
};

/// `−Σ softmax(z) log softmax(z̃)`, the mean over rows of logits `[B, K]`.
fn instability(clean: &Tensor<2>, noisy: Tensor<2>) -> Tensor<1> {
    (softmax(clean.clone(), 1) * log_softmax(noisy, 1)).sum_dim(1).mean().neg()
}

impl<M: Trainable> Objective<M> for Stability {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let mut moves = vec![batch.rows.clone().inner().zeros_like()];
        moves.extend(noises(batch, step, self.sigma, self.draws));
        let mut logits = logits_under(network, &batch.rows, moves);
        let noisy = logits.split_off(1);
        let clean = mean_of(logits);
        let stay = mean_of(noisy.into_iter().map(|z| instability(&clean, z)).collect());
        let loss = mean_cross_entropy(clean.clone(), batch, step) + stay * self.lambda;
        Ok(LossOutput { loss, logits: Some(clean.inner()) })
    }
}

impl TrainingDefense for Stability {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        check(ENTRY.name, self.sigma, self.draws, 1)?;
        Check(ENTRY.name).not_negative("lambda", self.lambda)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// (1, 3)/4 against (1, 1)/2: `ln 2`, the other way round `½ ln 4 + ½ ln 4/3`.
    #[test]
    fn the_clean_answer_weighs_the_logarithm_of_the_noisy_one() {
        let logits =
            |values: [f32; 2]| Tensor::<2>::from_data([values.map(f32::ln)], &Device::flex());
        let (uneven, even) = (logits([1.0, 3.0]), logits([1.0, 1.0]));
        let got = floats(instability(&uneven, even.clone())).unwrap()[0];
        assert!((got - 2.0_f32.ln()).abs() < 1e-6, "{got}");
        let got = floats(instability(&even, uneven)).unwrap()[0];
        let expected = 0.5 * 4.0_f32.ln() + 0.5 * (4.0_f32 / 3.0).ln();
        assert!((got - expected).abs() < 1e-6, "{got}");
    }
}
