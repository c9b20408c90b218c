//! How sure an interval must be.
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How often an interval must cover the true rate: a probability strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// 95 %, the level of every interval that is displayed.
    pub const P95: Self = Self(0.95);
    /// 99 %.
    pub const P99: Self = Self(0.99);
    /// 99.9 %, the level of the randomised-smoothing literature (α = 0.001).
    pub const P999: Self = Self(0.999);

    /// A level such as 0.95.
    ///
    /// # Errors
    /// [`Error::Confidence`] unless `0 < level < 1`.
    pub fn new(level: f64) -> Result<Self> {
        if 0.0 < level && level < 1.0 { Ok(Self(level)) } else { Err(Error::Confidence(level)) }
    }

    /// The level as a fraction.
    #[must_use]
    pub fn level(self) -> f64 {
        self.0
    }

    /// The permitted probability of a miss, α.
    #[must_use]
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = Error;

    fn try_from(level: f64) -> Result<Self> {
        Self::new(level)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> f64 {
        confidence.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_probability_strictly_inside_its_range() {
        for level in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
            assert!(Confidence::new(level).is_err(), "{level}");
        }
        assert_eq!(Confidence::new(0.95), Ok(Confidence::P95));
        assert!((Confidence::P999.alpha() - 0.001).abs() < 1e-15);
    }
}
