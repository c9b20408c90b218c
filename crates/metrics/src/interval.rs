//! A rate never travels without its counts, nor is it printed without its interval.
use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::{Confidence, Error, Result, binomial};

/// A range of rates, `0 ≤ lower ≤ upper ≤ 1`. Displays in percent: `[84.10, 90.26]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Smallest rate, a fraction.
    pub lower: f64,
    /// Largest rate, a fraction.
    pub upper: f64,
}

impl Interval {
    /// Whether `rate` lies in the range, ends included.
    #[must_use]
    pub fn contains(&self, rate: f64) -> bool {
        self.lower <= rate && rate <= self.upper
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:.2}, {:.2}]", 100.0 * self.lower, 100.0 * self.upper)
    }
}

/// A count of successes among trials; the trials may be none.
///
/// Displays the rate and its 95 % Wilson interval in percent: `87.50 % [84.10, 90.26]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Proportion {
    successes: u64,
    total: u64,
}

impl Proportion {
    /// `successes` of `total`.
    ///
    /// # Errors
    /// [`Error::Proportion`] if `successes > total`.
    pub fn new(successes: u64, total: u64) -> Result<Self> {
        if successes > total {
            return Err(Error::Proportion { successes, total });
        }
        Ok(Self { successes, total })
    }

    /// How many outcomes are `true`.
    #[must_use]
    pub fn of(outcomes: impl IntoIterator<Item = bool>) -> Self {
        outcomes.into_iter().fold(Self::default(), |counted, success| Self {
            successes: counted.successes + u64::from(success),
            total: counted.total + 1,
        })
    }

    /// The count of successes.
    #[must_use]
    pub fn successes(self) -> u64 {
        self.successes
    }

    /// The count of trials.
    #[must_use]
    pub fn total(self) -> u64 {
        self.total
    }

    /// The count of trials that are no success.
    #[must_use]
    pub fn failures(self) -> u64 {
        self.total - self.successes
    }

    /// Successes over trials, in `[0, 1]`; `None` without trials.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.total > 0).then(|| self.successes as f64 / self.total as f64)
    }

    /// The score interval: the rates that a normal test at this level would not reject.
    /// `None` without trials.
    ///
    /// Wilson. *Probable Inference, the Law of Succession, and Statistical Inference.*
    /// J. Amer. Statist. Assoc. 22, 1927, p. 210. Covers at the given level on average over
    /// rates, not for each one: use [`Proportion::clopper_pearson`] for a guarantee.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the unit normal always exists")]
    pub fn wilson(self, confidence: Confidence) -> Option<Interval> {
        let rate = self.rate()?;
        let normal = Normal::new(0.0, 1.0).expect("unit variance");
        let z = -normal.inverse_cdf(0.5 * confidence.alpha());
        let total = self.total as f64;
        let centre = rate + z * z / (2.0 * total);
        let half = z * (rate * (1.0 - rate) / total + (z / (2.0 * total)).powi(2)).sqrt();
        let scale = 1.0 + z * z / total;
        // The ends are exact at 0 and n successes; rounding must not move them inside.
        let lower = if self.successes == 0 { 0.0 } else { (centre - half) / scale };
        let upper = if self.failures() == 0 { 1.0 } else { (centre + half) / scale };
        Some(Interval { lower: lower.clamp(0.0, rate), upper: upper.clamp(rate, 1.0) })
    }

    /// The exact interval, α/2 on each side: covers at least at the given level for every rate.
    /// `None` without trials.
    ///
    /// Clopper, Pearson. *The Use of Confidence or Fiducial Limits Illustrated in the Case of the
    /// Binomial.* Biometrika 26, 1934. Rounded outward.
    #[must_use]
    pub fn clopper_pearson(self, confidence: Confidence) -> Option<Interval> {
        let tail = 0.5 * confidence.alpha();
        Some(Interval { lower: self.lower(tail)?, upper: self.upper(tail)? })
    }

    /// The one-sided exact lower bound: the true rate is at least this, at the given level.
    /// `None` without trials.
    #[must_use]
    pub fn at_least(self, confidence: Confidence) -> Option<f64> {
        self.lower(confidence.alpha())
    }

    /// The one-sided exact upper bound: the true rate is at most this, at the given level.
    /// `None` without trials.
    #[must_use]
    pub fn at_most(self, confidence: Confidence) -> Option<f64> {
        self.upper(confidence.alpha())
    }

    fn lower(self, alpha: f64) -> Option<f64> {
        (self.total > 0).then(|| binomial::lower_bound(self.successes, self.total, alpha))
    }

    fn upper(self, alpha: f64) -> Option<f64> {
        (self.total > 0).then(|| 1.0 - binomial::lower_bound(self.failures(), self.total, alpha))
    }
}

impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rate(), self.wilson(Confidence::P95)) {
            (Some(rate), Some(interval)) => write!(f, "{:.2} % {interval}", 100.0 * rate),
            _ => f.write_str("no samples"),
        }
    }
}

/// What a file holds before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    successes: u64,
    total: u64,
}

impl TryFrom<Unchecked> for Proportion {
    type Error = Error;

    fn try_from(raw: Unchecked) -> Result<Self> {
        Self::new(raw.successes, raw.total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proportion(successes: u64, total: u64) -> Proportion {
        Proportion::new(successes, total).unwrap()
    }

    fn close(got: Interval, lower: f64, upper: f64, tolerance: f64) {
        let worst = (got.lower - lower).abs().max((got.upper - upper).abs());
        assert!(worst < tolerance, "{got:?} is not [{lower}, {upper}]");
    }

    /// Newcombe. *Two-Sided Confidence Intervals for the Single Proportion.* Statist. Med. 17,
    /// 1998, Table I: methods 3 (Wilson) and 5 (Clopper-Pearson).
    #[test]
    fn published_intervals_are_reproduced() {
        for (k, n, wilson, exact) in [
            (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
            (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
            (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
            (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
        ] {
            let given = proportion(k, n);
            close(given.wilson(Confidence::P95).unwrap(), wilson.0, wilson.1, 6e-5);
            close(given.clopper_pearson(Confidence::P95).unwrap(), exact.0, exact.1, 6e-5);
        }
    }

    /// No success: the upper end solves `(1 − p)ⁿ = α`.
    #[test]
    fn the_exact_upper_bound_without_successes_has_a_closed_form() {
        for n in [1_u64, 7, 100, 10_000] {
            let (got, alpha) = (proportion(0, n).at_most(Confidence::P95).unwrap(), 0.05_f64);
            let expected = 1.0 - alpha.powf(1.0 / n as f64);
            assert!((got - expected).abs() < 2e-12, "{n}: {got} {expected}");
            assert_eq!(proportion(0, n).at_least(Confidence::P95), Some(0.0));
        }
    }

    /// `p = 0`: centre and half width are both `z²/2n`, so the end is `z²/(n + z²)`.
    #[test]
    fn the_wilson_interval_at_the_ends_has_a_closed_form() {
        let square = 1.959_963_984_540_054_f64.powi(2);
        let none = proportion(0, 50).wilson(Confidence::P95).unwrap();
        close(none, 0.0, square / (50.0 + square), 1e-9);
        let all = proportion(50, 50).wilson(Confidence::P95).unwrap();
        close(all, 50.0 / (50.0 + square), 1.0, 1e-9);
    }

    #[test]
    fn a_rate_is_displayed_with_its_interval() {
        assert_eq!(proportion(350, 400).to_string(), "87.50 % [83.90, 90.39]");
        assert_eq!(Proportion::default().to_string(), "no samples");
    }

    #[test]
    fn no_trials_have_no_rate_and_no_interval() {
        let none = Proportion::of([]);
        assert_eq!((none.rate(), none.wilson(Confidence::P95)), (None, None));
        assert_eq!((none.at_least(Confidence::P99), none.at_most(Confidence::P99)), (None, None));
        assert_eq!(none.clopper_pearson(Confidence::P999), None);
    }

    #[test]
    fn impossible_counts_are_rejected() {
        assert_eq!(Proportion::new(3, 2), Err(Error::Proportion { successes: 3, total: 2 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_interval_holds_the_rate_and_the_exact_one_widens_with_the_level(
            n in 1_u64..5000, fraction in 0.0_f64..=1.0,
        ) {
            let given = proportion((fraction * n as f64) as u64, n);
            let rate = given.rate().unwrap();
            let [wilson, narrow] = [
                given.wilson(Confidence::P95).unwrap(),
                given.clopper_pearson(Confidence::P95).unwrap(),
            ];
            let wide = given.clopper_pearson(Confidence::P99).unwrap();
            prop_assert!(wilson.contains(rate) && narrow.contains(rate));
            prop_assert!(wide.lower <= narrow.lower && narrow.upper <= wide.upper);
        }

        #[test]
        fn swapping_success_and_failure_mirrors_the_interval(n in 1_u64..2000, k in 0_u64..2000) {
            let k = k.min(n);
            let one = proportion(k, n).wilson(Confidence::P95).unwrap();
            let other = proportion(n - k, n).wilson(Confidence::P95).unwrap();
            prop_assert!((one.lower - (1.0 - other.upper)).abs() < 1e-12);
            let one = proportion(k, n).clopper_pearson(Confidence::P95).unwrap();
            let other = proportion(n - k, n).clopper_pearson(Confidence::P95).unwrap();
            prop_assert!((one.lower - (1.0 - other.upper)).abs() < 1e-9);
        }
    }
}
