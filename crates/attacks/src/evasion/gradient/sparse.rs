//! The L1 step: the sign of the largest gradient components that the box lets move.
//!
//! Tramèr, Boneh. *Adversarial Training and Robustness for Multiple Perturbations.* Advances in
//! Neural Information Processing Systems 32, 2019, algorithm 1 (SLIDE). <https://arxiv.org/abs/1904.13000>
use burn::prelude::*;
use duress_core::{Part, Region};

/// A direction of L1 length one: the signs of the share `1 − quantile` of the components that are
/// largest in magnitude, ignoring those that point out of the box at `rows`. `[N, F] → [N, F]`.
pub(super) fn direction(
    gradient: Tensor<2>,
    rows: &Tensor<2>,
    region: &Region,
    quantile: f64,
) -> Tensor<2> {
    let features = gradient.dims()[1];
    let kept = (((1.0 - quantile) * features as f64).ceil() as usize).clamp(1, features);
    if let Some(host) = region.on_host() {
        let now = host.values(rows.clone());
        return host.each_row(gradient, |index, row, part, scratch| {
            row_direction(row, &now[index * features..][..features], part, kept, scratch);
        });
    }
    by_tensors(gradient, rows, region, kept)
}

/// [`direction`] of one row on a CPU: `row` holds the gradient and becomes the direction. Selection
/// takes the place of sorting.
fn row_direction(
    row: &mut [f32],
    now: &[f32],
    part: Part<'_>,
    kept: usize,
    scratch: &mut Vec<f32>,
) {
    for (feature, slope) in row.iter_mut().enumerate() {
        let up = *slope > 0.0 && now[feature] >= part.upper[feature];
        let down = *slope < 0.0 && now[feature] <= part.lower[feature];
        if up || down {
            *slope = 0.0;
        }
    }
    scratch.clear();
    scratch.extend(row.iter().map(|slope| slope.abs()));
    let (_, &mut threshold, _) = scratch.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    let chosen = |slope: f32| slope != 0.0 && slope.abs() >= threshold;
    let length = row.iter().filter(|&&slope| chosen(slope)).count().max(1) as f32;
    for slope in row {
        *slope = if chosen(*slope) { slope.signum() / length } else { 0.0 };
    }
}

/// [`direction`] by operations on whole tensors.
fn by_tensors(gradient: Tensor<2>, rows: &Tensor<2>, region: &Region, kept: usize) -> Tensor<2> {
    let up =
        gradient.clone().greater_elem(0.0).bool_and(rows.clone().greater_equal(region.upper()));
    let down = gradient.clone().lower_elem(0.0).bool_and(rows.clone().lower_equal(region.lower()));
    let usable = gradient.mask_fill(up.bool_or(down), 0.0);
    let magnitude = usable.clone().abs();
    let threshold = magnitude.clone().topk(kept, 1).narrow(1, kept - 1, 1);
    let chosen = magnitude.greater_equal(threshold).float() * usable.sign();
    let length = chosen.clone().abs().sum_dim(1).clamp_min(1.0);
    chosen / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Norm, Threat, host::floats};
    use proptest::prelude::*;

    const FEATURES: usize = 12;

    fn tensor(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, FEATURES]), &Device::flex())
    }

    proptest! {
        /// With ties, zeros, and rows at the faces of the box.
        #[test]
        fn a_row_by_itself_is_what_the_tensors_give(
            slopes in prop::collection::vec(prop_oneof![Just(0.0_f32), Just(1.0), -2.0_f32..2.0], FEATURES),
            now in prop::collection::vec(prop_oneof![Just(0.0_f32), Just(1.0), 0.0_f32..1.0], FEATURES),
            quantile in 0.0_f64..=1.0,
        ) {
            let (domain, threat) =
                (Domain::image(1, 1, FEATURES).unwrap(), Threat::new(Norm::L1, 1.0).unwrap());
            let region = Region::new(tensor(&now), &threat, &domain).unwrap();
            let kept = (((1.0 - quantile) * FEATURES as f64).ceil() as usize).clamp(1, FEATURES);
            let alone = direction(tensor(&slopes), &tensor(&now), &region, quantile);
            let expected = by_tensors(tensor(&slopes), &tensor(&now), &region, kept);
            prop_assert_eq!(floats(alone).unwrap(), floats(expected).unwrap());
        }
    }
}
