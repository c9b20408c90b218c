//! Consistency regularisation: answers under noise are to agree.
//!
//! Jeong, Shin. *Consistency Regularization for Certified Robustness of Smoothed Classifiers.*
//! `NeurIPS` 2020. <https://arxiv.org/abs/2006.04062>
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::Threat;
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::noise::{
    check, logits_under, mean_of, mean_of_cross_entropies, mean_probabilities, noises,
};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;
use crate::training::inner::parameters;

/// Minimises the cross-entropy under noise plus `λ 1/m Σᵢ KL(p̄ ‖ p(x + δᵢ)) + η H(p̄)`, where `p̄`
/// is the mean of the answers `p` under `m` draws.
///
/// With `lambda` and `eta` 0 it is training under Gaussian noise, `m` draws a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consistency {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Draws `m` a sample, at least 2.
    pub draws: u32,
    /// Weight λ of the divergence.
    pub lambda: f64,
    /// Weight η of the entropy of the mean answer.
    pub eta: f64,
}

impl Default for Consistency {
    /// The paper's for CIFAR-10 at σ 0.25: two draws, λ 20, η 0.5.
    fn default() -> Self {
        Self { sigma: 0.25, draws: 2, lambda: 20.0, eta: 0.5 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "consistency",
    summary: "training under noise whose answers are to agree, for randomized smoothing",
    reference: "arXiv:2006.04062",
    defaults: defaults::<Consistency>,
    parse: training::<Consistency>,
};

impl Consistency {
    /// The mean regulariser of logits `[B, K]` under each draw.
    fn regularizer(&self, logits: &[Tensor<2>]) -> Tensor<1> {
        let mean = mean_probabilities(logits);
        // 0 · ln 0 is 0.
        let log_mean = mean.clone().clamp_min(f64::from(f32::MIN_POSITIVE)).log();
        let divergence = |z: &Tensor<2>| {
            (mean.clone() * (log_mean.clone() - log_softmax(z.clone(), 1))).sum_dim(1).mean()
        };
        let divergences = mean_of(logits.iter().map(divergence).collect());
        let entropy = (mean.clone() * log_mean.clone()).sum_dim(1).mean().neg();
        divergences * self.lambda + entropy * self.eta
    }
}

impl<M: Trainable> Objective<M> for Consistency {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let noises = noises(batch, step, self.sigma, self.draws);
        let logits = logits_under(network, &batch.rows, noises);
        let loss = mean_of_cross_entropies(&logits, batch, step) + self.regularizer(&logits);
        Ok(LossOutput { loss, logits: logits.into_iter().next().map(Tensor::inner) })
    }
}

impl TrainingDefense for Consistency {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        check(ENTRY.name, self.sigma, self.draws, 2)?;
        Check(ENTRY.name).not_negative("lambda", self.lambda)?;
        Check(ENTRY.name).not_negative("eta", self.eta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// (1, 3)/4 and (3, 1)/4 have the mean (1, 1)/2: `KL = ½ ln 2 + ½ ln ⅔` for both, `H = ln 2`.
    #[test]
    fn divergence_from_the_mean_and_its_entropy_by_hand() {
        let logits = [[1.0_f32, 3.0], [3.0, 1.0]]
            .map(|values| Tensor::<2>::from_data([values.map(f32::ln)], &Device::flex()));
        let ask = |lambda, eta| {
            let recipe = Consistency { lambda, eta, ..Consistency::default() };
            floats(recipe.regularizer(&logits)).unwrap()[0]
        };
        let divergence = 0.5 * 2.0_f32.ln() + 0.5 * (2.0_f32 / 3.0).ln();
        assert!((ask(1.0, 0.0) - divergence).abs() < 1e-6);
        assert!((ask(0.0, 1.0) - 2.0_f32.ln()).abs() < 1e-6);
        assert!((ask(3.0, 2.0) - 3.0 * divergence - 2.0 * 2.0_f32.ln()).abs() < 1e-5);
        assert!(ask(0.0, 0.0).abs() < 1e-9);
    }
}
