//! The two inequalities of a smoothing certificate, rounded to the safe side.
use duress_core::{Error, Result};
use duress_metrics::{Confidence, Proportion};
use statrs::function::erf::erfc;

/// Relative error granted to `erfc`, far above what it makes.
pub(super) const ERFC_ERROR: f64 = 1e-9;

/// Beyond this quantile the tail of a normal is below the smallest f64.
const LARGEST_QUANTILE: f64 = 40.0;

/// Halvings of `[0, 1]`, down to neighbouring numbers.
const HALVINGS: usize = 200;

/// The one-sided Clopper-Pearson bound: with probability at least `1 − alpha` over the draws, a
/// success probability is at least this after `successes` in `draws`. Rounded down.
///
/// # Errors
/// [`Error::Parameter`] unless `successes ≤ draws`, `draws > 0` and `0 < alpha < 1`.
pub fn probability_lower_bound(successes: u64, draws: u64, alpha: f64) -> Result<f64> {
    let fault = |field, expected, got: String| {
        Err(Error::Parameter { algorithm: "smoothing", field, expected, got })
    };
    let Ok(confidence) = Confidence::new(1.0 - alpha) else {
        return fault("alpha", "inside (0, 1)", alpha.to_string());
    };
    match Proportion::new(successes, draws).ok().and_then(|counts| counts.at_least(confidence)) {
        Some(bound) => Ok(bound),
        None => {
            fault("draws", "positive, at least the successes", format!("{successes} of {draws}"))
        }
    }
}

/// The one-sided Clopper-Pearson bound from above: with probability at least `1 − alpha` over the
/// draws, a success probability is at most this after `successes` in `draws`. Rounded up.
///
/// # Errors
/// As [`probability_lower_bound`].
pub fn probability_upper_bound(successes: u64, draws: u64, alpha: f64) -> Result<f64> {
    match draws.checked_sub(successes) {
        Some(failures) => {
            let others = probability_lower_bound(failures, draws, alpha)?;
            Ok((1.0 - others).next_up().min(1.0))
        }
        None => probability_lower_bound(successes, draws, alpha),
    }
}

/// The L2 radius within which the smoothed classifier keeps its top class, if that class has
/// probability at least `top` under Gaussian noise of standard deviation `sigma`: `σ Φ⁻¹(top)`,
/// rounded down, in the units of `sigma`. `None` if `top ≤ ½`: the certificate abstains.
///
/// Cohen, Rosenfeld, Kolter. *Certified Adversarial Robustness via Randomized Smoothing.*
/// ICML 2019, theorem 1 with `p_B = 1 − p_A`. <https://arxiv.org/abs/1902.02918>
#[must_use]
pub fn certified_radius(top: f64, sigma: f64) -> Option<f64> {
    if top.is_nan() || top <= 0.5 {
        return None;
    }
    // Φ(z) = 1 − erfc(z/√2)/2 keeps its precision in the upper tail through the complement.
    Some((sigma * quantile(1.0 - top, 0.0)).next_down().max(0.0))
}

/// The L2 radius if the top class has probability at least `top` and every other at most
/// `runner_up`: `σ/2 (Φ⁻¹(top) − Φ⁻¹(runner_up))`, rounded down. `None` unless `top > runner_up`.
///
/// Cohen, Rosenfeld, Kolter, ICML 2019, theorem 1. <https://arxiv.org/abs/1902.02918>
#[must_use]
pub fn gaussian_radius(top: f64, runner_up: f64, sigma: f64) -> Option<f64> {
    if top > 0.5 && runner_up >= 1.0 - top {
        return certified_radius(top, sigma);
    }
    if top.is_nan() || runner_up.is_nan() || top <= runner_up {
        return None;
    }
    let sum = upper_quantile(1.0 - top) + upper_quantile(runner_up);
    (sum > 0.0).then(|| (0.5 * sigma * sum.next_down()).next_down().max(0.0))
}

/// A `z ≥ least` that a standard normal exceeds with probability at least `tail`: the upper
/// quantile, rounded down. `least` where there is none.
fn quantile(tail: f64, least: f64) -> f64 {
    let tail = tail * (1.0 + ERFC_ERROR);
    let (mut below, mut above) = (least, LARGEST_QUANTILE);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (below + above);
        if middle <= below || middle >= above {
            break;
        }
        if upper_tail(middle) >= tail {
            below = middle;
        } else {
            above = middle;
        }
    }
    below
}

/// What a standard normal exceeds with probability `tail`, rounded down. Minus this is the lower
/// quantile, rounded up.
pub(super) fn upper_quantile(tail: f64) -> f64 {
    quantile(tail, -LARGEST_QUANTILE)
}

/// `P(Z > z)` of a standard normal, to a relative error far below [`ERFC_ERROR`].
pub(super) fn upper_tail(z: f64) -> f64 {
    0.5 * erfc(z * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All draws agree: `pⁿ = α`.
    #[test]
    fn unanimous_draws_give_the_root_of_alpha() {
        for draws in [10_u64, 1000, 100_000] {
            let exact = 0.001_f64.powf(1.0 / draws as f64);
            let bound = probability_lower_bound(draws, draws, 0.001).unwrap();
            assert!(bound <= exact && exact - bound < 1e-9, "{draws}: {bound} {exact}");
        }
    }

    /// One success: `1 − (1 − p)ⁿ = α`.
    #[test]
    fn one_success_gives_the_complement_of_a_root() {
        let exact = 1.0 - 0.95_f64.powf(1.0 / 20.0);
        let bound = probability_lower_bound(1, 20, 0.05).unwrap();
        assert!(bound <= exact && exact - bound < 1e-9);
        assert!(probability_lower_bound(0, 20, 0.05).unwrap() <= 0.0);
    }

    /// The definition itself, summed term by term: `P(Bin(n, bound) ≥ k) ≤ α`, and hardly less.
    #[test]
    fn the_tail_at_the_bound_is_alpha() {
        let (n, k, alpha) = (30_u64, 22_u64, 0.01);
        let p = probability_lower_bound(k, n, alpha).unwrap();
        let term = |j: u64| {
            let choose: f64 = (1..=j).map(|i| (n - j + i) as f64 / i as f64).product();
            choose * p.powi(j as i32) * (1.0 - p).powi((n - j) as i32)
        };
        let tail: f64 = (k..=n).map(term).sum();
        assert!(tail <= alpha && tail > alpha * (1.0 - 1e-6), "{tail}");
    }

    #[test]
    fn the_radius_is_the_quantile_times_sigma_and_never_more() {
        // Φ(1) and Φ(3) to 16 digits.
        for (top, z) in [(0.841_344_746_068_542_9, 1.0), (0.998_650_101_968_369_9, 3.0)] {
            let radius = certified_radius(top, 0.25).unwrap();
            assert!(radius <= 0.25 * z && 0.25 * z - radius < 1e-8, "{radius}");
        }
        // All of 100,000 draws at α = 0.001: 3.8115 σ.
        let most = certified_radius(probability_lower_bound(100_000, 100_000, 0.001).unwrap(), 1.0)
            .unwrap();
        assert!((most - 3.8115).abs() < 1e-4, "{most}");
    }

    /// The upper bound mirrors the lower one, and needs no success to be positive.
    #[test]
    fn an_upper_bound_without_successes_is_the_complement_of_a_root() {
        let exact = 1.0 - 0.001_f64.powf(1.0 / 1000.0);
        let bound = probability_upper_bound(0, 1000, 0.001).unwrap();
        assert!(bound >= exact && bound - exact < 1e-9, "{bound} {exact}");
        assert!(probability_upper_bound(11, 10, 0.001).is_err());
    }

    /// Φ⁻¹(0.8413…) = 1, Φ⁻¹(0.0227…) = −2, also where neither class has half.
    #[test]
    fn two_probabilities_give_half_the_difference_of_their_quantiles() {
        let (one, two) = (0.841_344_746_068_542_9, 0.022_750_131_948_179_2);
        let radius = gaussian_radius(one, two, 0.5).unwrap();
        assert!(radius <= 0.75 && 0.75 - radius < 1e-8, "{radius}");
        // Φ⁻¹(0.3085…) = −1/2.
        let radius = gaussian_radius(0.308_537_538_725_986_9, two, 2.0).unwrap();
        assert!(radius <= 1.5 && 1.5 - radius < 1e-8, "{radius}");
        let binary = gaussian_radius(one, 1.0 - one, 0.5);
        assert_eq!(binary, certified_radius(one, 0.5));
        assert_eq!(gaussian_radius(0.4, 0.4, 1.0), None);
        assert_eq!(gaussian_radius(0.4, f64::NAN, 1.0), None);
    }

    #[test]
    fn half_abstains() {
        assert_eq!(certified_radius(0.5, 1.0), None);
        assert_eq!(certified_radius(f64::NAN, 1.0), None);
        assert!(certified_radius(0.500_001, 1.0).unwrap() > 0.0);
    }
}
