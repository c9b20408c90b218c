//! The inputs that a bound speaks of.
mod least;
mod minima;

use duress_core::{Domain, Norm};

use super::interval::Intervals;
use super::{Error, Result};

/// A box, or the part of a box in a ball.
///
/// With a domain, a ball is cut by its box, and features that no adversary may change stay. In
/// Linf that is a box again; in the other norms the least value of a linear function on what is left
/// is computed too, but for rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSet {
    sides: Intervals,
    ball: Option<Ball>,
}

#[derive(Clone, Debug, PartialEq)]
struct Ball {
    center: Vec<f64>,
    norm: Norm,
    radius: f64,
}

impl InputSet {
    /// The points nearer than `radius` to `center`, and in the box of `domain` where there is one.
    ///
    /// # Errors
    /// A centre that is not finite or outside the domain, a radius that is negative or not finite,
    /// an L0 ball without a domain.
    pub fn ball(center: &[f64], norm: Norm, radius: f64, domain: Option<&Domain>) -> Result<Self> {
        finite("centre", center)?;
        if !(radius.is_finite() && radius >= 0.0) {
            return Err(duress_core::Error::Radius(radius).into());
        }
        let count = center.len();
        let (mut lower, mut upper): (Vec<f64>, Vec<f64>) = if norm == Norm::L0 {
            (vec![f64::NEG_INFINITY; count], vec![f64::INFINITY; count])
        } else {
            let reach = |value: &f64| ((value - radius).next_down(), (value + radius).next_up());
            center.iter().map(reach).unzip()
        };
        if let Some(domain) = domain {
            if domain.features() != count {
                let expected = domain.features();
                return Err(Error::Length { what: "centre", expected, got: count });
            }
            for index in 0..count {
                let low = f64::from(domain.lower().at(index));
                let high = f64::from(domain.upper().at(index));
                for (low, high) in [(low, center[index]), (center[index], high)] {
                    if low > high {
                        return Err(Error::Empty { what: "domain", index, low, high });
                    }
                }
                (lower[index], upper[index]) = (lower[index].max(low), upper[index].min(high));
            }
            for &index in domain.immutable() {
                (lower[index], upper[index]) = (center[index], center[index]);
            }
        } else if norm == Norm::L0 {
            return Err(Error::Unbounded);
        }
        let ball = Ball { center: center.to_vec(), norm, radius };
        let ball = (norm != Norm::Linf).then_some(ball);
        Ok(Self { sides: Intervals { lower, upper }, ball })
    }

    /// The points between `lower` and `upper`.
    ///
    /// # Errors
    /// Lists of different lengths, values that are not finite, sides in the wrong order.
    pub fn sides(lower: Vec<f64>, upper: Vec<f64>) -> Result<Self> {
        finite("lower side", &lower)?;
        finite("upper side", &upper)?;
        if lower.len() != upper.len() {
            let (expected, got) = (lower.len(), upper.len());
            return Err(Error::Length { what: "upper side", expected, got });
        }
        if let Some(index) = (0..lower.len()).find(|&index| lower[index] > upper[index]) {
            let (low, high) = (lower[index], upper[index]);
            return Err(Error::Empty { what: "box", index, low, high });
        }
        Ok(Self { sides: Intervals { lower, upper }, ball: None })
    }

    /// The smallest box around the set, but for one rounding.
    #[must_use]
    pub fn intervals(&self) -> &Intervals {
        &self.sides
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.sides.len()
    }

    /// Whether each point of [`InputSet::intervals`] belongs to the set.
    pub(super) fn is_box(&self) -> bool {
        self.ball.is_none()
    }
}

fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COEFFICIENTS: [f64; 3] = [3.0, 0.0, -4.0];

    fn least(set: &InputSet) -> f64 {
        set.minimum(&COEFFICIENTS, 1.0, 0.0)
    }

    fn close(got: f64, exact: f64) {
        assert!(got <= exact && exact - got < 1e-11, "{got} for {exact}");
    }

    /// `1 + ⟨a, x⟩ = −0.5` at the centre; the dual norms are 4, 5 and 7.
    #[test]
    fn without_a_domain_the_least_value_is_that_of_the_dual_norm() {
        let center = [0.5, 0.5, 0.75];
        for (norm, dual) in [(Norm::L1, 4.0), (Norm::L2, 5.0), (Norm::Linf, 7.0)] {
            close(least(&InputSet::ball(&center, norm, 0.5, None).unwrap()), -0.5 - 0.5 * dual);
            close(least(&InputSet::ball(&center, norm, 0.0, None).unwrap()), -0.5);
        }
    }

    #[test]
    fn a_domain_cuts_the_ball() {
        let domain = Domain::table(vec![0.0; 3], vec![1.0; 3]).unwrap();
        let center = [0.5, 0.5, 0.75];
        let at =
            |norm, radius| least(&InputSet::ball(&center, norm, radius, Some(&domain)).unwrap());
        // 0.25 up, then 0.25 down.
        close(at(Norm::L1, 0.5), -0.5 - 1.0 - 0.75);
        close(at(Norm::Linf, 0.5), -0.5 - 1.0 - 1.5);
        close(at(Norm::L0, 1.0), -0.5 - 1.5);
        close(at(Norm::L0, 2.0), -0.5 - 2.5);
        close(at(Norm::L2, 9.0), -0.5 - 2.5);
        close(at(Norm::L2, 0.1), -0.5 - 0.5);
        // (−0.3, 0.25): the second feature stops at its side, the first takes what is left.
        close(at(Norm::L2, 0.390_512_483_795_332_7), -0.5 - 0.9 - 1.0);
        let fixed = domain.clone().with_immutable(vec![2]).unwrap();
        let set = |norm| InputSet::ball(&center, norm, 0.5, Some(&fixed)).unwrap();
        close(least(&set(Norm::L1)), -0.5 - 1.5);
        close(least(&set(Norm::L2)), -0.5 - 1.5);
        close(least(&set(Norm::Linf)), -0.5 - 1.5);
    }

    #[test]
    fn the_minimiser_attains_the_minimum() {
        let domain = Domain::table(vec![0.0; 3], vec![1.0; 3]).unwrap();
        for (norm, radius) in
            [(Norm::L0, 2.0), (Norm::L1, 0.5), (Norm::L2, 0.1), (Norm::L2, 0.4), (Norm::Linf, 0.5)]
        {
            let set = InputSet::ball(&[0.5, 0.5, 0.75], norm, radius, Some(&domain)).unwrap();
            let point = set.minimiser(&COEFFICIENTS);
            let value: f64 = point.iter().zip(COEFFICIENTS).map(|(x, a)| x * a).sum();
            assert!((1.0 + value - least(&set)).abs() < 1e-11, "{norm}");
        }
    }

    #[test]
    fn sets_of_nothing_and_of_everything_are_errors() {
        let domain = Domain::table(vec![0.0], vec![1.0]).unwrap();
        assert!(matches!(
            InputSet::ball(&[2.0], Norm::Linf, 0.1, Some(&domain)),
            Err(Error::Empty { index: 0, .. })
        ));
        assert!(matches!(InputSet::ball(&[2.0], Norm::L0, 1.0, None), Err(Error::Unbounded)));
        assert!(InputSet::ball(&[f64::NAN], Norm::L2, 1.0, None).is_err());
        assert!(InputSet::ball(&[0.0], Norm::L2, f64::NAN, None).is_err());
        assert!(InputSet::sides(vec![1.0], vec![0.0]).is_err());
        assert!(InputSet::sides(vec![1.0], vec![]).is_err());
    }
}
