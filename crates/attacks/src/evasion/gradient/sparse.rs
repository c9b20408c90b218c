//! The L1 step: the sign of the largest gradient components that the box lets move.
//!
//! Tramèr, Boneh. *Adversarial Training and Robustness for Multiple Perturbations.* Advances in
//! Neural Information Processing Systems 32, 2019, algorithm 1 (SLIDE). <https://arxiv.org/abs/1904.13000>
use burn::prelude::*;
use duress_core::Region;

/// A direction of L1 length one: the signs of the share `1 − quantile` of the components that are
/// largest in magnitude, ignoring those that point out of the box at `rows`. `[N, F] → [N, F]`.
pub(super) fn direction(
    gradient: Tensor<2>,
    rows: &Tensor<2>,
    region: &Region,
    quantile: f64,
) -> Tensor<2> {
    let features = gradient.dims()[1];
    let up =
        gradient.clone().greater_elem(0.0).bool_and(rows.clone().greater_equal(region.upper()));
    let down = gradient.clone().lower_elem(0.0).bool_and(rows.clone().lower_equal(region.lower()));
    let usable = gradient.mask_fill(up.bool_or(down), 0.0);

    let kept = (((1.0 - quantile) * features as f64).ceil() as usize).clamp(1, features);
    let magnitude = usable.clone().abs();
    let threshold = magnitude.clone().topk(kept, 1).narrow(1, kept - 1, 1);
    let chosen = magnitude.greater_equal(threshold).float() * usable.sign();
    let length = chosen.clone().abs().sum_dim(1).clamp_min(1.0);
    chosen / length
}
