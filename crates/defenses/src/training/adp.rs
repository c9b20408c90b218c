//! Training of an ensemble for diverse predictions.
//!
//! Pang, Xu, Du, Chen, Zhu. *Improving Adversarial Robustness via Promoting Ensemble Diversity.*
//! ICML 2019, eqs. (4) to (6). <https://arxiv.org/abs/1901.08846>
use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::{Error, Threat};
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::members::{checked, mean_probabilities};
use crate::table::{Entry, defaults, training};

/// Minimises `Σ CE(Fₖ, y) − α H(F̄) − β ln det(MᵀM)` over the members `Fₖ` of a committee: `F̄` is
/// their mean and the columns of `M` are their probabilities of the wrong classes, each of length 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveDiversity {
    /// Weight `α` of the entropy of the mean, at least 0.
    pub entropy: f64,
    /// Weight `β` of the logarithm of the members' volume, at least 0.
    pub volume: f64,
}

impl Default for AdaptiveDiversity {
    fn default() -> Self {
        Self { entropy: 2.0, volume: 0.5 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "adp-training",
    summary: "training of a committee whose members err in different directions",
    reference: "arXiv:1901.08846",
    defaults: defaults::<AdaptiveDiversity>,
    parse: training::<AdaptiveDiversity>,
};

/// Added to the diagonal of `MᵀM`, as in the authors' code.
const OFFSET: f64 = 1e-6;

/// Keeps logarithms and roots off zero.
const TINY: f64 = 1e-12;

impl<M: Trainable> Objective<M> for AdaptiveDiversity {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let members = checked(ENTRY.name, network)?;
        if members >= step.classes {
            return Err(duress_models::Error::Parameter {
                what: ENTRY.name,
                field: "members",
                expected: format!("fewer than the {} classes: no more directions", step.classes),
                got: members.to_string(),
            });
        }
        let rows = batch.rows.clone().autodiff();
        let logits: Vec<Tensor<2>> =
            (0..members).map(|member| network.member_logits(member, rows.clone())).collect();
        let entropies = logits
            .iter()
            .map(|one| cross_entropy(one.clone(), batch.targets(), step.label_smoothing));
        let errors = entropies.reduce(|sum, one| sum + one).unwrap_or_else(|| unreachable!());
        let all: Vec<Tensor<2>> = logits.into_iter().map(|logits| softmax(logits, 1)).collect();
        let mean = mean_probabilities(&all);
        let entropy = -(mean.clone() * (mean.clone() + TINY).log()).sum_dim(1).squeeze_dim::<1>(1);
        let label = batch.targets().one_hot::<2>(step.classes).float();
        let volume = volume(&all, &label);
        let loss = (errors - entropy * self.entropy - volume * self.volume).mean();
        Ok(LossOutput { loss, logits: Some((mean + TINY).log().inner()) })
    }
}

/// `ln det(MᵀM + 10⁻⁶ I)` of each row, by the steps of a Cholesky decomposition.
fn volume(probabilities: &[Tensor<2>], label: &Tensor<2>) -> Tensor<1> {
    let wrong = |one: &Tensor<2>| {
        let rest = one.clone() * (label.clone().neg() + 1.0);
        let length = ((rest.clone() * rest.clone()).sum_dim(1) + TINY).sqrt();
        rest / length
    };
    let columns: Vec<Tensor<2>> = probabilities.iter().map(wrong).collect();
    let mut triangle: Vec<Vec<Tensor<2>>> = Vec::new();
    let mut total: Option<Tensor<2>> = None;
    for (i, column) in columns.iter().enumerate() {
        let mut line: Vec<Tensor<2>> = Vec::new();
        for j in 0..=i {
            let mut entry = (column.clone() * columns[j].clone()).sum_dim(1);
            for k in 0..j {
                let other = if j == i { &line[k] } else { &triangle[j][k] };
                entry = entry - line[k].clone() * other.clone();
            }
            if j == i {
                let pivot = (entry + OFFSET).clamp_min(OFFSET * 1e-2);
                let log = pivot.clone().log();
                total = Some(total.map_or(log.clone(), |total| total + log));
                line.push(pivot.sqrt());
            } else {
                line.push(entry / triangle[j][j].clone());
            }
        }
        triangle.push(line);
    }
    total.unwrap_or_else(|| unreachable!()).squeeze_dim(1)
}

impl TrainingDefense for AdaptiveDiversity {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        for (field, value) in [("entropy", self.entropy), ("volume", self.volume)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Parameter {
                    algorithm: ENTRY.name,
                    field,
                    expected: "at least 0",
                    got: value.to_string(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// Label 0 of four classes: the wrong parts are along known directions.
    #[test]
    fn the_volume_is_the_determinant_of_the_cosines() {
        let device = Device::flex();
        let row = |values: [f32; 4]| Tensor::<2>::from_data([values], &device);
        let label = row([1.0, 0.0, 0.0, 0.0]);
        let log = |rows: &[Tensor<2>]| f64::from(floats(volume(rows, &label)).unwrap()[0]);
        let (a, b) = (row([0.4, 0.6, 0.0, 0.0]), row([0.7, 0.0, 0.3, 0.0]));
        assert!(log(&[a.clone(), b]).abs() < 1e-5, "at right angles the volume is 1");
        // Cosine 1/√2: the determinant is 1 − ½.
        let c = row([0.2, 0.4, 0.4, 0.0]);
        assert!((log(&[a.clone(), c.clone()]) - 0.5_f64.ln()).abs() < 1e-4);
        // Alike: 2·10⁻⁶.
        assert!((log(&[a.clone(), a.clone()]) - 2e-6_f64.ln()).abs() < 0.2);
        let d = row([0.1, 0.0, 0.0, 0.9]);
        assert!((log(&[a, c, d]) - 0.5_f64.ln()).abs() < 1e-4);
    }
}
