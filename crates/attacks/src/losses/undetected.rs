//! Losses on a classifier that may refuse a row, which tell the class of refusal from the others.
use burn::prelude::*;
use duress_core::{Aim, Loss};

use super::{MASKED, label_logit, own_class};

/// `max_{i ∉ {y, r}} z_i − z_y`, where `r` is the class of refusal: how far the row is beyond being
/// classified otherwise, whether it is refused or not.
pub(crate) fn misclassification(logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
    let label = label_logit(&logits, aim);
    let own = own_class(&logits, &aim.labels());
    let mut others = logits.mask_fill(own, MASKED);
    if let Some(refusal) = aim.refusal() {
        let refused = class_mask(&others, refusal);
        others = others.mask_fill(refused, MASKED);
    }
    others.max_dim(1).squeeze_dim::<1>(1) - label
}

/// `max_{i ≠ r} z_i − z_r`: how far the row is from being refused; zero where nothing is refused.
pub(crate) fn passing(logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
    let Some(refusal) = aim.refusal() else { return logits.sum_dim(1).squeeze_dim::<1>(1) * 0.0 };
    let refused = class_mask(&logits, refusal);
    let own = logits.clone().narrow(1, refusal, 1);
    (logits.mask_fill(refused, MASKED).max_dim(1) - own).squeeze_dim(1)
}

fn class_mask(logits: &Tensor<2>, class: usize) -> Tensor<2, Bool> {
    let [rows, classes] = logits.dims();
    let all = Tensor::<1, Int>::arange(0..classes as i64, &logits.device().inner());
    all.unsqueeze::<2>().expand([rows, classes]).equal_elem(class as i64)
}

/// The margin of misclassification alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Misclassification;

impl Loss for Misclassification {
    fn name(&self) -> &'static str {
        "misclassification"
    }

    fn sees_refusal(&self) -> bool {
        true
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        misclassification(logits, aim)
    }
}

/// The margin of not being refused alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing;

impl Loss for Passing {
    fn name(&self) -> &'static str {
        "passing"
    }

    fn sees_refusal(&self) -> bool {
        true
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        passing(logits, aim)
    }
}

/// The margin of misclassification until there is one, then that of not being refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selective;

impl Loss for Selective {
    fn name(&self) -> &'static str {
        "selective"
    }

    fn sees_refusal(&self) -> bool {
        true
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let wrong = misclassification(logits.clone(), aim);
        if aim.refusal().is_none() {
            return wrong;
        }
        let is_wrong = wrong.clone().inner().greater_elem(0.0);
        wrong.mask_where(is_wrong, passing(logits, aim))
    }
}

/// `min(misclassification, κ) + λ min(passing, κ)`, with the `λ` `[N, 1]` that the aim has as its
/// reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joint {
    pub(crate) confidence: f64,
}

impl Loss for Joint {
    fn name(&self) -> &'static str {
        "joint"
    }

    fn sees_refusal(&self) -> bool {
        true
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let wrong = misclassification(logits.clone(), aim).clamp_max(self.confidence);
        let Some(weight) = aim.reference() else { return wrong };
        wrong + passing(logits, aim).clamp_max(self.confidence) * weight.squeeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Goal, host::floats};

    /// Label 0, refusal 2: z = (1, 3, 7) is beyond the label by 2 and refused by 4;
    /// z = (5, 3, 4) is right by 2 and passes by 1.
    #[test]
    fn the_margins_by_hand() {
        let device = Device::flex();
        let aim = Goal::Undetected { labels: vec![0, 0], refusal: 2 }.aim(&device);
        let logits = Tensor::<2>::from_data([[1.0, 3.0, 7.0], [5.0, 3.0, 4.0]], &device);
        let of = |loss: &dyn Loss, aim: &Aim| floats(loss.per_sample(logits.clone(), aim)).unwrap();
        assert_eq!(of(&Misclassification, &aim), [2.0, -2.0]);
        assert_eq!(of(&Passing, &aim), [-4.0, 1.0]);
        assert_eq!(of(&Selective, &aim), [-4.0, -2.0]);
        let weighed = aim.with_reference(Tensor::from_data([[0.5], [10.0]], &device));
        assert_eq!(of(&Joint { confidence: 0.25 }, &weighed), [0.25 - 2.0, -2.0 + 2.5]);
        let plain = Goal::Untargeted(vec![0, 0]).aim(&device);
        assert_eq!(of(&Selective, &plain), [6.0, -1.0]);
        assert_eq!(of(&Passing, &plain), [0.0, 0.0]);
    }
}
