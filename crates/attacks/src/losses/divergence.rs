//! How far the prediction has moved from the clean one.
use burn::prelude::*;
use burn::tensor::activation::{log_softmax, softmax};
use duress_core::{Aim, Loss};

/// `KL(softmax(z₀) ‖ softmax(z))`, where the aim's reference holds the clean logits `z₀`: what the
/// inner maximisation of TRADES increases. It has no gradient at the clean row itself.
///
/// Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan. *Theoretically Principled Trade-off between
/// Robustness and Accuracy.* ICML 2019, eq. 5 and algorithm 1. <https://arxiv.org/abs/1901.08573>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Divergence;

impl Loss for Divergence {
    fn name(&self) -> &'static str {
        "divergence"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        debug_assert!(aim.reference().is_some(), "the divergence needs the clean logits");
        let clean = aim.reference().unwrap_or_else(|| logits.clone().inner());
        let (weights, logs) = (softmax(clean.clone(), 1), log_softmax(clean, 1));
        let on_tape =
            |tensor: Tensor<2>| if logits.is_autodiff() { tensor.autodiff() } else { tensor };
        let difference = on_tape(logs) - log_softmax(logits.clone(), 1);
        (on_tape(weights) * difference).sum_dim(1).squeeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Goal, host::floats};

    /// Clean (1/4, 3/4), moved (1/2, 1/2): ¼ ln ½ + ¾ ln 3⁄2.
    #[test]
    fn value_by_hand_and_zero_at_the_clean_logits() {
        let device = Device::flex();
        let clean = Tensor::<2>::from_data([[0.0, 3.0_f32.ln()]], &device);
        let aim = Goal::Untargeted(vec![0]).aim(&device).with_reference(clean.clone());
        let of = |logits| floats(Divergence.per_sample(logits, &aim)).unwrap()[0];
        let expected = 0.25 * 0.5_f32.ln() + 0.75 * 1.5_f32.ln();
        assert!((of(Tensor::zeros([1, 2], &device)) - expected).abs() < 1e-6);
        assert!(of(clean).abs() < 1e-7);
    }

    /// The gradient by the logits is `softmax(z) − softmax(z₀)`.
    #[test]
    fn its_gradient_is_the_difference_of_the_probabilities() {
        let device = Device::flex();
        let clean = Tensor::<2>::from_data([[0.0, 3.0_f32.ln()]], &device);
        let aim = Goal::Untargeted(vec![0]).aim(&device).with_reference(clean);
        let leaf = Tensor::<2>::zeros([1, 2], &device).autodiff().require_grad();
        let loss = Divergence.per_sample(leaf.clone(), &aim);
        let got = floats(leaf.grad_remove(&mut loss.sum().backward()).unwrap()).unwrap();
        assert!((got[0] - 0.25).abs() < 1e-6 && (got[1] + 0.25).abs() < 1e-6, "{got:?}");
    }
}
