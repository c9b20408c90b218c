//! Mahalanobis distance: an adversarial input lies off the class Gaussians of every layer.
//!
//! Lee, Lee, Lee, Shin. *A Simple Unified Framework for Detecting Out-of-Distribution Samples and
//! Adversarial Attacks.* `NeurIPS` 2018, §2, algorithm 1. <https://arxiv.org/abs/1807.03888>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Passes, host, pull_back};
use serde::{Deserialize, Serialize};

use super::detector::table;
use super::entry::parse;
use super::layers::{View, Which};
use super::linear_algebra::{cholesky, invert_lower};
use super::logistic::Logistic;
use super::{DetectionMethod, Detector, DetectorEntry, Error, Evidence, Result};
use crate::table::defaults;

/// Per hidden layer (maps averaged over their positions) the distance to the nearest class mean
/// under one covariance for all classes, after a small step of the input towards that mean;
/// logistic regression makes one score of the layers.
///
/// Two thirds of the clean rows give means and covariances, the others stand against the
/// adversarial rows in the regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mahalanobis {
    /// Length ε of the input's step along the sign of the gradient, in raw units; 0 is none. It is
    /// of no use to clip it to the box: what the network sees of it is what counts.
    pub magnitude: f64,
    /// Share of the mean variance that is added to the diagonal of the covariance, which too few
    /// rows leave singular.
    pub ridge: f64,
}

impl Default for Mahalanobis {
    /// The paper chooses ε among 0.01, 0.005, 0.002, 0.0014, 0.001, 0.0005 and 0 on validation
    /// rows; this is the middle one.
    fn default() -> Self {
        Self { magnitude: 0.0014, ridge: 1e-3 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "mahalanobis",
    summary: "distance to class means under a tied covariance in each layer, logistic regression",
    reference: "arXiv:1807.03888",
    slope: "exact where the nearest mean and the signs of the step stay the same",
    supervised: true,
    defaults: defaults::<Mahalanobis>,
    parse: parse::<Mahalanobis>,
};

impl DetectionMethod for Mahalanobis {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        let fine = self.magnitude.is_finite() && self.magnitude >= 0.0;
        ENTRY.expect(fine, "magnitude", "at least 0", self.magnitude)?;
        ENTRY.positive("ridge", self.ridge)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.needs_adversarial(ENTRY.name)?;
        evidence.check(ENTRY.name, 3)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let view = View::new(ENTRY.name, &**model, passes, Which::Hidden, true)?;
        let (held, seen): (Vec<usize>, Vec<usize>) =
            (0..evidence.labels.len()).partition(|position| position % 3 == 2);
        let labels = evidence.labels_at(&seen);
        let layers = view.of_all(&**model, passes, &evidence.clean_at(&seen))?;
        let mut gaussians = Vec::with_capacity(layers.len());
        for layer in layers {
            let width = layer.dims()[1];
            let values = host::floats(layer)?;
            let classes = Classes { labels: &labels, classes: model.classes() };
            gaussians.push(Gaussians::fit(&values, width, &classes, self.ridge, passes.device())?);
        }
        let distances =
            Distances { model: Arc::clone(model), view, gaussians, magnitude: self.magnitude };
        let held = distances.of_all(passes, &evidence.clean_at(&held))?;
        let regression = Logistic::fit(&held, &distances.of_all(passes, &evidence.adversarial)?)?;
        Ok(Box::new(Fitted { distances, regression }))
    }
}

/// The classes of the rows that a layer is fitted on.
struct Classes<'a> {
    labels: &'a [usize],
    classes: usize,
}

/// Class means and the covariance they share, of one layer.
struct Gaussians {
    /// `L⁻ᵀ` of the covariance `L Lᵀ`, `[W, W]`: rows times this are white.
    whiten: Tensor<2>,
    /// The whitened mean of each class, `[W]` each.
    means: Vec<Tensor<2>>,
}

impl Gaussians {
    fn fit(
        values: &[f32],
        width: usize,
        of: &Classes<'_>,
        ridge: f64,
        device: &Device,
    ) -> Result<Self> {
        let (means, covariance) = moments(values, width, of)?;
        let variance = (0..width).map(|d| covariance[d * width + d]).sum::<f64>() / width as f64;
        // A layer that never changes has no variance: any scale will do.
        let floor = ridge * if variance > 0.0 { variance } else { 1.0 };
        let mut raised = covariance;
        (0..width).for_each(|d| raised[d * width + d] += floor);
        let lower =
            cholesky(&raised, width).ok_or(Error::Covariance { detector: ENTRY.name, width })?;
        let inverse = invert_lower(&lower, width);
        let transposed = (0..width * width)
            .map(|place| inverse[(place % width) * width + place / width] as f32)
            .collect();
        let whiten = table(transposed, width, device);
        let white = |mean: &Vec<f64>| {
            let row =
                |d: usize| (0..=d).map(|k| inverse[d * width + k] * mean[k]).sum::<f64>() as f32;
            table((0..width).map(row).collect(), width, device)
        };
        Ok(Self { means: means.iter().map(white).collect(), whiten })
    }

    /// The squared distance to the nearest mean, `[N, W] → [N, 1]`.
    fn nearest(&self, values: Tensor<2>) -> Tensor<2> {
        let white = values.matmul(self.whiten.clone());
        let distance = |mean: &Tensor<2>| (white.clone() - mean.clone()).square().sum_dim(1);
        Tensor::cat(self.means.iter().map(distance).collect(), 1).min_dim(1)
    }
}

/// Class means, and the covariance of all rows around the mean of their class.
fn moments(values: &[f32], width: usize, of: &Classes<'_>) -> Result<(Vec<Vec<f64>>, Vec<f64>)> {
    let mut means = vec![vec![0.0; width]; of.classes];
    let mut counts = vec![0_usize; of.classes];
    for (row, &label) in values.chunks_exact(width).zip(of.labels) {
        counts[label] += 1;
        means[label].iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value));
    }
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return Err(Error::EmptyClass { detector: ENTRY.name, class });
    }
    for (mean, &count) in means.iter_mut().zip(&counts) {
        for mean in mean {
            *mean /= count as f64;
        }
    }
    let mut covariance = vec![0.0; width * width];
    let mut centred = vec![0.0; width];
    for (row, &label) in values.chunks_exact(width).zip(of.labels) {
        for d in 0..width {
            centred[d] = f64::from(row[d]) - means[label][d];
        }
        for a in 0..width {
            let (left, line) = (centred[a], &mut covariance[a * width..(a + 1) * width]);
            line.iter_mut().zip(&centred).for_each(|(sum, right)| *sum += left * right);
        }
    }
    let count = of.labels.len() as f64;
    for sum in &mut covariance {
        *sum /= count;
    }
    Ok((means, covariance))
}

/// The distances of a row, layer by layer.
struct Distances {
    model: Arc<dyn Classifier>,
    view: View,
    gaussians: Vec<Gaussians>,
    magnitude: f64,
}

impl Distances {
    /// `[N, F] → [N, L]`; an error where no gradient reaches the rows.
    fn of(&self, rows: Tensor<2>) -> duress_core::Result<Tensor<2>> {
        let plain = rows.clone().inner();
        let mut all = Vec::with_capacity(self.gaussians.len());
        if self.magnitude <= 0.0 {
            let layers = self.view.of(&*self.model, rows);
            let pairs = layers.into_iter().zip(&self.gaussians);
            all.extend(pairs.map(|(values, gaussians)| gaussians.nearest(values)));
            return Ok(Tensor::cat(all, 1));
        }
        for (place, gaussians) in self.gaussians.iter().enumerate() {
            let distance = |rows: Tensor<2>| {
                gaussians.nearest(self.view.of(&*self.model, rows).swap_remove(place))
            };
            let ones = Tensor::ones([plain.dims()[0], 1], &plain.device());
            let slope = pull_back(plain.clone(), distance, ones)?;
            // Towards the mean; its derivative is zero wherever it has one.
            all.push(distance(rows.clone() - slope.sign() * self.magnitude));
        }
        Ok(Tensor::cat(all, 1))
    }

    fn of_all(&self, passes: &Passes, rows: &Tensor<2>) -> Result<Tensor<2>> {
        let parts = passes.over(rows, |rows, _| Ok([self.of(rows)?]))?;
        Ok(Tensor::cat(parts.into_iter().map(|[part]| part).collect(), 0))
    }
}

struct Fitted {
    distances: Distances,
    regression: Logistic,
}

impl Detector for Fitted {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.distances.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        // The gradient was there when it was fitted.
        self.regression.score(self.distances.of(rows).expect("a gradient reaches the rows"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes, four rows each at ±√2 along the axes around (0, 0) and (10, 0): the covariance
    /// is the identity, so the squared distance is Euclid's.
    #[test]
    fn with_the_identity_covariance_the_distance_is_euclidean() {
        let r = 2.0_f32.sqrt();
        let cross = |x: f32| [[x + r, 0.0], [x - r, 0.0], [x, r], [x, -r]];
        let values: Vec<f32> = [cross(0.0), cross(10.0)].concat().concat();
        let labels = [0, 0, 0, 0, 1, 1, 1, 1];
        let of = Classes { labels: &labels, classes: 2 };
        let (means, covariance) = moments(&values, 2, &of).unwrap();
        assert!((means[1][0] - 10.0).abs() < 1e-6 && means[0][1].abs() < 1e-6);
        for (got, expected) in covariance.iter().zip([1.0, 0.0, 0.0, 1.0]) {
            assert!((got - expected).abs() < 1e-6, "{covariance:?}");
        }
        let device = Device::flex();
        let fitted = Gaussians::fit(&values, 2, &of, 1e-9, &device).unwrap();
        let rows = Tensor::from_data([[3.0, 4.0], [10.0, 2.0]], &device);
        let got = host::floats(fitted.nearest(rows)).unwrap();
        assert!((got[0] - 25.0).abs() < 1e-3 && (got[1] - 4.0).abs() < 1e-3, "{got:?}");
    }

    /// Covariance diag(4, 1): a row 2 away along the first axis has squared distance 1.
    #[test]
    fn a_wide_direction_counts_less() {
        let (a, b) = (8.0_f32.sqrt(), 2.0_f32.sqrt());
        let values = [a, 0.0, -a, 0.0, 0.0, b, 0.0, -b];
        let of = Classes { labels: &[0; 4], classes: 1 };
        let fitted = Gaussians::fit(&values, 2, &of, 1e-9, &Device::flex()).unwrap();
        let rows = Tensor::from_data([[2.0, 0.0], [0.0, 2.0]], &Device::flex());
        let got = host::floats(fitted.nearest(rows)).unwrap();
        assert!((got[0] - 1.0).abs() < 1e-4 && (got[1] - 4.0).abs() < 1e-4, "{got:?}");
    }

    #[test]
    fn a_class_without_rows_is_named() {
        let of = Classes { labels: &[0, 2], classes: 3 };
        let error = moments(&[0.0, 1.0], 1, &of).unwrap_err();
        assert!(matches!(error, Error::EmptyClass { class: 1, .. }));
    }
}
