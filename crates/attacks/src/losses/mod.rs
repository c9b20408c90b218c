//! What the gradient attacks increase.
mod divergence;
mod rival;
mod undetected;

use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::{Aim, Error, Loss, Result};
use serde::{Deserialize, Serialize};

pub use divergence::Divergence;
pub use rival::{RivalLogit, RivalMargin, TargetedDlr};
pub(crate) use undetected::{Joint, Misclassification, Passing, Selective, misclassification};

/// Keeps the DLR denominator off zero, as in the official code of `AutoAttack`.
const TINY: f64 = 1e-12;

/// Far below any logit, so that a masked class is never the largest.
pub(crate) const MASKED: f32 = -1e30;

/// The losses by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// `−log softmax(z)_y`; with a target its negative at the target.
    ///
    /// Its gradient is exact where the model is sure: `1 − softmax(z)_y` is summed from the other
    /// classes. Frameworks subtract from one in f32, so that above 0.999999 the sign of their
    /// gradient is rounding noise and the model looks more robust than it is.
    #[default]
    CrossEntropy,
    /// `max_{i≠y} z_i − z_y`; with a target `z_t − max_{i≠t} z_i`.
    ///
    /// Carlini, Wagner. *Towards Evaluating the Robustness of Neural Networks.* S&P 2017, f₆.
    Margin,
    /// Difference of logits ratio: `−(z_y − max_{i≠y} z_i) / (z_π1 − z_π3)`. Not for targets:
    /// those have [`TargetedDlr`].
    ///
    /// Croce, Hein. *Reliable evaluation of adversarial robustness with an ensemble of diverse
    /// parameter-free attacks.* ICML 2020, eq. 6. <https://arxiv.org/abs/2003.01690>
    Dlr,
}

impl Loss for LossKind {
    fn name(&self) -> &'static str {
        match self {
            LossKind::CrossEntropy => "cross-entropy",
            LossKind::Margin => "margin",
            LossKind::Dlr => "dlr",
        }
    }

    fn check(&self, classes: usize, targeted: bool) -> Result<()> {
        let needed = if *self == LossKind::Dlr { 3 } else { 2 };
        if classes < needed {
            return Err(Error::Classes { loss: self.name(), needed, classes });
        }
        if targeted && *self == LossKind::Dlr {
            return Err(Error::LossGoal { loss: self.name(), goal: "targeted" });
        }
        Ok(())
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        match self {
            LossKind::CrossEntropy => aim.maximise(log_likelihood(logits, &aim.labels())),
            LossKind::Margin => {
                let margin = label_logit(&logits, aim) - largest_other(logits, &aim.labels());
                aim.maximise(margin)
            }
            LossKind::Dlr => dlr(logits, aim),
        }
    }
}

fn label_logit(logits: &Tensor<2>, aim: &Aim) -> Tensor<1> {
    logits.clone().gather(1, aim.labels().unsqueeze_dim(1)).squeeze_dim(1)
}

/// `max_{i≠label} z_i`, by masking: right for negative logits too.
fn largest_other(logits: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    let own = own_class(&logits, labels);
    logits.mask_fill(own, MASKED).max_dim(1).squeeze_dim(1)
}

/// Whether a column is the row's label, `[N, K]`.
pub(crate) fn own_class(logits: &Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<2, Bool> {
    let [rows, classes] = logits.dims();
    let all = Tensor::<1, Int>::arange(0..classes as i64, &labels.device())
        .unsqueeze::<2>()
        .expand([rows, classes]);
    all.equal(labels.clone().unsqueeze_dim::<2>(1).expand([rows, classes]))
}

/// `log softmax(z)_y`.
///
/// The value is `−softplus(log Σ_{i≠y} exp z_i − z_y)` and the gradient `(−p_i, Σ_{i≠y} p_i)`, both
/// without a difference from one. They are computed off the tape and put on it as a linear function.
fn log_likelihood(logits: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    let z = logits.clone().inner();
    let [rows, classes] = z.dims();
    let own = own_class(&z, labels);
    let others = softmax(z.clone(), 1).mask_fill(own.clone(), 0.0);
    let total = others.clone().sum_dim(1).expand([rows, classes]);
    let slopes = others.neg().mask_where(own.clone(), total);

    let at_label = z.clone().gather(1, labels.clone().unsqueeze_dim(1));
    let masked = z.mask_fill(own, MASKED);
    let top = masked.clone().max_dim(1);
    let behind = (masked - top.clone()).exp().sum_dim(1).log() + top - at_label;
    let value = -(behind.clone().clamp_min(0.0) + (behind.abs().neg().exp()).log1p());
    if !logits.is_autodiff() {
        return value.squeeze_dim(1);
    }
    let linear = (logits * slopes.autodiff()).sum_dim(1);
    let offset = value - linear.clone().inner();
    (linear + offset.autodiff()).squeeze_dim(1)
}

/// The classes of the `count` largest logits of each row, `[N, count]`, off the tape.
pub(crate) fn ranks(logits: &Tensor<2>, count: usize) -> Tensor<2, Int> {
    let logits = logits.clone().inner();
    if logits.dims()[1] > count {
        logits.argtopk(count, 1)
    } else {
        // `argtopk` takes fewer than all.
        logits.argsort_descending(1)
    }
}

/// The ranks come from a sort off the tape; the values are gathered on it, because the gradient
/// runs through the denominator too.
fn dlr(logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
    let ranks = ranks(&logits, 3);
    let sorted = logits.clone().gather(1, ranks);
    let spread = sorted.clone().narrow(1, 0, 1) - sorted.narrow(1, 2, 1) + TINY;
    let margin = label_logit(&logits, aim) - largest_other(logits, &aim.labels());
    aim.maximise(margin / spread.squeeze_dim(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Goal, host::floats};

    fn of(loss: LossKind, logits: [f32; 4], goal: Goal) -> f32 {
        let device = Device::flex();
        let aim = goal.aim(&device);
        floats(loss.per_sample(Tensor::from_data([logits], &device), &aim)).unwrap()[0]
    }

    fn leave(label: usize) -> Goal {
        Goal::Untargeted(vec![label])
    }

    /// z = (ln 1, ln 2, ln 4, ln 1): softmax (1, 2, 4, 1)/8.
    #[test]
    fn values_by_hand() {
        let (one, two, four) = (0.0, 2.0_f32.ln(), 4.0_f32.ln());
        let z = [one, two, four, one];
        let close = |got: f32, expected: f32| assert!((got - expected).abs() < 1e-6, "{got}");
        close(of(LossKind::CrossEntropy, z, leave(1)), four);
        close(of(LossKind::CrossEntropy, z, Goal::Targeted(vec![1])), -four);
        close(of(LossKind::Margin, z, leave(1)), two);
        close(of(LossKind::Margin, z, Goal::Targeted(vec![1])), -two);
        close(of(LossKind::Margin, z, leave(2)), -two);
        // π1 = 2, π2 = 1, π3 = 0 or 3: −(z₂ − z₁)/(z₂ − z₀).
        close(of(LossKind::Dlr, z, leave(2)), -0.5);
        close(of(LossKind::Dlr, z, leave(0)), 1.0);
    }

    #[test]
    fn the_margin_of_negative_logits_ignores_the_masked_class() {
        let z = [-50.0, -10.0, -30.0, -40.0];
        assert!((of(LossKind::Margin, z, leave(1)) + 20.0).abs() < 1e-6);
    }

    /// z = (30, 0, 0): 1 − p is far below the rounding of one, and the gradient keeps all digits.
    #[test]
    fn the_gradient_of_a_sure_model_is_exact() {
        let device = Device::flex();
        for (margin, digits) in [(30.0_f32, 1e-5), (2.0, 1e-5), (-40.0, 1e-5)] {
            let leaf = Tensor::<2>::from_data([[margin, 0.0, 0.0]], &device);
            let leaf = leaf.autodiff().require_grad();
            let loss = LossKind::CrossEntropy.per_sample(leaf.clone(), &leave(0).aim(&device));
            let value = f64::from(floats(loss.clone().inner()).unwrap()[0]);
            let behind = 2.0_f64 * (-f64::from(margin)).exp();
            assert!((value / behind.ln_1p() - 1.0).abs() < digits, "{margin}: {value}");
            let got = floats(leaf.grad_remove(&mut loss.sum().backward()).unwrap()).unwrap();
            let wrong = behind / (1.0 + behind);
            for (got, expected) in got.into_iter().zip([-wrong, wrong / 2.0, wrong / 2.0]) {
                assert!((f64::from(got) / expected - 1.0).abs() < digits, "{margin}: {got}");
            }
        }
    }

    #[test]
    fn dlr_ignores_shift_and_scale_and_cross_entropy_does_not() {
        let z = [0.3, -1.2, 2.5, 0.9];
        let moved = z.map(|z| 7.0 * z - 3.0);
        let change = |loss| (of(loss, z, leave(2)) - of(loss, moved, leave(2))).abs();
        assert!(change(LossKind::Dlr) < 1e-5);
        assert!(change(LossKind::CrossEntropy) > 0.1);
    }

    /// Central differences of the DLR, denominator included.
    #[test]
    fn the_gradient_runs_through_the_denominator() {
        let device = Device::flex();
        let z = [0.3_f32, -1.2, 2.5, 0.9];
        let leaf = Tensor::<2>::from_data([z], &device).autodiff().require_grad();
        let aim = leave(3).aim(&device);
        let mut grads = LossKind::Dlr.per_sample(leaf.clone(), &aim).sum().backward();
        let got = floats(leaf.grad_remove(&mut grads).unwrap()).unwrap();
        for (index, got) in got.into_iter().enumerate() {
            let nudged = |by: f32| {
                let mut z = z;
                z[index] += by;
                of(LossKind::Dlr, z, leave(3))
            };
            let expected = (nudged(1e-2) - nudged(-1e-2)) / 2e-2;
            assert!((got - expected).abs() < 1e-3, "{index}: {got} {expected}");
        }
    }

    /// π = 1, 2, 0: −(z₁ − z₂)/(z₁ − z₀).
    #[test]
    fn three_classes_are_enough() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[0.0, 4.0, 1.0]], &device);
        let got = floats(LossKind::Dlr.per_sample(logits, &leave(1).aim(&device))).unwrap()[0];
        assert!((got + 0.75).abs() < 1e-6, "{got}");
    }

    #[test]
    fn dlr_refuses_two_classes_and_targets() {
        assert!(LossKind::Margin.check(2, true).is_ok());
        assert!(matches!(LossKind::Dlr.check(2, false), Err(Error::Classes { needed: 3, .. })));
        assert!(matches!(LossKind::Dlr.check(10, true), Err(Error::LossGoal { .. })));
    }
}
