//! Local intrinsic dimensionality: around an adversarial input the data look higher-dimensional.
//!
//! Ma, Li, Wang, Erfani, Wijewickrema, Schoenebeck, Song, Houle, Bailey. *Characterizing
//! Adversarial Subspaces Using Local Intrinsic Dimensionality.* ICLR 2018, eq. (4), algorithm 1.
//! <https://arxiv.org/abs/1801.02613>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Use};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::entry::parse;
use super::layers::{View, Which, over};
use super::logistic::Logistic;
use super::neighbors::{Reference, smallest};
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::table::defaults;

/// The maximum-likelihood estimate of the dimension at a row, layer by layer, from its nearest
/// clean neighbours in one minibatch; logistic regression makes one score of the layers.
///
/// The paper draws another minibatch for each batch of queries. Here one minibatch of the training
/// rows serves all, so that a row's score does not depend on who else is asked about; the
/// regression is fitted on the other rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntrinsicDimension {
    /// Neighbours `k`, at least 2.
    pub neighbors: usize,
    /// Clean rows of the minibatch, more than `neighbors`.
    pub minibatch: usize,
}

impl Default for IntrinsicDimension {
    /// The paper's minibatch of 100, and its `k` of 20 (MNIST, CIFAR-10).
    fn default() -> Self {
        Self { neighbors: 20, minibatch: 100 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "lid",
    summary: "local intrinsic dimensionality of each layer, logistic regression",
    reference: "arXiv:1801.02613",
    slope: "exact where the neighbours stay the same",
    supervised: true,
    defaults: defaults::<IntrinsicDimension>,
    parse: parse::<IntrinsicDimension>,
};

impl DetectionMethod for IntrinsicDimension {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.at_least("neighbors", 2, "at least 2", self.neighbors)?;
        let more = self.minibatch > self.neighbors;
        ENTRY.expect(more, "minibatch", "more than `neighbors`", self.minibatch)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.needs_adversarial(ENTRY.name)?;
        evidence.check(ENTRY.name, self.minibatch + 2)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let view = View::new(ENTRY.name, &**model, passes, Which::All, false)?;
        let mut order: Vec<usize> = (0..evidence.labels.len()).collect();
        order.shuffle(&mut evidence.seed.stream(0, 0, 0, Use::Split));
        let (batch, rest) = order.split_at(self.minibatch);
        let batch = view.of_all(&**model, passes, &evidence.clean_at(batch))?;
        let dimensions = Dimensions {
            model: Arc::clone(model),
            view,
            references: batch.iter().map(Reference::new).collect(),
            neighbors: self.neighbors,
        };
        let of = |rows: &Tensor<2>| {
            over(passes, rows, dimensions.references.len(), |rows| dimensions.of(rows))
        };
        let regression =
            Logistic::fit(&of(&evidence.clean_at(rest))?, &of(&evidence.adversarial)?)?;
        Ok(Box::new(Fitted { dimensions, regression }))
    }
}

/// The estimates of a row, layer by layer.
struct Dimensions {
    model: Arc<dyn Classifier>,
    view: View,
    references: Vec<Reference>,
    neighbors: usize,
}

impl Dimensions {
    /// `[N, F] → [N, L]`.
    fn of(&self, rows: Tensor<2>) -> Tensor<2> {
        let layers = self.view.of(&*self.model, rows);
        let estimates = layers
            .into_iter()
            .zip(&self.references)
            .map(|(values, reference)| dimension(reference.squared(values), self.neighbors));
        Tensor::cat(estimates.collect(), 1)
    }
}

/// Squared distances and means of logarithms below this are taken as this: copies of a row, and
/// rows whose neighbours are all equally far, would have no dimension (none is above 1000).
const LEAST: f64 = 1e-3;

/// `−(1/k Σ ln(rᵢ / r_k))⁻¹` over the `count` smallest of the squared distances, `[N, M] → [N, 1]`.
fn dimension(squared: Tensor<2>, count: usize) -> Tensor<2> {
    let near = smallest(&squared, count);
    let squared = squared.gather(1, near).clamp_min(LEAST * LEAST * LEAST);
    // Half the logarithm of a square is that of the distance.
    let logarithms = squared.log() * 0.5;
    let furthest = logarithms.clone().max_dim(1);
    (furthest - logarithms.mean_dim(1)).clamp_min(LEAST).recip()
}

struct Fitted {
    dimensions: Dimensions,
    regression: Logistic,
}

impl Detector for Fitted {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.dimensions.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        self.regression.score(self.dimensions.of(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    /// At 0 on a line with neighbours at 1, 2 and 4 (and 100, too far): 3 / (ln 4 + ln 2).
    #[test]
    fn the_dimension_of_points_on_a_line_by_hand() {
        let device = Device::flex();
        let squared = Tensor::from_data([[16.0, 1.0, 10_000.0, 4.0]], &device);
        let got = host::floats(dimension(squared, 3)).unwrap()[0];
        assert!((got - 3.0 / 8.0_f32.ln()).abs() < 1e-5, "{got}");
    }

    /// `n` points uniform in the ball of `R^d`: radii `(i / n)^{1/d}`, and the mean of
    /// `ln(r_n / r_i)` tends to 1/d.
    #[test]
    fn uniform_points_have_the_dimension_of_their_space() {
        let device = Device::flex();
        for d in [1.0_f32, 3.0, 10.0] {
            let squared: Vec<f32> = (1..=1000).map(|i| (i as f32 / 1000.0).powf(2.0 / d)).collect();
            let squared = Tensor::from_data(TensorData::new(squared, [1, 1000]), &device);
            let got = host::floats(dimension(squared, 1000)).unwrap()[0];
            assert!((got / d - 1.0).abs() < 0.02, "{got} {d}");
        }
    }

    #[test]
    fn equal_neighbours_and_copies_have_a_number() {
        let device = Device::flex();
        let squared = Tensor::from_data([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]], &device);
        let got = host::floats(dimension(squared, 3)).unwrap();
        assert!(got.iter().all(|d| (d - 1000.0).abs() < 0.1), "{got:?}");
    }
}
