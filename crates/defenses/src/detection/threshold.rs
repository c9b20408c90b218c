//! Where a detector draws the line.
use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// A threshold set on clean rows that neither the detector was fitted on nor is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Scores above it are flagged.
    pub value: f32,
    /// Standard deviation of the clean scores: the unit in which a score exceeds the threshold.
    pub scale: f32,
}

impl Threshold {
    /// The lowest threshold that flags at most the fraction `rate` of these clean scores.
    ///
    /// With `n` scores it flags `⌊rate · n⌋` of them, fewer where scores tie.
    ///
    /// # Errors
    /// [`Error::Rows`] without scores, [`Error::NotFinite`] for one that is no number,
    /// [`Error::Rate`] unless `0 ≤ rate < 1`.
    pub fn at(rate: f64, clean: &[f32]) -> Result<Self> {
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::Rate(rate));
        }
        if clean.is_empty() {
            let (detector, what) = ("threshold", "the clean rows that set it");
            return Err(Error::Rows { detector, what, least: 1, got: 0 });
        }
        if let Some(row) = clean.iter().position(|score| !score.is_finite()) {
            return Err(Error::NotFinite { row, score: clean[row] });
        }
        let mut falling = clean.to_vec();
        falling.sort_unstable_by(|a, b| b.total_cmp(a));
        // The largest k with k / n at most the rate, as a rate is read: 5 of 100 are 0.05.
        let count = clean.len();
        let flagged = (0..count).rev().find(|&k| k as f64 / count as f64 <= rate).unwrap_or(0);
        let mean = clean.iter().map(|&score| f64::from(score)).sum::<f64>() / count as f64;
        let squares = clean.iter().map(|&score| (f64::from(score) - mean).powi(2)).sum::<f64>();
        let deviation = (squares / count as f64).sqrt();
        // Clean scores that are all the same have no deviation: any unit will do.
        let scale = if deviation > 1e-6 * mean.abs().max(1e-6) { deviation } else { 1.0 };
        Ok(Self { value: falling[flagged], scale: scale as f32 })
    }

    /// Whether a score is flagged.
    #[must_use]
    pub fn flags(&self, score: f32) -> bool {
        score > self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_flags_no_more_clean_rows_than_it_may() {
        let clean: Vec<f32> = (0_u8..100).map(f32::from).collect();
        let flagged = |rate| {
            let threshold = Threshold::at(rate, &clean).unwrap();
            clean.iter().filter(|&&score| threshold.flags(score)).count()
        };
        assert_eq!([0.0, 0.009, 0.01, 0.05, 0.5].map(flagged), [0, 0, 1, 5, 50]);
        let tied = Threshold::at(0.5, &[1.0, 1.0, 1.0, 0.0]).unwrap();
        assert!(!tied.flags(1.0) && tied.flags(1.5));
    }

    /// Scores 0, 2 and 4 have the deviation √(8/3).
    #[test]
    fn the_unit_is_the_deviation_of_the_clean_scores() {
        let threshold = Threshold::at(0.0, &[0.0, 2.0, 4.0]).unwrap();
        assert!((threshold.scale - (8.0_f32 / 3.0).sqrt()).abs() < 1e-6);
        let constant = Threshold::at(0.0, &[7.0; 5]).unwrap();
        assert!((constant.scale - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_and_no_rate_is_refused() {
        assert!(matches!(Threshold::at(0.1, &[]), Err(Error::Rows { got: 0, .. })));
        assert!(matches!(
            Threshold::at(0.1, &[0.0, f32::NAN]),
            Err(Error::NotFinite { row: 1, .. })
        ));
        assert!(matches!(Threshold::at(1.0, &[0.0]), Err(Error::Rate(_))));
        assert!(matches!(Threshold::at(f64::NAN, &[0.0]), Err(Error::Rate(_))));
    }
}
