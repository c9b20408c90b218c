//! Accuracy as a function of the radius, empirical and certified.
use serde::{Deserialize, Serialize};

use crate::{Error, Mean, Proportion, Result, error::all_values};

/// The accuracy that is left at one radius.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// Radius, in the unit of the norm the curve is for.
    pub radius: f64,
    /// Samples that are still correct, of all samples.
    pub accuracy: Proportion,
}

/// Accuracy at rising radii; it never rises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccuracyCurve {
    /// Points in order of their radii.
    pub points: Vec<CurvePoint>,
}

impl AccuracyCurve {
    /// Area under the straight lines between the points, in the unit of the radius: the
    /// accuracy lost over the range lowers it. `None` with fewer than two points or no samples.
    #[must_use]
    pub fn area(&self) -> Option<f64> {
        if self.points.len() < 2 {
            return None;
        }
        let strips = self.points.windows(2).map(|ends| {
            let height = 0.5 * (ends[0].accuracy.rate()? + ends[1].accuracy.rate()?);
            Some(height * (ends[1].radius - ends[0].radius))
        });
        strips.sum()
    }

    /// The area over the width of the range: a mean accuracy in `[0, 1]`. `None` where
    /// [`AccuracyCurve::area`] is, or for a range of width zero.
    #[must_use]
    pub fn mean_accuracy(&self) -> Option<f64> {
        let width = self.points.last()?.radius - self.points.first()?.radius;
        self.area().filter(|_| width > 0.0).map(|area| area / width)
    }
}

/// Robust accuracy at each of `radii` from the smallest adversarial distance of each sample.
///
/// A sample counts at radius `r` if its distance is *greater* than `r`: an adversarial example
/// at distance `r` lies in the closed ball. Give 0 for a sample that is wrong without an attack
/// and infinity for one on which the attack failed. The curve is an upper bound of the true one,
/// as tight as the attack is strong.
///
/// # Errors
/// [`Error::Value`] for a negative distance or one that is not a number, and for radii that are
/// negative, not finite or not in ascending order.
pub fn robust(distances: &[f64], radii: &[f64]) -> Result<AccuracyCurve> {
    let (expected, valid) = ("at least 0 (infinity for a failure)", |value: f64| value >= 0.0);
    all_values("distances", expected, distances.iter().copied(), valid)?;
    curve(radii, |radius| Proportion::of(distances.iter().map(|&distance| distance > radius)))
}

/// Certified accuracy at each of `radii` from the certified radius of each sample.
///
/// A sample counts at radius `r` if it is correct and its radius is *at least* `r` (Cohen,
/// Rosenfeld, Kolter. *Certified Adversarial Robustness via Randomized Smoothing.* ICML 2019,
/// §4). Give `None` for a sample on which the classifier abstains or is wrong: it counts at no
/// radius, not even at 0.
///
/// # Errors
/// [`Error::Value`] for a negative certified radius or one that is not a number, and for radii
/// that are negative, not finite or not in ascending order.
pub fn certified(certificates: &[Option<f64>], radii: &[f64]) -> Result<AccuracyCurve> {
    check_certificates(certificates)?;
    let holds = |certificate: &Option<f64>, radius| certificate.is_some_and(|r| r >= radius);
    curve(radii, |radius| Proportion::of(certificates.iter().map(|one| holds(one, radius))))
}

/// The radii at which the certified curve starts or falls: 0 and every finite certified radius,
/// ascending, each once. With these as `radii`, [`certified`] gives the exact step curve.
///
/// # Errors
/// [`Error::Value`] for a negative certified radius or one that is not a number.
pub fn certified_steps(certificates: &[Option<f64>]) -> Result<Vec<f64>> {
    check_certificates(certificates)?;
    let mut radii = vec![0.0];
    radii.extend(certificates.iter().flatten().filter(|radius| radius.is_finite()));
    radii.sort_unstable_by(f64::total_cmp);
    radii.dedup();
    Ok(radii)
}

/// The mean certified radius, counting 0 for `None`; the exact area under the certified curve
/// from 0 to infinity. `None` without samples.
///
/// Zhai et al. *MACER: Attack-free and Scalable Robust Training via Maximizing Certified
/// Radius.* ICLR 2020, §5. <https://arxiv.org/abs/2001.02378>
///
/// # Errors
/// [`Error::Value`] for a negative certified radius or one that is not a number.
pub fn average_certified_radius(certificates: &[Option<f64>]) -> Result<Option<f64>> {
    check_certificates(certificates)?;
    let radii = certificates.iter().map(|certificate| certificate.unwrap_or(0.0));
    Ok(radii.collect::<Mean>().value())
}

fn check_certificates(certificates: &[Option<f64>]) -> Result<()> {
    let radii = certificates.iter().map(|certificate| certificate.unwrap_or(0.0));
    all_values("certified radii", "at least 0", radii, |radius| radius >= 0.0)
}

fn curve(radii: &[f64], accuracy: impl Fn(f64) -> Proportion) -> Result<AccuracyCurve> {
    let in_range = |radius: f64| radius.is_finite() && radius >= 0.0;
    all_values("radii", "finite and at least 0", radii.iter().copied(), in_range)?;
    if let Some(index) = radii.windows(2).position(|pair| pair[1] < pair[0]) {
        let (index, got) = (index + 1, radii[index + 1]);
        return Err(Error::Value { what: "radii", index, expected: "ascending order", got });
    }
    let point = |&radius: &f64| CurvePoint { radius, accuracy: accuracy(radius) };
    Ok(AccuracyCurve { points: radii.iter().map(point).collect() })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn successes(curve: &AccuracyCurve) -> Vec<u64> {
        curve.points.iter().map(|point| point.accuracy.successes()).collect()
    }

    #[test]
    fn an_example_on_the_sphere_breaks_the_sample_and_a_certificate_on_it_holds() {
        let distances = [0.0, 0.5, 1.0, f64::INFINITY];
        let curve = robust(&distances, &[0.0, 0.5, 1.0, 2.0]).unwrap();
        assert_eq!(successes(&curve), [3, 2, 1, 1]);
        let certificates = [None, Some(0.0), Some(0.5), Some(1.0)];
        let curve = certified(&certificates, &[0.0, 0.5, 1.0, 2.0]).unwrap();
        assert_eq!(successes(&curve), [3, 2, 1, 0]);
    }

    /// Two trapezoids by hand: (1 + 0.5)/2 · 1 + (0.5 + 0)/2 · 2 = 1.25 over a range of 3.
    #[test]
    fn the_area_is_the_trapezoid_rule() {
        let curve = robust(&[1.0, 2.0], &[0.0, 1.0, 3.0]).unwrap();
        assert_eq!(successes(&curve), [2, 1, 0]);
        assert_eq!(curve.area(), Some(1.25));
        assert_eq!(curve.mean_accuracy(), Some(1.25 / 3.0));
        assert_eq!(robust(&[1.0], &[0.0]).unwrap().area(), None);
        assert_eq!(robust(&[1.0], &[1.0, 1.0]).unwrap().mean_accuracy(), None);
        assert_eq!(robust(&[], &[0.0, 1.0]).unwrap().area(), None);
    }

    #[test]
    fn abstentions_weigh_nothing_in_the_average_radius_but_count() {
        assert_eq!(average_certified_radius(&[Some(1.0), None]), Ok(Some(0.5)));
        assert_eq!(average_certified_radius(&[]), Ok(None));
    }

    #[test]
    fn the_steps_are_the_distinct_radii() {
        let certificates = [Some(0.5), None, Some(0.25), Some(0.5), Some(f64::INFINITY)];
        let radii = certified_steps(&certificates).unwrap();
        assert_eq!(radii, [0.0, 0.25, 0.5]);
        assert_eq!(successes(&certified(&certificates, &radii).unwrap()), [4, 4, 3]);
        assert_eq!(certified_steps(&[]), Ok(vec![0.0]));
    }

    #[test]
    fn radii_out_of_order_or_out_of_range_are_named() {
        let error = robust(&[1.0], &[0.0, 2.0, 1.0]).unwrap_err();
        assert!(matches!(error, Error::Value { what: "radii", index: 2, .. }), "{error}");
        assert!(robust(&[-1.0], &[0.0]).is_err());
        assert!(robust(&[f64::NAN], &[0.0]).is_err());
        assert!(certified(&[Some(f64::NAN)], &[0.0]).is_err());
        assert!(certified(&[Some(1.0)], &[f64::INFINITY]).is_err());
    }

    proptest! {
        #[test]
        fn no_curve_rises(
            distances in vec(0.0_f64..3.0, 0..40), mut radii in vec(0.0_f64..3.0, 0..20),
        ) {
            radii.sort_by(f64::total_cmp);
            let certificates: Vec<_> = distances.iter().copied().map(Some).collect();
            let robust = robust(&distances, &radii).unwrap();
            let certified = certified(&certificates, &radii).unwrap();
            prop_assert!(successes(&robust).is_sorted_by(|left, right| left >= right));
            prop_assert!(successes(&certified).is_sorted_by(|left, right| left >= right));
        }

        /// The area under the step curve is the mean radius: on a fine grid the two agree.
        #[test]
        fn the_average_radius_is_the_area_under_the_certified_curve(
            certificates in vec(proptest::option::of(0.0_f64..2.0), 1..30),
        ) {
            let grid: Vec<f64> = (0..=2000).map(|step| f64::from(step) * 1e-3).collect();
            let area = certified(&certificates, &grid).unwrap().area().unwrap();
            let average = average_certified_radius(&certificates).unwrap().unwrap();
            prop_assert!((area - average).abs() < 1.1e-3, "{} {}", area, average);
        }
    }
}
