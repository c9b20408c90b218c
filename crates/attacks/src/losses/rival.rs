//! Losses between a sample's label and a second class, the rival that its aim names.
use burn::prelude::*;
use duress_core::{Aim, Error, Loss, Result};

use super::{TINY, ranks};

/// `z_r − z_y` between the rival `r` and the label `y`: positive beyond their boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RivalMargin;

impl Loss for RivalMargin {
    fn name(&self) -> &'static str {
        "rival margin"
    }

    fn check(&self, classes: usize, _: bool) -> Result<()> {
        if classes < 2 {
            return Err(Error::Classes { loss: self.name(), needed: 2, classes });
        }
        Ok(())
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        at(&logits, rivals(aim)) - at(&logits, aim.labels())
    }
}

/// `z_r`: its gradient is a row of the Jacobian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RivalLogit;

impl Loss for RivalLogit {
    fn name(&self) -> &'static str {
        "rival logit"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        at(&logits, rivals(aim))
    }
}

/// `−(z_y − z_t) / (z_π1 − ½(z_π3 + z_π4))` towards the rival `t`.
///
/// Croce, Hein. *Reliable evaluation of adversarial robustness with an ensemble of diverse
/// parameter-free attacks.* ICML 2020, eq. 7. <https://arxiv.org/abs/2003.01690>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetedDlr;

impl Loss for TargetedDlr {
    fn name(&self) -> &'static str {
        "targeted dlr"
    }

    fn check(&self, classes: usize, _: bool) -> Result<()> {
        if classes < 4 {
            return Err(Error::Classes { loss: self.name(), needed: 4, classes });
        }
        Ok(())
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let sorted = logits.clone().gather(1, ranks(&logits, 4));
        let rank = |place| sorted.clone().narrow(1, place, 1).squeeze_dim::<1>(1);
        let spread = rank(0) - (rank(2) + rank(3)) * 0.5 + TINY;
        (at(&logits, rivals(aim)) - at(&logits, aim.labels())) / spread
    }
}

/// The rivals; without any, the labels themselves, at which the margins are zero.
fn rivals(aim: &Aim) -> Tensor<1, Int> {
    debug_assert!(aim.rivals().is_some(), "a loss between two classes needs rivals");
    aim.rivals().unwrap_or_else(|| aim.labels())
}

/// The logit of each sample's class.
fn at(logits: &Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    logits.clone().gather(1, classes.unsqueeze_dim(1)).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Goal, host::floats};

    fn of(loss: &dyn Loss, logits: [f32; 4], label: usize, rival: i64) -> f32 {
        let device = Device::flex();
        let rivals = Tensor::<1, Int>::from_data([rival], &device);
        let aim = Goal::Untargeted(vec![label]).aim(&device).with_rivals(rivals);
        floats(loss.per_sample(Tensor::from_data([logits], &device), &aim)).unwrap()[0]
    }

    /// z = (3, 1, 0, −2): π = 3, 1, 0, −2; spread 3 − ½(0 − 2) = 4.
    #[test]
    fn values_by_hand() {
        let z = [3.0, 1.0, 0.0, -2.0];
        let close = |got: f32, expected: f32| assert!((got - expected).abs() < 1e-6, "{got}");
        close(of(&RivalMargin, z, 0, 2), -3.0);
        close(of(&RivalLogit, z, 0, 3), -2.0);
        close(of(&TargetedDlr, z, 0, 1), -0.5);
        close(of(&TargetedDlr, z, 2, 1), 0.25);
        let moved = z.map(|z| 3.0 * z - 8.0);
        close(of(&TargetedDlr, moved, 2, 1), 0.25);
    }

    #[test]
    fn one_class_has_no_rival() {
        assert!(matches!(RivalMargin.check(1, false), Err(Error::Classes { needed: 2, .. })));
    }

    #[test]
    fn targeted_dlr_needs_four_classes() {
        assert!(matches!(TargetedDlr.check(3, false), Err(Error::Classes { needed: 4, .. })));
        assert!(TargetedDlr.check(4, true).is_ok());
    }
}
