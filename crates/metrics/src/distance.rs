//! How far an adversarial row is from its clean row.
use serde::{Deserialize, Serialize};

use crate::{
    Error, Mean, Proportion, Result, Summary,
    error::{all_values, same_length},
    quantile,
};

/// The size of one perturbation in four norms, in the units of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distance {
    /// Number of features that differ at all.
    pub l0: u64,
    /// Sum of the absolute changes.
    pub l1: f64,
    /// Euclidean length of the change.
    pub l2: f64,
    /// Largest absolute change.
    pub linf: f64,
}

impl Distance {
    /// Measures `adversarial − clean` over the features of one row; differences are taken and
    /// summed in `f64`.
    ///
    /// # Errors
    /// [`Error::Length`] for rows of different lengths; [`Error::Value`] for a feature that is
    /// infinite or not a number.
    pub fn between(clean: &[f32], adversarial: &[f32]) -> Result<Self> {
        same_length("features of the adversarial row", clean.len(), adversarial.len())?;
        for (what, row) in [("clean row", clean), ("adversarial row", adversarial)] {
            all_values(
                what,
                "a finite number",
                row.iter().copied().map(f64::from),
                f64::is_finite,
            )?;
        }
        let changes = || {
            let pairs = clean.iter().zip(adversarial);
            pairs.map(|(&clean, &other)| (f64::from(other) - f64::from(clean)).abs())
        };
        let linf = changes().fold(0.0, f64::max);
        Ok(Self {
            l0: changes().filter(|&change| change > 0.0).count() as u64,
            l1: changes().collect::<Mean>().sum(),
            l2: changes().map(|change| change * change).collect::<Mean>().sum().sqrt(),
            linf,
        })
    }
}

/// One distance for each row of two matrices `[N, features]` in row-major order.
///
/// # Errors
/// [`Error::Length`] if the matrices differ in size or end inside a row, [`Error::Empty`] for
/// rows without features, [`Error::Value`] for a value that is infinite or not a number (the
/// entry counts from the start of its row).
pub fn distances(clean: &[f32], adversarial: &[f32], features: usize) -> Result<Vec<Distance>> {
    same_length("adversarial values", clean.len(), adversarial.len())?;
    if features == 0 {
        return Err(Error::Empty("features of a row"));
    }
    let whole_rows = clean.len().next_multiple_of(features);
    same_length("values in whole rows", whole_rows, clean.len())?;
    let rows = clean.chunks_exact(features).zip(adversarial.chunks_exact(features));
    rows.map(|(clean, adversarial)| Distance::between(clean, adversarial)).collect()
}

/// The minimal distances an attack found, in the units of its norm.
///
/// Two medians answer two questions. `median` asks how far the attacker must go on a typical
/// sample: a failure is an infinite distance there, so a weak attack cannot look strong by
/// giving up on the hard samples. `among_successes` describes the perturbations that exist.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistanceSummary {
    /// Samples on which the attack found an adversarial example, of those it attacked.
    pub found: Proportion,
    /// Median over all attacked samples, failures counting as infinite; `None` if it is itself
    /// infinite or nothing was attacked.
    pub median: Option<f64>,
    /// Distances of the found examples; `None` if there are none.
    pub among_successes: Option<Summary>,
}

impl DistanceSummary {
    /// Summarises one entry an attacked sample: the distance, or `None` for a failure.
    ///
    /// # Errors
    /// [`Error::Value`] for a distance that is negative, infinite or not a number.
    pub fn of(distances: &[Option<f64>]) -> Result<Self> {
        let in_range = |distance: f64| distance.is_finite() && distance >= 0.0;
        let found: Vec<f64> = distances.iter().copied().flatten().collect();
        all_values("distances", "finite and at least 0", found.iter().copied(), in_range)?;
        let with_failures: Vec<f64> =
            distances.iter().map(|distance| distance.unwrap_or(f64::INFINITY)).collect();
        Ok(Self {
            found: Proportion::of(distances.iter().map(Option::is_some)),
            median: quantile(&with_failures, 0.5)?.filter(|median| median.is_finite()),
            among_successes: Summary::of(&found)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_three_four_five_perturbation_is_measured_in_every_norm() {
        let distance = Distance::between(&[1.0, 0.5, 0.0], &[4.0, 0.5, -4.0]).unwrap();
        assert_eq!(distance, Distance { l0: 2, l1: 7.0, l2: 5.0, linf: 4.0 });
    }

    /// `1 + 2⁻²³` differs from 1, and 1e30 squared overflows single precision.
    #[test]
    fn the_smallest_and_the_largest_changes_are_kept() {
        let distance = Distance::between(&[1.0], &[1.0_f32.next_up()]).unwrap();
        assert_eq!(distance.linf.to_bits(), f64::from(f32::EPSILON).to_bits());
        assert_eq!(distance.l0, 1);
        let distance = Distance::between(&[0.0], &[1e30]).unwrap();
        assert!((distance.l2 / 1e30 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn rows_are_measured_apart_and_ragged_input_is_rejected() {
        let got = distances(&[0.0; 4], &[1.0, 0.0, 0.0, 2.0], 2).unwrap();
        assert_eq!(got.iter().map(|row| row.linf).collect::<Vec<_>>(), [1.0, 2.0]);
        assert!(matches!(distances(&[0.0; 3], &[0.0; 3], 2), Err(Error::Length { .. })));
        assert!(matches!(distances(&[0.0], &[0.0], 0), Err(Error::Empty(_))));
        assert!(distances(&[0.0; 2], &[0.0; 4], 2).is_err());
        assert!(matches!(
            Distance::between(&[0.0, 0.0], &[0.0, f32::NAN]),
            Err(Error::Value { what: "adversarial row", index: 1, .. })
        ));
    }

    #[test]
    fn a_failure_counts_as_an_infinite_distance_in_the_median() {
        let got = DistanceSummary::of(&[Some(1.0), None, Some(3.0)]).unwrap();
        assert_eq!(got.median, Some(3.0));
        assert!(got.among_successes.is_some_and(|found| (found.median - 2.0).abs() < 1e-15));
        assert_eq!((got.found.successes(), got.found.total()), (2, 3));
        let mostly_failed = DistanceSummary::of(&[Some(1.0), None]).unwrap();
        assert_eq!(mostly_failed.median, None);
        assert_eq!(DistanceSummary::of(&[]).unwrap().median, None);
        assert!(DistanceSummary::of(&[Some(-1.0)]).is_err());
    }

    proptest! {
        /// `‖δ‖∞ ≤ ‖δ‖₂ ≤ ‖δ‖₁ ≤ √‖δ‖₀ ‖δ‖₂ ≤ ‖δ‖₀ ‖δ‖∞`, each up to rounding.
        #[test]
        fn the_norms_are_ordered(
            pairs in vec((-2.0_f32..2.0, -2.0_f32..2.0), 1..40),
        ) {
            let (clean, adversarial): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let Distance { l0, l1, l2, linf } = Distance::between(&clean, &adversarial).unwrap();
            let slack = 1.0 + 1e-12;
            prop_assert!(linf <= l2 * slack && l2 <= l1 * slack);
            prop_assert!(l1 <= (l0 as f64).sqrt() * l2 * slack);
            prop_assert!((l0 as f64).sqrt() * l2 <= l0 as f64 * linf * slack);
            prop_assert_eq!(Distance::between(&adversarial, &clean).unwrap().l1.to_bits(), l1.to_bits());
        }
    }
}
