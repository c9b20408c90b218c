//! Terms of robust losses, one value a row, on the tape of the logits.
use burn::prelude::*;
use burn::tensor::activation::{log_softmax, softmax};

/// `KL(softmax(z) ‖ softmax(z̃))` of each row, logits `[B, K] → [B]`; the gradient runs into both.
pub(super) fn divergence(clean: Tensor<2>, adversarial: Tensor<2>) -> Tensor<1> {
    let logs = log_softmax(clean.clone(), 1) - log_softmax(adversarial, 1);
    (softmax(clean, 1) * logs).sum_dim(1).squeeze_dim(1)
}

/// `−log(1.0001 − max_{k≠y} p_k)` of each row: how far the strongest wrong class is from silence.
///
/// Wang et al. 2020, eq. (8), second term, with the constants of the official code.
pub(super) fn rival_penalty(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [rows, classes] = logits.dims();
    let own = Tensor::<1, Int>::arange(0..classes as i64, &labels.device())
        .unsqueeze::<2>()
        .expand([rows, classes])
        .equal(labels.unsqueeze_dim::<2>(1).expand([rows, classes]));
    // Which class is the rival is no matter of the gradient.
    let others = logits.clone().inner().mask_fill(own, f32::MIN);
    let rival = others.argmax(1);
    let probability = softmax(logits, 1).gather(1, rival);
    let silence = probability.neg() + 1.0001;
    silence.log().neg().squeeze_dim(1)
}

/// The probability of the label of each row, `[B, K] → [B]`.
pub(super) fn label_probability(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    fn logits(values: [f32; 3]) -> Tensor<2> {
        Tensor::from_data([values.map(f32::ln)], &Device::flex())
    }

    fn labels(label: i64) -> Tensor<1, Int> {
        Tensor::from_data([label], &Device::flex())
    }

    /// (1, 1, 2)/4 against (1, 2, 1)/4: ¼ ln 1 + ¼ ln ½ + ½ ln 2 = ¼ ln 2.
    #[test]
    fn divergence_by_hand() {
        let got = floats(divergence(logits([1.0, 1.0, 2.0]), logits([1.0, 2.0, 1.0]))).unwrap()[0];
        assert!((got - 0.25 * 2.0_f32.ln()).abs() < 1e-6, "{got}");
    }

    /// (1, 3, 4)/8: beside label 2 the strongest is class 1 with 3/8, beside label 1 class 2.
    #[test]
    fn the_rival_is_the_strongest_other_class() {
        for (label, rival) in [(2, 0.375_f32), (1, 0.5), (0, 0.5)] {
            let got = floats(rival_penalty(logits([1.0, 3.0, 4.0]), labels(label))).unwrap()[0];
            assert!((got + (1.0001 - rival).ln()).abs() < 1e-6, "{got}");
        }
    }

    #[test]
    fn the_probability_of_the_label_by_hand() {
        let got = floats(label_probability(logits([1.0, 3.0, 4.0]), labels(1))).unwrap()[0];
        assert!((got - 0.375).abs() < 1e-6, "{got}");
    }
}
