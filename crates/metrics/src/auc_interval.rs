//! How sure the area under an ROC curve is.
use statrs::distribution::{ContinuousCDF, Normal};

use crate::{Confidence, Interval, Roc};

/// Halvings of a bisection on `[0, 1]`: to the last bit of a f64.
const HALVINGS: usize = 64;

impl Roc {
    /// An interval for [`Roc::auc`]: the areas `θ` that a normal test with the variance of Hanley
    /// and `McNeil` at `θ` itself would not reject,
    /// `θ(1 − θ)(1 + s(1 − θ)/(2 − θ) + sθ/(1 + θ)) / (nm)` with `s = (n + m)/2 − 1`.
    ///
    /// As the variance is that at `θ`, the interval has a length for a perfect detector too; with
    /// one input a side it is that of Wilson.
    ///
    /// Hanley, `McNeil`. *The Meaning and Use of the Area under a Receiver Operating
    /// Characteristic (ROC) Curve.* Radiology 143, 1982; Newcombe. *Confidence Intervals for an
    /// Effect Size Measure Based on the Mann-Whitney Statistic. Part 2.* Statist. Med. 25, 2006,
    /// method 5.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the unit normal always exists")]
    pub fn auc_interval(&self, confidence: Confidence) -> Interval {
        let normal = Normal::new(0.0, 1.0).expect("unit variance");
        let z = -normal.inverse_cdf(0.5 * confidence.alpha());
        let (clean, adversarial) = (self.clean() as f64, self.adversarial() as f64);
        let area = self.auc();
        let spread = f64::midpoint(clean, adversarial) - 1.0;
        let rejected = |theta: f64| {
            let more = spread * ((1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta));
            let variance = theta * (1.0 - theta) * (1.0 + more) / (clean * adversarial);
            (area - theta).powi(2) > z * z * variance
        };
        // Where the test changes its mind between the area, never rejected, and the end.
        let edge = |end: f64| {
            if !rejected(end) {
                return end;
            }
            let (mut inside, mut outside) = (area, end);
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(inside, outside);
                if rejected(middle) { outside = middle } else { inside = middle }
            }
            inside
        };
        Interval { lower: edge(0.0), upper: edge(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::Proportion;

    fn interval(clean: &[f64], adversarial: &[f64]) -> Interval {
        Roc::of(clean, adversarial).unwrap().auc_interval(Confidence::P95)
    }

    /// With one input a side the bracket is 1, and the test is Wilson's of one trial.
    #[test]
    fn one_pair_has_the_interval_of_wilson() {
        for (score, won) in [(1.0, 1), (-1.0, 0)] {
            let got = interval(&[0.0], &[score]);
            let wilson = Proportion::new(won, 1).unwrap().wilson(Confidence::P95).unwrap();
            assert!((got.lower - wilson.lower).abs() < 1e-12, "{got:?} {wilson:?}");
            assert!((got.upper - wilson.upper).abs() < 1e-12, "{got:?} {wilson:?}");
        }
    }

    /// n = m = 2, so s = 1; the area is 1. At the lower end (1 − θ)² = z² var(θ).
    #[test]
    fn a_perfect_detector_is_not_surely_perfect() {
        let got = interval(&[0.0, 1.0], &[2.0, 3.0]);
        let theta = got.lower;
        let bracket = 1.0 + (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta);
        let variance = theta * (1.0 - theta) * bracket / 4.0;
        let z = 1.959_963_984_540_054;
        assert!(((1.0 - theta).powi(2) - z * z * variance).abs() < 1e-9, "{theta}");
        assert!(got.upper.to_bits() == 1.0_f64.to_bits() && theta > 0.2 && theta < 0.8);
    }

    #[test]
    fn ten_times_the_inputs_make_the_interval_shorter() {
        let scores = |count: u32, from: f64| -> Vec<f64> {
            (0..count).map(|index| from + f64::from(index % 10)).collect()
        };
        let length = |count| {
            let got = interval(&scores(count, 0.0), &scores(count, 3.0));
            got.upper - got.lower
        };
        assert!(length(100) < 0.5 * length(10));
    }

    proptest! {
        #[test]
        fn the_area_is_inside_and_swapping_mirrors(
            clean in vec(0_u8..9, 1..20), adversarial in vec(0_u8..9, 1..20),
        ) {
            let scores = |ranks: &[u8]| ranks.iter().copied().map(f64::from).collect::<Vec<_>>();
            let (clean, adversarial) = (scores(&clean), scores(&adversarial));
            let got = interval(&clean, &adversarial);
            prop_assert!(got.contains(Roc::of(&clean, &adversarial).unwrap().auc()));
            let mirrored = interval(&adversarial, &clean);
            prop_assert!((got.lower + mirrored.upper - 1.0).abs() < 1e-9);
        }
    }
}
