//! Kernel density: an adversarial input lies off the training rows of the class it is taken for.
//!
//! Feinman, Curtin, Shintre, Gardner. *Detecting Adversarial Samples from Artifacts.* 2017, §4.
//! <https://arxiv.org/abs/1703.00410>. Their second measure is the uncertainty under dropout; the
//! networks here have none, so this is the density alone.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::Classifier;
use serde::{Deserialize, Serialize};

use super::entry::parse;
use super::layers::{View, Which};
use super::neighbors::Reference;
use super::{DetectionMethod, Detector, DetectorEntry, Error, Evidence, Result};
use crate::table::defaults;

/// Minus the logarithm of `1/|X_c| Σ_{x' ∈ X_c} exp(−‖φ(x) − φ(x')‖² / σ²)`, where `c` is the
/// predicted class, `X_c` its training rows and `φ` the last hidden layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelDensity {
    /// The bandwidth σ, in units of the layer.
    pub bandwidth: f64,
}

impl Default for KernelDensity {
    /// The paper's on MNIST (0.26 on CIFAR-10, 1.00 on SVHN).
    fn default() -> Self {
        Self { bandwidth: 1.2 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "kernel-density",
    summary: "density of the predicted class in the last hidden layer (without uncertainty)",
    reference: "arXiv:1703.00410",
    slope: "exact where the prediction stays the same",
    supervised: false,
    defaults: defaults::<KernelDensity>,
    parse: parse::<KernelDensity>,
};

impl DetectionMethod for KernelDensity {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.positive("bandwidth", self.bandwidth)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 1)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let counts = count_classes(evidence.labels.iter().copied(), model.classes());
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return Err(Error::EmptyClass { detector: ENTRY.name, class });
        }
        let view = View::new(ENTRY.name, &**model, passes, Which::Named(""), false)?;
        let layer = view.of_all(&**model, passes, &evidence.clean)?.remove(0);
        Ok(Box::new(Density {
            model: Arc::clone(model),
            view,
            reference: Reference::new(&layer),
            log_weights: log_weights(&evidence.labels, &counts, passes.device()),
            precision: (self.bandwidth * self.bandwidth).recip(),
        }))
    }
}

fn count_classes(labels: impl Iterator<Item = usize>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.for_each(|label| counts[label] += 1);
    counts
}

/// Keeps rows of other classes out of a sum of exponentials.
const ABSENT: f32 = -1e30;

/// `−ln |X_c|` where training row `m` is of class `c`, `[K, M]`.
fn log_weights(labels: &[usize], counts: &[usize], device: &Device) -> Tensor<2> {
    let values = counts.iter().enumerate().flat_map(|(class, &count)| {
        let own = -(count as f32).ln();
        labels.iter().map(move |&label| if label == class { own } else { ABSENT })
    });
    super::detector::table(values.collect(), labels.len(), device)
}

struct Density {
    model: Arc<dyn Classifier>,
    view: View,
    reference: Reference,
    log_weights: Tensor<2>,
    precision: f64,
}

impl Detector for Density {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let (mut layers, logits) = self.view.and_logits(&*self.model, rows);
        let predicted = logits.inner().argmax(1).squeeze_dim(1);
        let own = self.log_weights.clone().select(0, predicted);
        surprise(self.reference.squared(layers.remove(0)), own, self.precision)
    }
}

/// `−ln Σ_m exp(w_m − precision · d²_m)`, `[N, M] → [N]`.
fn surprise(squared: Tensor<2>, log_weights: Tensor<2>, precision: f64) -> Tensor<1> {
    let terms = squared * -precision + log_weights;
    let top = terms.clone().inner().max_dim(1);
    let sum = (terms - top.clone()).exp().sum_dim(1);
    -(sum.log() + top).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    /// One point of the class at d² = 4 with σ = 2: −ln exp(−1) = 1, whatever other classes hold.
    /// Two points at d² = 0 and ∞: ln 2.
    #[test]
    fn the_density_of_one_point_and_of_two_by_hand() {
        let device = Device::flex();
        let weights = log_weights(&[0, 1, 1], &[1, 2], &device);
        let squared = Tensor::from_data([[4.0, 0.0, 0.0], [0.0, 0.0, 1e9]], &device);
        let got = host::floats(surprise(squared, weights, 0.25)).unwrap();
        assert!((got[0] - 1.0).abs() < 1e-6 && (got[1] - 2.0_f32.ln()).abs() < 1e-6, "{got:?}");
    }

    #[test]
    fn a_row_far_from_all_has_a_finite_score() {
        let device = Device::flex();
        let weights = log_weights(&[0], &[1], &device);
        let got = surprise(Tensor::from_data([[1e6]], &device), weights, 1.0);
        assert!((host::floats(got).unwrap()[0] - 1e6).abs() < 1.0);
    }
}
