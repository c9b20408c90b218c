//! What counts as success.
use std::ops::Range;

use burn::prelude::*;

use crate::{Error, Result};

/// Far below any logit, so that a joined class is never the largest.
pub(crate) const FAR_BELOW: f32 = -1e30;

/// What the adversary wants of each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Any prediction other than these labels.
    Untargeted(Vec<usize>),
    /// Exactly these classes.
    Targeted(Vec<usize>),
    /// Any prediction other than these labels that is an answer: of a classifier that may refuse
    /// a row, as one behind a detector does.
    Undetected {
        /// The labels to leave.
        labels: Vec<usize>,
        /// The class that stands for a refusal.
        refusal: usize,
    },
}

impl Goal {
    /// The labels to leave or to reach.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        match self {
            Goal::Untargeted(labels) | Goal::Targeted(labels) | Goal::Undetected { labels, .. } => {
                labels
            }
        }
    }

    /// The class that stands for a refusal, where reaching it is no success.
    #[must_use]
    pub fn refusal(&self) -> Option<usize> {
        match self {
            Goal::Undetected { refusal, .. } => Some(*refusal),
            Goal::Untargeted(_) | Goal::Targeted(_) => None,
        }
    }

    /// The same kind of goal for other samples.
    #[must_use]
    pub fn with_labels(&self, labels: Vec<usize>) -> Self {
        match self {
            Goal::Untargeted(_) => Goal::Untargeted(labels),
            Goal::Targeted(_) => Goal::Targeted(labels),
            Goal::Undetected { refusal, .. } => Goal::Undetected { labels, refusal: *refusal },
        }
    }

    /// Whether the labels are to be reached.
    #[must_use]
    pub fn is_targeted(&self) -> bool {
        matches!(self, Goal::Targeted(_))
    }

    /// Whether a prediction for sample `index` is what the adversary wants.
    #[must_use]
    pub fn is_met(&self, index: usize, predicted: usize) -> bool {
        (self.labels()[index] == predicted) == self.is_targeted()
            && self.refusal() != Some(predicted)
    }

    /// Checks that there is one label for each of `rows` samples, below `classes`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Label`]; [`Error::Shape`] too for a class of refusal that is
    /// none of the model's or a sample's label.
    pub fn check(&self, rows: usize, classes: usize) -> Result<()> {
        let labels = self.labels();
        if labels.len() != rows {
            return Err(Error::Shape {
                what: "labels",
                expected: format!("{rows}, one a row"),
                got: labels.len().to_string(),
            });
        }
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::Label { row, label: labels[row], classes });
        }
        let Some(refusal) = self.refusal() else { return Ok(()) };
        let expected = || format!("below {classes} and no label of a sample");
        if refusal >= classes || labels.contains(&refusal) {
            let got = refusal.to_string();
            return Err(Error::Shape { what: "class of refusal", expected: expected(), got });
        }
        Ok(())
    }

    /// The samples at `positions` only.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        self.with_labels(positions.iter().map(|&position| self.labels()[position]).collect())
    }

    /// The goal of a batch, on the device.
    #[must_use]
    pub fn aim(&self, device: &Device) -> Aim {
        let labels: Vec<i64> = self.labels().iter().map(|&label| label as i64).collect();
        let shape = [labels.len()];
        Aim {
            labels: Tensor::from_data(TensorData::new(labels, shape), device),
            targeted: self.is_targeted(),
            refusal: self.refusal(),
            rivals: None,
            reference: None,
        }
    }
}

/// A [`Goal`] on the device, for the samples of one pass.
#[derive(Clone, Debug)]
pub struct Aim {
    labels: Tensor<1, Int>,
    targeted: bool,
    refusal: Option<usize>,
    rivals: Option<Tensor<1, Int>>,
    reference: Option<Tensor<2>>,
}

impl Aim {
    /// The labels `[N]` to leave or to reach.
    #[must_use]
    pub fn labels(&self) -> Tensor<1, Int> {
        self.labels.clone()
    }

    /// Whether the labels are to be reached.
    #[must_use]
    pub fn is_targeted(&self) -> bool {
        self.targeted
    }

    /// The kind of goal, for no samples.
    pub(crate) fn goal(&self) -> Goal {
        match (self.targeted, self.refusal) {
            (true, _) => Goal::Targeted(Vec::new()),
            (false, None) => Goal::Untargeted(Vec::new()),
            (false, Some(refusal)) => Goal::Undetected { labels: Vec::new(), refusal },
        }
    }

    /// Turns a per-sample score of the labels into something to *maximise*: the score itself if
    /// the labels are to be reached, its negative if they are to be left.
    #[must_use]
    pub fn maximise(&self, score_of_labels: Tensor<1>) -> Tensor<1> {
        if self.targeted { score_of_labels } else { -score_of_labels }
    }

    /// Which samples succeed: logits `[N, K] → [N]`. Ties go to the lowest class.
    #[must_use]
    pub fn met(&self, logits: Tensor<2>) -> Tensor<1, Bool> {
        self.met_by(logits.argmax(1).squeeze_dim(1))
    }

    /// Which samples succeed: predicted classes `[N] → [N]`.
    #[must_use]
    pub fn met_by(&self, predicted: Tensor<1, Int>) -> Tensor<1, Bool> {
        if self.targeted {
            return predicted.equal(self.labels());
        }
        let wrong = predicted.clone().not_equal(self.labels());
        match self.refusal {
            Some(class) => wrong.bool_and(predicted.not_equal_elem(class as i64)),
            None => wrong,
        }
    }

    /// The class that stands for a refusal, where reaching it is no success.
    #[must_use]
    pub fn refusal(&self) -> Option<usize> {
        self.refusal
    }

    /// Logits `[N, K]` in which the label also stands for a refusal, so that leaving it is
    /// success: the larger of both logits at the label, and one far below all others at the class
    /// of refusal. As they are where nothing is refused.
    #[must_use]
    pub fn join_refusal(&self, logits: Tensor<2>) -> Tensor<2> {
        let Some(refusal) = self.refusal else { return logits };
        let ([rows, classes], device) = (logits.dims(), self.labels.device());
        let all = Tensor::<1, Int>::arange(0..classes as i64, &device)
            .unsqueeze::<2>()
            .expand([rows, classes]);
        let refused = all.clone().equal_elem(refusal as i64);
        let own = all.equal(self.labels().unsqueeze_dim::<2>(1).expand([rows, classes]));
        let pair = logits.clone().narrow(1, refusal, 1).expand([rows, classes]);
        let larger = logits.clone().max_pair(pair);
        logits.mask_where(own, larger).mask_fill(refused, FAR_BELOW)
    }

    /// Names a second class `[N]` for each sample, for losses that weigh two classes.
    #[must_use]
    pub fn with_rivals(self, rivals: Tensor<1, Int>) -> Self {
        Self { rivals: Some(rivals), ..self }
    }

    /// The second class `[N]` of each sample, if one was named.
    #[must_use]
    pub fn rivals(&self) -> Option<Tensor<1, Int>> {
        self.rivals.clone()
    }

    /// Gives each sample values `[N, W]` that a loss compares with, such as its clean logits.
    #[must_use]
    pub fn with_reference(self, reference: Tensor<2>) -> Self {
        Self { reference: Some(reference), ..self }
    }

    /// The values `[N, W]` to compare with, if there are any.
    #[must_use]
    pub fn reference(&self) -> Option<Tensor<2>> {
        self.reference.clone()
    }

    /// The samples in `range`.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        self.map(
            |labels| labels.narrow(0, range.start, range.len()),
            |values| values.narrow(0, range.start, range.len()),
        )
    }

    /// The samples at `positions` `[M]`.
    #[must_use]
    pub fn select(&self, positions: Tensor<1, Int>) -> Self {
        self.map(
            |labels| labels.select(0, positions.clone()),
            |values| values.select(0, positions.clone()),
        )
    }

    /// Each sample `times` times in a row.
    #[must_use]
    pub fn repeat(&self, times: usize) -> Self {
        let count = self.labels.dims()[0] * times;
        self.map(
            |labels| labels.unsqueeze_dim::<2>(1).repeat_dim(1, times).reshape([count]),
            |values| {
                let width = values.dims()[1];
                values.unsqueeze_dim::<3>(1).repeat_dim(1, times).reshape([count, width])
            },
        )
    }

    /// The same batch with its last sample repeated up to `rows` samples.
    #[must_use]
    pub(crate) fn pad(self, rows: usize) -> Self {
        let have = self.labels.dims()[0];
        if have == rows {
            return self;
        }
        self.map(
            |labels| {
                let last = labels.clone().narrow(0, have - 1, 1).repeat_dim(0, rows - have);
                Tensor::cat(vec![labels, last], 0)
            },
            |values| {
                let last = values.clone().narrow(0, have - 1, 1).repeat_dim(0, rows - have);
                Tensor::cat(vec![values, last], 0)
            },
        )
    }

    /// The same operation on all that belongs to a sample.
    fn map(
        &self,
        classes: impl Fn(Tensor<1, Int>) -> Tensor<1, Int>,
        values: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Self {
        Self {
            labels: classes(self.labels()),
            targeted: self.targeted,
            refusal: self.refusal,
            rivals: self.rivals().map(classes),
            reference: self.reference().map(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{booleans, integers};

    #[test]
    fn untargeted_leaves_the_label_and_targeted_reaches_it() {
        let device = Device::flex();
        let logits = || Tensor::<2>::from_data([[0.0, 1.0], [1.0, 0.0]], &device);
        let met = |goal: Goal| booleans(goal.aim(&device).met(logits())).unwrap();
        assert_eq!(met(Goal::Untargeted(vec![0, 0])), [true, false]);
        assert_eq!(met(Goal::Targeted(vec![0, 0])), [false, true]);
        assert!(Goal::Targeted(vec![1]).is_met(0, 1));
        assert!(!Goal::Untargeted(vec![1]).is_met(0, 1));
    }

    /// Classes 0 and 1, and 2 for a refusal; the label is 0. Success is class 1 alone.
    #[test]
    fn a_refusal_is_no_success_and_joins_the_label() {
        let device = Device::flex();
        let goal = Goal::Undetected { labels: vec![0; 3], refusal: 2 };
        let logits = [[3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]];
        let logits = Tensor::<2>::from_data(logits, &device);
        let aim = goal.aim(&device);
        assert_eq!(booleans(aim.met(logits.clone())).unwrap(), [false, false, true]);
        assert_eq!([0, 1, 2].map(|class| goal.is_met(0, class)), [false, true, false]);
        let joined = crate::host::floats(aim.join_refusal(logits)).unwrap();
        let low = FAR_BELOW;
        assert_eq!(joined, [3.0, 1.0, low, 3.0, 2.0, low, 2.0, 3.0, low]);
        assert!(goal.check(3, 3).is_ok() && goal.check(3, 2).is_err());
        assert!(Goal::Undetected { labels: vec![2], refusal: 2 }.check(1, 3).is_err());
        assert_eq!(goal.select(&[1]), Goal::Undetected { labels: vec![0], refusal: 2 });
        assert!(!goal.is_targeted());
    }

    #[test]
    fn labels_are_counted_and_bounded() {
        assert!(Goal::Untargeted(vec![0, 1]).check(2, 2).is_ok());
        assert!(matches!(Goal::Untargeted(vec![0]).check(2, 2), Err(Error::Shape { .. })));
        let error = Goal::Untargeted(vec![0, 2]).check(2, 2);
        assert_eq!(error, Err(Error::Label { row: 1, label: 2, classes: 2 }));
    }

    #[test]
    fn padding_repeats_the_last_sample_and_repetition_keeps_samples_together() {
        let aim = Goal::Untargeted(vec![3, 4]).aim(&Device::flex());
        assert_eq!(integers(aim.clone().pad(4).labels()).unwrap(), [3, 4, 4, 4]);
        assert_eq!(integers(aim.repeat(2).labels()).unwrap(), [3, 3, 4, 4]);
    }

    #[test]
    fn rivals_and_reference_stay_with_their_samples() {
        let device = Device::flex();
        let rivals = Tensor::<1, Int>::from_data([5, 6, 7], &device);
        let reference = Tensor::<2>::from_data([[0.5], [0.6], [0.7]], &device);
        let aim = Goal::Untargeted(vec![0, 1, 2]).aim(&device);
        let aim = aim.with_rivals(rivals).with_reference(reference);
        let check = |aim: Aim, expected: &[i64]| {
            assert_eq!(integers(aim.rivals().unwrap()).unwrap(), expected);
            let tenths: Vec<f32> = expected.iter().map(|&class| class as f32 / 10.0).collect();
            assert_eq!(crate::host::floats(aim.reference().unwrap()).unwrap(), tenths);
        };
        check(aim.slice(1..3), &[6, 7]);
        check(aim.slice(1..2).pad(3), &[6, 6, 6]);
        check(aim.slice(0..2).repeat(2), &[5, 5, 6, 6]);
        check(aim.select(Tensor::from_data([2, 0], &device)), &[7, 5]);
    }
}
