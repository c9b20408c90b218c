//! Training of an ensemble for input gradients that do not align.
//!
//! Kariyappa, Qureshi. *Improving Adversarial Robustness of Ensembles with Diversity Training.*
//! 2019, eq. (8). <https://arxiv.org/abs/1901.09981>
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{Error, Goal, Threat};
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::members::{Member, checked, mean_probabilities};
use crate::table::{Entry, defaults, training};

/// Minimises the members' mean cross-entropy plus `λ ln Σ_{i<j} exp cos(gᵢ, gⱼ)` of their input
/// gradients `g`.
///
/// The second term depends on the weights through gradients. Its own gradient is that of
/// `Σᵢ (Lᵢ(x + hcᵢ) − Lᵢ(x − hcᵢ)) / 2h`, where `cᵢ` is the slope of the term along `gᵢ`, held
/// fixed: a derivative of `Lᵢ` along a direction, exact up to `O(h²)`. So two more passes a member
/// take the place of second derivatives. Gradients are taken in evaluation mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientAlignment {
    /// Weight `λ` of the alignment, at least 0.
    pub weight: f64,
    /// Length of the step `h cᵢ` in units of the raw input, above 0.
    pub step: f64,
}

impl Default for GradientAlignment {
    fn default() -> Self {
        Self { weight: 0.5, step: 0.01 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "gal-training",
    summary: "training of a committee whose members' input gradients do not align",
    reference: "arXiv:1901.09981",
    defaults: defaults::<GradientAlignment>,
    parse: training::<GradientAlignment>,
};

/// Keeps lengths off zero.
const TINY: f64 = 1e-20;

impl<M: Trainable> Objective<M> for GradientAlignment {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let members = checked(ENTRY.name, network)?;
        let plain = batch.rows.clone().inner();
        let aim = Goal::Untargeted(batch.labels.clone()).aim(&plain.device());
        let mut gradients = Vec::new();
        for member in 0..members {
            let frozen = Member { network: network.valid(), index: member, step };
            let loss = LossKind::CrossEntropy;
            gradients.push(step.passes.gradient(&frozen, plain.clone(), &aim, &loss)?.gradient);
        }
        let Alignment { value, slopes } = Alignment::of(&gradients);

        let mut errors: Option<Tensor<1>> = None;
        let mut logits = Vec::new();
        let error = |member: usize, rows: Tensor<2>| {
            let logits = network.member_logits(member, rows.autodiff());
            (cross_entropy(logits.clone(), batch.targets(), 0.0), logits)
        };
        let mut term: Option<Tensor<1>> = None;
        for (member, slope) in slopes.into_iter().enumerate() {
            let (_, own) = error(member, plain.clone());
            let one = cross_entropy(own.clone(), batch.targets(), step.label_smoothing);
            errors = Some(errors.map_or(one.clone(), |sum| sum + one));
            logits.push(burn::tensor::activation::softmax(own, 1));
            if self.weight > 0.0 {
                let length = (slope.clone() * slope.clone()).sum_dim(1).sqrt();
                let moved = slope / (length.clone() + TINY) * self.step;
                let (ahead, _) = error(member, plain.clone() + moved.clone());
                let (behind, _) = error(member, plain.clone() - moved);
                let rise = (ahead - behind) * length.squeeze_dim::<1>(1) / (2.0 * self.step);
                term = Some(term.map_or(rise.clone(), |sum| sum + rise));
            }
        }
        let errors = errors.unwrap_or_else(|| unreachable!()) / members as f64;
        // The value is that of the alignment, the gradient that of the derivatives.
        let aligned = match term {
            Some(term) => value - term.clone().inner() + term,
            None => value,
        };
        let mean = mean_probabilities(&logits);
        let loss = (errors + aligned * self.weight).mean();
        Ok(LossOutput { loss, logits: Some(mean.log().inner()) })
    }
}

/// `ln Σ_{i<j} exp cos(gᵢ, gⱼ)` of each row, and its slope along each gradient.
struct Alignment {
    /// `[B]`.
    value: Tensor<1>,
    /// `[B, F]` a member.
    slopes: Vec<Tensor<2>>,
}

impl Alignment {
    fn of(gradients: &[Tensor<2>]) -> Self {
        let length = |g: &Tensor<2>| (g.clone() * g.clone()).sum_dim(1).sqrt();
        let lengths: Vec<Tensor<2>> = gradients.iter().map(length).collect();
        // A gradient of zero has no direction: its unit vector, and so its slope, is zero.
        let safe = |length: &Tensor<2>| {
            length.clone().mask_fill(length.clone().lower_equal_elem(1e-15), f32::INFINITY)
        };
        let units: Vec<Tensor<2>> =
            gradients.iter().zip(&lengths).map(|(g, length)| g.clone() / safe(length)).collect();
        let cosine = |i: usize, j: usize| (units[i].clone() * units[j].clone()).sum_dim(1);
        let count = gradients.len();
        let pairs = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
        let sum = pairs.map(|(i, j)| cosine(i, j).exp()).reduce(|sum, one| sum + one);
        let sum = sum.unwrap_or_else(|| unreachable!());
        let slope = |i: usize| {
            let others = (0..count).filter(|&j| j != i).map(|j| {
                let cosine = cosine(i, j);
                let turn = units[j].clone() - units[i].clone() * cosine.clone();
                turn * (cosine.exp() / sum.clone())
            });
            let total = others.reduce(|total, one| total + one);
            total.unwrap_or_else(|| unreachable!()) / safe(&lengths[i])
        };
        Self { value: sum.clone().log().squeeze_dim(1), slopes: (0..count).map(slope).collect() }
    }
}

impl TrainingDefense for GradientAlignment {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let wrong = |field, expected, got: f64| {
            Err(Error::Parameter { algorithm: ENTRY.name, field, expected, got: got.to_string() })
        };
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return wrong("weight", "at least 0", self.weight);
        }
        if !(self.step.is_finite() && self.step > 0.0) {
            return wrong("step", "above 0", self.step);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn the_value_is_that_of_the_cosines_and_the_slopes_that_of_finite_differences() {
        let device = Device::flex();
        let points = [[0.3_f32, -0.4], [1.0, 2.0], [-0.5, 0.1]];
        let tensors = |points: &[[f32; 2]]| -> Vec<Tensor<2>> {
            points.iter().map(|point| Tensor::from_data([*point], &device)).collect()
        };
        let value = |points: &[[f32; 2]]| {
            f64::from(floats(Alignment::of(&tensors(points)).value).unwrap()[0])
        };
        let cosine = |a: [f32; 2], b: [f32; 2]| {
            let [a, b] = [a, b].map(|v| v.map(f64::from));
            (a[0] * b[0] + a[1] * b[1]) / (a[0].hypot(a[1]) * b[0].hypot(b[1]))
        };
        let [a, b, c] = points;
        let expected = (cosine(a, b).exp() + cosine(a, c).exp() + cosine(b, c).exp()).ln();
        assert!((value(&points) - expected).abs() < 1e-6);
        let slopes = Alignment::of(&tensors(&points)).slopes;
        for (member, slope) in slopes.into_iter().enumerate() {
            for (axis, got) in floats(slope).unwrap().into_iter().enumerate() {
                let at = |step: f32| {
                    let mut moved = points;
                    moved[member][axis] += step;
                    value(&moved)
                };
                let expected = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!(
                    (f64::from(got) - expected).abs() < 5e-3,
                    "{member} {axis} {got} {expected}"
                );
            }
        }
    }
}
