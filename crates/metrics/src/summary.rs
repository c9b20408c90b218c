//! Five numbers and a mean that describe a list of values.
use serde::{Deserialize, Serialize};

use crate::{Error, Result, error::all_values};

/// The quantile of `values` at `fraction`, linear between order statistics.
///
/// Hyndman, Fan. *Sample Quantiles in Statistical Packages.* Amer. Statist. 50, 1996,
/// definition 7: position `(n − 1) · fraction` among the sorted values. Infinite values are
/// allowed; a position between a finite value and an infinite one is infinite.
/// `None` without values.
///
/// # Errors
/// [`Error::Value`] for a value that is not a number or a fraction outside `[0, 1]`.
pub fn quantile(values: &[f64], fraction: f64) -> Result<Option<f64>> {
    all_values("values", "a number", values.iter().copied(), |value| !value.is_nan())?;
    if !(0.0..=1.0).contains(&fraction) {
        let expected = "a number from 0 to 1";
        return Err(Error::Value { what: "fraction", index: 0, expected, got: fraction });
    }
    Ok(of_sorted(&sorted(values), fraction))
}

/// The distribution of finite values in their own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Number of values.
    pub count: u64,
    /// Smallest value.
    pub min: f64,
    /// First quartile.
    pub lower_quartile: f64,
    /// Median.
    pub median: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Third quartile.
    pub upper_quartile: f64,
    /// Largest value.
    pub max: f64,
}

impl Summary {
    /// Describes `values`, quantiles as in [`quantile`]; `None` without values.
    ///
    /// # Errors
    /// [`Error::Value`] for a value that is infinite or not a number.
    pub fn of(values: &[f64]) -> Result<Option<Self>> {
        all_values("values", "a finite number", values.iter().copied(), f64::is_finite)?;
        let sorted = sorted(values);
        let at = |fraction| of_sorted(&sorted, fraction);
        let (Some(min), Some(lower_quartile), Some(median), Some(upper_quartile), Some(max)) =
            (at(0.0), at(0.25), at(0.5), at(0.75), at(1.0))
        else {
            return Ok(None);
        };
        // Rounding must not carry the mean past the ends.
        let mean = values.iter().copied().collect::<crate::Mean>().value().unwrap_or(median);
        let (count, mean) = (values.len() as u64, mean.clamp(min, max));
        Ok(Some(Self { count, min, lower_quartile, median, mean, upper_quartile, max }))
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Definition 7 on values in ascending order.
fn of_sorted(sorted: &[f64], fraction: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * fraction;
    let index = (position as usize).min(last);
    let (low, high) = (sorted[index], sorted[(index + 1).min(last)]);
    let weight = position - index as f64;
    // Neither 0 · ∞ nor ∞ − ∞ is a number.
    if weight <= 0.0 || low >= high {
        return Some(low);
    }
    if low.is_infinite() || high.is_infinite() {
        return Some(if high.is_infinite() { high } else { low });
    }
    Some((low * (1.0 - weight) + high * weight).clamp(low, high))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Positions 0, 0.75, 1.5, 2.25 and 3 of four values.
    #[test]
    fn quartiles_of_four_values_interpolate() {
        let summary = Summary::of(&[4.0, 1.0, 2.0, 10.0]).unwrap().unwrap();
        let expected = Summary {
            count: 4,
            min: 1.0,
            lower_quartile: 1.75,
            median: 3.0,
            mean: 4.25,
            upper_quartile: 5.5,
            max: 10.0,
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn infinite_values_do_not_turn_into_nan() {
        let infinity = f64::INFINITY;
        assert_eq!(quantile(&[1.0, infinity], 0.0), Ok(Some(1.0)));
        assert_eq!(quantile(&[1.0, infinity], 0.5), Ok(Some(infinity)));
        assert_eq!(quantile(&[infinity, infinity], 0.5), Ok(Some(infinity)));
        assert_eq!(quantile(&[-infinity, 1.0], 0.5), Ok(Some(-infinity)));
        assert!(Summary::of(&[1.0, infinity]).is_err());
    }

    #[test]
    fn nothing_has_no_summary_and_nan_is_named() {
        assert_eq!(Summary::of(&[]), Ok(None));
        assert_eq!(quantile(&[], 0.5), Ok(None));
        assert!(matches!(quantile(&[0.0, f64::NAN], 0.5), Err(Error::Value { index: 1, .. })));
        assert!(quantile(&[0.0], 1.5).is_err());
        assert!(quantile(&[0.0], f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_stay_between_the_ends(
            values in vec(-1e6_f64..1e6, 1..40), one in 0.0_f64..=1.0, two in 0.0_f64..=1.0,
        ) {
            let at = |fraction| quantile(&values, fraction).unwrap().unwrap();
            let (low, high) = (at(one.min(two)), at(one.max(two)));
            prop_assert!(low <= high + 1e-9 * high.abs());
            prop_assert!(at(0.0) <= low && high <= at(1.0));
        }

        /// Definition 7 hits the k-th order statistic at `k / (n − 1)`.
        #[test]
        fn order_statistics_are_met(mut values in vec(-10.0_f64..10.0, 2..20), pick in 0_usize..20) {
            let last = values.len() - 1;
            let pick = pick.min(last);
            let got = quantile(&values, pick as f64 / last as f64).unwrap().unwrap();
            values.sort_by(f64::total_cmp);
            prop_assert!((got - values[pick]).abs() < 1e-9);
        }
    }
}
