//! MACER: a large certified radius as the aim of training, without an attack.
//!
//! Zhai, Dan, He, Zhang, Gong, Ravikumar, Hsieh, Wang. *MACER: Attack-free and Scalable Robust
//! Training via Maximizing Certified Radius.* ICLR 2020.
//! <https://arxiv.org/abs/2001.02378>
use burn::prelude::*;
use duress_core::classifier::arg_max;
use duress_core::{Threat, host};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::noise::{check, logits_under, mean_probabilities, noises};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;
use crate::training::inner::parameters;

/// Added to probabilities before their logarithm, as in the official code.
const FLOOR: f64 = 1e-10;

/// Minimises the cross-entropy of the mean answer under `k` draws plus `λ` times a hinge of the
/// soft certified radius: `σ/2 · max(γ − (Φ⁻¹(p₁) − Φ⁻¹(p₂)), 0)` with the two largest of the mean
/// of `softmax(β z)`, where the largest is the label and both quantiles are finite and at most `γ`
/// apart.
///
/// With `lambda` 0 and one draw it is training under Gaussian noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Macer {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Draws `k` a sample.
    pub draws: u32,
    /// Inverse temperature β of the soft certified radius.
    pub beta: f64,
    /// Weight λ of the robustness loss.
    pub lambda: f64,
    /// Distance γ of the quantiles beyond which a sample counts as robust enough.
    pub gamma: f64,
}

impl Default for Macer {
    /// The paper's for CIFAR-10 at σ 0.25: 16 draws, β 16, λ 12, γ 8.
    fn default() -> Self {
        Self { sigma: 0.25, draws: 16, beta: 16.0, lambda: 12.0, gamma: 8.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "macer",
    summary: "training for a large certified radius of the smoothed classifier",
    reference: "arXiv:2001.02378",
    defaults: defaults::<Macer>,
    parse: training::<Macer>,
};

/// What the hinge is at the probabilities of a batch, and its slope by them.
struct Hinge {
    value: f64,
    slopes: Vec<f32>,
}

impl Macer {
    /// The hinge summed over rows of probabilities `[B, K]`, without `λ`.
    fn hinge(&self, probabilities: &[f32], labels: &[usize]) -> Hinge {
        let normal = Normal::standard();
        let mut hinge = Hinge { value: 0.0, slopes: vec![0.0; probabilities.len()] };
        let classes = probabilities.len() / labels.len().max(1);
        let rows = probabilities.chunks_exact(classes.max(1));
        let slopes = hinge.slopes.chunks_exact_mut(classes.max(1));
        for ((row, slopes), &label) in rows.zip(slopes).zip(labels) {
            if arg_max(row) != label {
                continue;
            }
            let others = (0..classes).filter(|&class| class != label);
            let rival = others.max_by(|&a, &b| row[a].total_cmp(&row[b]));
            let Some(rival) = rival else { continue };
            let quantiles = [label, rival].map(|class| {
                let p = f64::from(row[class]);
                if p > 0.0 && p < 1.0 { normal.inverse_cdf(p) } else { f64::INFINITY }
            });
            let gap = quantiles[0] - quantiles[1];
            // Not so where a quantile is infinite: the gap is infinite or no number.
            if gap.abs() <= self.gamma {
                let scale = self.sigma / 2.0;
                hinge.value += scale * (self.gamma - gap);
                slopes[label] = (-scale / normal.pdf(quantiles[0])) as f32;
                slopes[rival] = (scale / normal.pdf(quantiles[1])) as f32;
            }
        }
        hinge
    }

    /// The mean hinge of logits `[B, K]` under each draw, without `λ`: its value by the quantiles
    /// in f64, its gradient through its slopes by the probabilities.
    fn robustness(&self, logits: &[Tensor<2>], labels: &[usize]) -> Result<Tensor<1>> {
        let sharp: Vec<_> = logits.iter().map(|logits| logits.clone() * self.beta).collect();
        let probabilities = mean_probabilities(&sharp);
        let here = probabilities.clone().inner();
        let Hinge { value, slopes } = self.hinge(&host::floats(here.clone())?, labels);
        let slopes = TensorData::new(slopes, here.dims());
        let slopes = Tensor::<2>::from_data(slopes, &here.device());
        let change =
            ((probabilities - on_tape_of(here, logits)) * on_tape_of(slopes, logits)).sum();
        Ok((change + value) / labels.len().max(1) as f64)
    }
}

/// A constant where the logits are.
fn on_tape_of(constant: Tensor<2>, logits: &[Tensor<2>]) -> Tensor<2> {
    if logits.iter().any(Tensor::is_autodiff) { constant.autodiff() } else { constant }
}

/// The cross-entropy of mean probabilities `[B, K]`, with the recipe's label smoothing.
fn mean_answer_loss(mean: Tensor<2>, batch: &Batch, step: &Step<'_>) -> Tensor<1> {
    let logs = (mean + FLOOR).log();
    let label = logs.clone().gather(1, batch.targets().unsqueeze_dim(1)).mean().neg();
    let smoothing = step.label_smoothing;
    if smoothing == 0.0 { label } else { label * (1.0 - smoothing) - logs.mean() * smoothing }
}

impl<M: Trainable> Objective<M> for Macer {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let noises = noises(batch, step, self.sigma, self.draws);
        let logits = logits_under(network, &batch.rows, noises);
        let mut loss = mean_answer_loss(mean_probabilities(&logits), batch, step);
        if self.lambda > 0.0 {
            loss = loss + self.robustness(&logits, &batch.labels)? * self.lambda;
        }
        Ok(LossOutput { loss, logits: logits.into_iter().next().map(Tensor::inner) })
    }
}

impl TrainingDefense for Macer {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        check(ENTRY.name, self.sigma, self.draws, 1)?;
        Check(ENTRY.name).positive("beta", self.beta)?;
        Check(ENTRY.name).not_negative("lambda", self.lambda)?;
        Check(ENTRY.name).positive("gamma", self.gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Φ(1)` and `Φ(−1)`: quantiles 1 and −1, densities `φ(1)`.
    const ABOVE: f32 = 0.841_344_8;
    const DENSITY: f64 = 0.241_970_724_519_143_37;

    fn recipe() -> Macer {
        Macer { sigma: 0.5, draws: 1, beta: 1.0, lambda: 1.0, gamma: 8.0 }
    }

    /// `σ/2 (γ − 2) = 0.25 · 6`, slopes `∓ 0.25 / φ(1)`.
    #[test]
    fn the_hinge_and_its_slopes_by_hand() {
        let got = recipe().hinge(&[ABOVE, 1.0 - ABOVE], &[0]);
        assert!((got.value - 1.5).abs() < 1e-5, "{}", got.value);
        let slope = 0.25 / DENSITY;
        for (got, expected) in got.slopes.iter().zip([-slope, slope]) {
            assert!((f64::from(*got) - expected).abs() < 1e-4, "{got} {expected}");
        }
    }

    #[test]
    fn wrong_sure_and_far_rows_are_left_alone() {
        let narrow = Macer { gamma: 1.0, ..recipe() };
        for (recipe, row, label) in [
            (recipe(), [ABOVE, 1.0 - ABOVE], 1),
            (recipe(), [1.0, 0.0], 0),
            (narrow, [ABOVE, 1.0 - ABOVE], 0),
        ] {
            let got = recipe.hinge(&row, &[label]);
            assert_eq!((got.value, got.slopes), (0.0, vec![0.0; 2]));
        }
    }

    /// The gradient of the loss by a logit against the difference of its values.
    #[test]
    fn the_gradient_is_that_of_the_value() {
        let recipe = Macer { beta: 2.0, ..recipe() };
        let logits = |shift: f32| {
            let device = Device::flex().autodiff();
            [[0.4 + shift, 0.1, -0.2], [0.1, -0.3, 0.2]]
                .map(|row| Tensor::<2>::from_data([row], &device).require_grad())
        };
        let value = |shift| {
            let loss = recipe.robustness(&logits(shift), &[0]).unwrap();
            f64::from(host::floats(loss).unwrap()[0])
        };
        let leaves = logits(0.0);
        let gradients = recipe.robustness(&leaves, &[0]).unwrap().backward();
        let slope = f64::from(host::floats(leaves[0].grad(&gradients).unwrap()).unwrap()[0]);
        let difference = (value(1e-2) - value(-1e-2)) / 2e-2;
        assert!((slope - difference).abs() < 1e-3 && slope < -0.01, "{slope} {difference}");
    }
}
