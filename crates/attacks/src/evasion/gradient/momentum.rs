//! Accumulated gradients.
//!
//! Dong, Liao, Pang, Su, Zhu, Hu, Li. *Boosting Adversarial Attacks with Momentum.* CVPR 2018,
//! algorithm 1. <https://arxiv.org/abs/1710.06081>
use burn::prelude::*;
use duress_core::Norm;

/// `μ g + ∇ / ‖∇‖₁` of each row: the velocity `[N, F]` after one more `gradient` `[N, F]`.
///
/// A zero gradient adds nothing: it has no direction.
pub(super) fn accumulate(velocity: Tensor<2>, gradient: Tensor<2>, decay: f64) -> Tensor<2> {
    let length = Norm::L1.of(gradient.clone()).clamp_min(f32::MIN_POSITIVE);
    velocity * decay + gradient / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn two_gradients_by_hand_and_a_zero_one() {
        let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &Device::flex());
        let first = accumulate(row([0.0, 0.0]), row([3.0, -1.0]), 0.5);
        assert_eq!(floats(first.clone()).unwrap(), [0.75, -0.25]);
        let second = accumulate(first, row([0.0, 1e-20]), 0.5);
        assert_eq!(floats(second.clone()).unwrap(), [0.375, 0.875]);
        let third = accumulate(second, row([0.0, 0.0]), 0.5);
        assert_eq!(floats(third).unwrap(), [0.1875, 0.4375]);
    }
}
