//! Regularisers that keep intervals tight and rectifiers balanced while the radius grows.
//!
//! Shi, Wang, Zhang, Yi, Hsieh. *Fast Certified Robust Training with Short Warmup.* `NeurIPS` 2021,
//! §3.2. <https://arxiv.org/abs/2103.17268>
use burn::prelude::*;
use burn::tensor::activation::relu;
use duress_models::bounds::{InputBox, Interval};

/// What is asked of a ratio: the paper's τ.
const TOLERANCE: f64 = 0.5;

/// Keeps divisions finite.
const TINY: f64 = 1e-12;

/// The sum of both regularisers, `[1]`: each is a mean over the rectifiers, before which the
/// intervals `before` are known. `None` for a network without rectifiers.
pub(super) fn penalty(input: &InputBox, before: &[&Interval]) -> Option<Tensor<1>> {
    let start = input.mean_radius();
    let of = |interval: &&Interval| tightness(start.clone(), interval) + balance(interval);
    let sum = before.iter().map(of).reduce(|sum, next| sum + next)?;
    Some(sum / before.len() as f64)
}

/// `max(0, τ − ratio) / τ`.
fn missing(ratio: Tensor<1>) -> Tensor<1> {
    relu(-ratio + TOLERANCE) / TOLERANCE
}

/// Punishes mean radii above `1/τ` times that of the input.
fn tightness(start: Tensor<1>, interval: &Interval) -> Tensor<1> {
    let start = if interval.radius.is_autodiff() { start.autodiff() } else { start };
    missing(start / interval.radius.clone().mean().clamp_min(TINY))
}

/// Punishes active and inactive rectifiers that differ in mean or in variance: the ratios of the
/// smaller to the larger of both, the variance about the mean of all.
fn balance(interval: &Interval) -> Tensor<1> {
    let (centre, device) = (interval.centre.clone(), interval.centre.is_autodiff());
    let mask = |mask: Tensor<4, Bool>| {
        let ones = mask.float();
        if device { ones.autodiff() } else { ones.inner() }
    };
    let active = mask(interval.lower().inner().greater_elem(0.0));
    let inactive = mask(interval.upper().inner().lower_elem(0.0));
    let deviation = (centre.clone() - centre.clone().mean().reshape([1; 4])).square();
    let ratio = |first: Tensor<1>, second: Tensor<1>| {
        let smaller = first.clone().min_pair(second.clone());
        smaller / first.max_pair(second).clamp_min(TINY)
    };
    let means =
        ratio((centre.clone() * active.clone()).mean(), -(centre * inactive.clone()).mean());
    let variances = ratio((deviation.clone() * active).mean(), (deviation * inactive).mean());
    missing(means) + missing(variances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, host::floats};

    fn maps(values: [f32; 4]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 4, 1, 1]), &Device::flex())
    }

    fn value(centre: [f32; 4], radius: [f32; 4]) -> f32 {
        let domain = Domain::table(vec![-9.0; 2], vec![9.0; 2]).unwrap();
        let input = InputBox::around(Tensor::zeros([1, 2], &Device::flex()), 0.25, &domain);
        let interval = Interval { centre: maps(centre), radius: maps(radius) };
        floats(penalty(&input, &[&interval]).unwrap()).unwrap()[0]
    }

    /// Radii of 1 for ¼ miss half of τ. Two rectifiers are active at 1 and 3, one is inactive at −2,
    /// one is unsure: means ½ and 1, variances about ½ (0.25 + 6.25) and 6.25.
    #[test]
    fn ratios_are_those_worked_by_hand() {
        let got = value([1.0, 3.0, -2.0, 0.0], [0.5, 0.5, 1.0, 2.0]);
        assert!((got - 0.5).abs() < 1e-6, "{got}");
        let uneven = value([1.0, 4.0, -1.0, 0.0], [0.5, 0.5, 0.5, 0.5]);
        // Radii of ½: none missing. Means 5 and 1: 1/5. Variances about 1: 9 and 4: 4/9.
        let expected = (0.5 - 0.2) / 0.5 + (0.5 - 4.0 / 9.0) / 0.5;
        assert!((f64::from(uneven) - expected).abs() < 1e-6, "{uneven}");
    }

    #[test]
    fn rectifiers_that_are_all_alike_cost_two_and_never_a_nan() {
        let got = value([1.0, 2.0, 3.0, 4.0], [0.25; 4]);
        assert!((got - 2.0).abs() < 1e-6, "{got}");
        let unsure = value([0.0; 4], [0.25; 4]);
        assert!((unsure - 2.0).abs() < 1e-6, "{unsure}");
        assert!(
            penalty(
                &InputBox::around(
                    Tensor::zeros([1, 1], &Device::flex()),
                    0.5,
                    &Domain::image(1, 1, 1).unwrap()
                ),
                &[]
            )
            .is_none()
        );
    }
}
