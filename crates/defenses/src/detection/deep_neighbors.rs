//! Deep k-nearest neighbours: the training rows nearest to an adversarial input, layer by layer,
//! do not agree with its prediction.
//!
//! Papernot, `McDaniel`. *Deep k-Nearest Neighbors: Towards Confident, Interpretable and Robust Deep
//! Learning.* 2018, §3, algorithm 1. <https://arxiv.org/abs/1803.04765>
use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::{Classifier, Use};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::detector::{table, with_slope_of};
use super::entry::parse;
use super::layers::{View, Which, over};
use super::neighbors::smallest;
use super::{DetectionMethod, Detector, DetectorEntry, Error, Evidence, Result};
use crate::table::defaults;

/// One minus the credibility of the classifier's prediction: the share of held-out rows whose
/// neighbours disagree with their label at least as much as the row's neighbours disagree with its
/// prediction. Neighbours are those of the largest cosine, found exactly, in each hidden layer.
///
/// The scores have as many values as there are held-out rows and many rows tie: a threshold may
/// flag fewer than it is allowed to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepNeighbors {
    /// Neighbours in each layer.
    pub neighbors: usize,
    /// Held-out rows that disagreement is compared with; at most a quarter of the clean rows.
    pub calibration: usize,
}

impl Default for DeepNeighbors {
    /// The paper's `k` of 75 and 750 held-out rows.
    fn default() -> Self {
        Self { neighbors: 75, calibration: 750 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "deep-knn",
    summary: "conformal credibility of the prediction among neighbours in every layer",
    reference: "arXiv:1803.04765",
    slope: "neighbours weighted by a softmax of their cosine",
    supervised: false,
    defaults: defaults::<DeepNeighbors>,
    parse: parse::<DeepNeighbors>,
};

/// Temperature of the softmax over cosines that stands in for the neighbours in a gradient, after
/// Sitawarin, Wagner. *On the Robustness of Deep K-Nearest Neighbors.* 2019.
const TEMPERATURE: f64 = 0.1;

impl DetectionMethod for DeepNeighbors {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.at_least("neighbors", 1, "at least 1", self.neighbors)?;
        ENTRY.at_least("calibration", 1, "at least 1", self.calibration)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 4)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let view = View::new(ENTRY.name, &**model, passes, Which::Hidden, false)?;
        let mut order: Vec<usize> = (0..evidence.labels.len()).collect();
        order.shuffle(&mut evidence.seed.stream(0, 0, 0, Use::Split));
        let (held, seen) = order.split_at(self.calibration.min(order.len() / 4));
        if seen.len() < self.neighbors {
            let (least, got) = (self.neighbors, seen.len());
            let what = "the clean rows beside those held out";
            return Err(Error::Rows { detector: ENTRY.name, what, least, got });
        }
        let layers = view.of_all(&**model, passes, &evidence.clean_at(seen))?;
        let disagreement = Disagreement {
            model: Arc::clone(model),
            view,
            references: layers.into_iter().map(|layer| direction(layer).transpose()).collect(),
            classes: one_hot(&evidence.labels_at(seen), model.classes(), passes.device()),
            neighbors: self.neighbors,
        };
        let all = over(passes, &evidence.clean_at(held), model.classes(), |rows| {
            disagreement.of(rows).0
        })?;
        let labels = super::detector::indices(&evidence.labels_at(held), passes.device());
        let calibration = all.gather(1, labels.unsqueeze_dim(1)).transpose();
        Ok(Box::new(Fitted { disagreement, calibration }))
    }
}

/// Rows `[N, W]` of length one.
fn direction(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
    rows / length
}

/// One at a row's class, `[N, K]`.
fn one_hot(labels: &[usize], classes: usize, device: &Device) -> Tensor<2> {
    let value = |place: usize| {
        if labels[place / classes] == place % classes { 1.0 } else { 0.0 }
    };
    table((0..labels.len() * classes).map(value).collect(), classes, device)
}

/// How many neighbours are of another class.
struct Disagreement {
    model: Arc<dyn Classifier>,
    view: View,
    /// Directions of the training rows, `[W, M]` a layer.
    references: Vec<Tensor<2>>,
    /// `[M, K]`.
    classes: Tensor<2>,
    neighbors: usize,
}

impl Disagreement {
    /// Neighbours of all layers that are of another class than each class, `[N, K]`, off the tape;
    /// on the tape the share of soft neighbours that are, where the rows are on it; the predicted
    /// classes `[N]`.
    fn of(&self, rows: Tensor<2>) -> (Tensor<2>, Option<Tensor<2>>, Tensor<1, Int>) {
        let on_tape = rows.is_autodiff();
        let (layers, logits) = self.view.and_logits(&*self.model, rows);
        let (mut hard, mut soft): (Option<Tensor<2>>, Option<Tensor<2>>) = (None, None);
        let add =
            |sum: Option<Tensor<2>>, one: Tensor<2>| Some(sum.map_or(one.clone(), |s| s + one));
        let count = self.references.len() as f64;
        for (values, reference) in layers.into_iter().zip(&self.references) {
            let cosine = direction(values).matmul(reference.clone());
            hard = add(hard, disagree(&cosine, &self.classes, self.neighbors));
            if on_tape {
                let weights = softmax(cosine / TEMPERATURE, 1);
                soft = add(soft, (weights.matmul(self.classes.clone()).neg() + 1.0) / count);
            }
        }
        let predicted = logits.inner().argmax(1).squeeze_dim(1);
        // A view has at least one layer.
        (hard.unwrap_or_else(|| unreachable!("a view holds a layer")), soft, predicted)
    }
}

/// Of the `neighbors` training rows of the largest cosine `[N, M]`, how many are not of each class,
/// `[N, K]`.
fn disagree(cosine: &Tensor<2>, classes: &Tensor<2>, neighbors: usize) -> Tensor<2> {
    let near = smallest(&cosine.clone().neg(), neighbors);
    let [rows, count] = near.dims();
    let kinds = classes.clone().select(0, near.reshape([rows * count]));
    let agree: Tensor<2> =
        kinds.reshape([rows, count, classes.dims()[1]]).sum_dim(1).squeeze_dim(1);
    agree.neg() + count as f64
}

/// The share of the calibration `[1, A]` that disagrees at least as much, `[N, 1] → [N, 1]`.
fn credibility(disagreement: Tensor<2>, calibration: &Tensor<2>) -> Tensor<2> {
    let ([rows, _], [_, held]) = (disagreement.dims(), calibration.dims());
    let all = calibration.clone().expand([rows, held]);
    all.greater_equal(disagreement.expand([rows, held])).float().mean_dim(1)
}

struct Fitted {
    disagreement: Disagreement,
    calibration: Tensor<2>,
}

impl Detector for Fitted {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.disagreement.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let (hard, soft, predicted) = self.disagreement.of(rows);
        let predicted: Tensor<2, Int> = predicted.unsqueeze_dim(1);
        let own = hard.gather(1, predicted.clone());
        let exact = (credibility(own, &self.calibration).neg() + 1.0).squeeze_dim(1);
        match soft {
            None => exact,
            Some(soft) => with_slope_of(exact, soft.gather(1, predicted).squeeze_dim(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    /// Held-out disagreements 0, 1, 1 and 5: a row with 1 is matched or beaten by three of four.
    #[test]
    fn the_credibility_of_a_row_by_hand() {
        let device = Device::flex();
        let calibration = Tensor::from_data([[0.0, 1.0, 1.0, 5.0]], &device);
        let rows = Tensor::from_data([[0.0], [1.0], [2.0], [6.0]], &device);
        let got = host::floats(credibility(rows, &calibration)).unwrap();
        assert_eq!(got, [1.0, 0.75, 0.25, 0.0]);
    }

    /// Of the three largest cosines two are of class 0 and one of class 2.
    #[test]
    fn neighbours_that_are_of_another_class_are_counted() {
        let device = Device::flex();
        let cosine = Tensor::from_data([[0.9, -0.5, 0.8, 0.7, 0.1]], &device);
        let classes = one_hot(&[0, 1, 2, 0, 1], 3, &device);
        let got = host::floats(disagree(&cosine, &classes, 3)).unwrap();
        assert_eq!(got, [1.0, 3.0, 2.0]);
        let half = host::floats(direction(Tensor::from_data([[3.0, 4.0]], &device))).unwrap();
        assert!((half[0] - 0.6).abs() < 1e-6);
    }
}
