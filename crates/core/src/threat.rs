//! What the adversary may do.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Norm, Result};

/// A radius in the units of the raw input, written as a number or as a fraction: `0.1`, `8/255`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "NumberOrText", into = "f64")]
pub struct Epsilon(f64);

impl Epsilon {
    /// 8/255: the Linf radius that most results on CIFAR-10 state.
    pub const EIGHT_255THS: Self = Self(8.0 / 255.0);

    /// 12: the L1 radius that most results on CIFAR-10 state.
    pub const TWELVE: Self = Self(12.0);

    /// A finite radius of at least 0.
    ///
    /// # Errors
    /// [`Error::Radius`].
    pub fn new(value: f64) -> Result<Self> {
        if value.is_finite() && value >= 0.0 { Ok(Self(value)) } else { Err(Error::Radius(value)) }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> f64 {
        epsilon.0
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Epsilon {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.trim().parse::<f64>();
        let value = match text.split_once('/') {
            Some((above, below)) => number(above).and_then(|a| number(below).map(|b| a / b)),
            None => number(text),
        };
        value.map_or_else(|_| Err(Error::NotARadius(text.into())), Self::new)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl TryFrom<NumberOrText> for Epsilon {
    type Error = Error;

    fn try_from(raw: NumberOrText) -> Result<Self> {
        match raw {
            NumberOrText::Number(value) => Self::new(value),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

/// One radius for all samples, or one each. Units are those of the raw input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Radius {
    /// The same for each sample.
    Same(f64),
    /// One a sample, in the order of the batch.
    PerSample(Vec<f64>),
}

/// The set `{x + δ : ‖δ‖ ≤ radius}`, which the driver intersects with the input domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Threat {
    norm: Norm,
    radius: Radius,
}

impl Threat {
    /// A ball of one radius, in the units of the raw input.
    ///
    /// # Errors
    /// [`Error::Radius`] if it is negative or not finite.
    pub fn new(norm: Norm, radius: f64) -> Result<Self> {
        Self::with_radius(norm, Radius::Same(radius))
    }

    /// A ball of one radius a sample.
    ///
    /// # Errors
    /// [`Error::Radius`] for the first that is negative or not finite.
    pub fn per_sample(norm: Norm, radii: Vec<f64>) -> Result<Self> {
        Self::with_radius(norm, Radius::PerSample(radii))
    }

    fn with_radius(norm: Norm, radius: Radius) -> Result<Self> {
        let radii = match &radius {
            Radius::Same(radius) => std::slice::from_ref(radius),
            Radius::PerSample(radii) => radii,
        };
        match radii.iter().find(|radius| !(radius.is_finite() && **radius >= 0.0)) {
            Some(&bad) => Err(Error::Radius(bad)),
            None => Ok(Self { norm, radius }),
        }
    }

    /// The norm of the ball.
    #[must_use]
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// The radius, or the radii.
    #[must_use]
    pub fn radius(&self) -> &Radius {
        &self.radius
    }

    /// The radii of `rows` samples.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is one radius a sample, but not for that many samples.
    pub fn radii(&self, rows: usize) -> Result<Vec<f64>> {
        match &self.radius {
            Radius::Same(radius) => Ok(vec![*radius; rows]),
            Radius::PerSample(radii) if radii.len() == rows => Ok(radii.clone()),
            Radius::PerSample(radii) => Err(Error::Shape {
                what: "radii",
                expected: format!("{rows}, one a row"),
                got: radii.len().to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_radius_is_finite_and_not_negative() {
        assert!(Threat::new(Norm::L2, 0.0).is_ok());
        for bad in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(Threat::new(Norm::L2, bad), Err(Error::Radius(_))));
        }
        assert!(Threat::per_sample(Norm::L2, vec![0.1, -1.0]).is_err());
    }

    #[test]
    fn a_fraction_is_a_radius() {
        assert_eq!("8/255".parse(), Epsilon::new(8.0 / 255.0));
        assert_eq!(" 0.5 ".parse(), Epsilon::new(0.5));
        assert_eq!("1/0".parse::<Epsilon>(), Err(Error::Radius(f64::INFINITY)));
        assert!("-1".parse::<Epsilon>().is_err() && "a/b".parse::<Epsilon>().is_err());
    }

    #[test]
    fn radii_are_counted() {
        assert_eq!(Threat::new(Norm::L1, 0.5).unwrap().radii(2).unwrap(), [0.5, 0.5]);
        let threat = Threat::per_sample(Norm::L1, vec![0.1, 0.2]).unwrap();
        assert!(threat.radii(2).is_ok());
        assert!(threat.radii(3).is_err());
    }
}
