//! The rescaling of almost-orthogonal layers.
use burn::prelude::*;

/// Keeps a column of zeros finite.
const TINY: f64 = 1e-20;

/// Weights `[inputs, outputs]` each of whose columns (rows, if these are fewer) is divided by
/// `√Σⱼ |⟨wᵢ, wⱼ⟩|`: their spectral norm is at most 1.
///
/// Prach, Lampert 2022, thm. 1: `‖P D‖ ≤ 1` with `Dᵢᵢ = (Σⱼ |PᵀP|ᵢⱼ)^{−1/2}`; transposed the same.
pub(super) fn rescaled(weight: Tensor<2>) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    let transposed = weight.clone().transpose();
    if outputs <= inputs {
        weight.clone() / transposed.matmul(weight).abs().sum_dim(0).clamp_min(TINY).sqrt()
    } else {
        weight.clone() / weight.matmul(transposed).abs().sum_dim(1).clamp_min(TINY).sqrt()
    }
}
