//! A classifier behind a detector, as one classifier that may refuse a row.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Domain, Goal};

use super::{Detector, Threshold};

/// The classes of the watched classifier and one more, `K`, that stands for "detected".
///
/// Its logit is `max_{i<K} zᵢ + (score − threshold) / scale`, so that a row is predicted as
/// detected exactly where its score is above the threshold. An adversary wins where the prediction
/// is neither the label nor `K`: [`Guarded::goal`]. Attacks need no door of their own to the
/// detector: both its score and the classifier's logits can be read off these logits and are
/// differentiated through them, and the driver judges by the same classifier in a fresh pass.
///
/// After Carlini, Wagner. *Adversarial Examples Are Not Easily Detected: Bypassing Ten Detection
/// Methods.* `AISec` 2017, §3.3 (their `(D + 1) · max Z` inverts the decision where the largest
/// logit is negative; the sum does not). <https://arxiv.org/abs/1705.07263>
#[derive(Clone)]
pub struct Guarded {
    detector: Arc<dyn Detector>,
    threshold: Threshold,
}

impl Guarded {
    /// The classifier that `detector` watches, refusing what it flags.
    #[must_use]
    pub fn new(detector: Arc<dyn Detector>, threshold: Threshold) -> Self {
        Self { detector, threshold }
    }

    /// The class that stands for "detected".
    #[must_use]
    pub fn refusal(&self) -> usize {
        self.detector.model().classes()
    }

    /// To be neither classified as `labels` nor detected.
    #[must_use]
    pub fn goal(&self, labels: Vec<usize>) -> Goal {
        Goal::Undetected { labels, refusal: self.refusal() }
    }

    /// The threshold.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }
}

/// By how much a detected row's logit is above the others at least, relative and absolute: more
/// than f32 rounds.
const ABOVE: f32 = 1e-5;

impl Classifier for Guarded {
    fn domain(&self) -> &Domain {
        self.detector.model().domain()
    }

    fn classes(&self) -> usize {
        self.refusal() + 1
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let logits = self.detector.model().forward(rows.clone());
        let score: Tensor<2> = self.detector.score(rows).unsqueeze_dim(1);
        let Threshold { value, scale } = self.threshold;
        let largest = logits.clone().max_dim(1);
        let refusal = largest.clone() + (score.clone() - value) / scale;
        // The decision is that of the score, whatever the sum rounds to.
        let (top, plain) = (largest.inner(), refusal.clone().inner());
        let flagged = score.inner().greater_elem(value);
        let above = top.clone() + top.clone().abs() * ABOVE + ABOVE;
        let exact = plain.clone().min_pair(top).mask_where(flagged, plain.clone().max_pair(above));
        // A score that is no number stays none: min and max of a NaN may not be.
        let exact = exact.mask_where(plain.clone().is_nan(), plain.clone());
        let refusal = refusal + (exact - plain);
        Tensor::cat(vec![logits, refusal], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{arg_max, host};

    /// Logits `(x, 2x)` shifted by −50, score `x`.
    struct Line(Arc<dyn Classifier>);

    struct Two(Domain);

    impl Classifier for Two {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            Tensor::cat(vec![rows.clone(), rows * 2.0], 1) - 50.0
        }
    }

    impl Detector for Line {
        fn model(&self) -> &Arc<dyn Classifier> {
            &self.0
        }

        fn score(&self, rows: Tensor<2>) -> Tensor<1> {
            rows.squeeze_dim(1)
        }
    }

    fn guarded() -> Guarded {
        let model = Arc::new(Two(Domain::image(1, 1, 1).unwrap()));
        Guarded::new(Arc::new(Line(model)), Threshold { value: 0.5, scale: 0.25 })
    }

    #[test]
    fn a_row_is_refused_exactly_above_the_threshold() {
        let device = Device::flex();
        let next = f32::from_bits(0.5_f32.to_bits() + 1);
        let rows = [[0.0], [0.25], [0.5], [next], [1.0]];
        let logits = guarded().forward(Tensor::from_data(rows, &device));
        let logits = host::floats(logits).unwrap();
        let classes: Vec<usize> = logits.chunks(3).map(arg_max).collect();
        assert_eq!(classes, [0, 1, 1, 2, 2]);
        // At 0.25: max −49.5, one unit below; at 1: max −48, two above.
        assert_eq!(
            (logits[5].to_bits(), logits[14].to_bits()),
            ((-50.5_f32).to_bits(), (-46.0_f32).to_bits())
        );
    }

    #[test]
    fn a_score_that_is_no_number_does_not_pass_for_undetected() {
        let device = Device::flex();
        let logits = guarded().forward(Tensor::from_data([[f32::NAN]], &device));
        assert!(host::floats(logits).unwrap()[2].is_nan());
    }

    #[test]
    fn success_is_to_be_neither_right_nor_detected() {
        let goal = guarded().goal(vec![0]);
        assert_eq!([0, 1, 2].map(|class| goal.is_met(0, class)), [false, true, false]);
    }
}
