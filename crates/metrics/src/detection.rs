//! How well a score tells adversarial inputs from clean ones.
use crate::{Error, Proportion, Result, error::all_values};

/// Counts when every score of at least `threshold` is flagged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// Scores from here on are flagged; infinity flags nothing.
    pub threshold: f64,
    /// Clean inputs flagged.
    pub false_positives: u64,
    /// Adversarial inputs flagged.
    pub true_positives: u64,
}

/// Rates at one threshold, with the counts that give their intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Scores from here on are flagged; infinity flags nothing.
    pub threshold: f64,
    /// Clean inputs flagged, of all clean inputs.
    pub false_positive_rate: Proportion,
    /// Adversarial inputs flagged, of all adversarial inputs.
    pub true_positive_rate: Proportion,
}

/// The receiver operating characteristic of a detector.
///
/// Fawcett. *An Introduction to ROC Analysis.* Pattern Recogn. Lett. 27, 2006, algorithms 1
/// and 2: tied scores are flagged together.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    clean: u64,
    adversarial: u64,
    points: Vec<RocPoint>,
}

impl Roc {
    /// Sweeps the threshold over the scores of clean and adversarial inputs; higher means more
    /// suspicious. Scores may be infinite.
    ///
    /// # Errors
    /// [`Error::Empty`] if either list is empty; [`Error::Value`] for a score that is not a
    /// number.
    pub fn of(clean: &[f64], adversarial: &[f64]) -> Result<Self> {
        for (what, scores) in [("clean scores", clean), ("adversarial scores", adversarial)] {
            if scores.is_empty() {
                return Err(Error::Empty(what));
            }
            all_values(what, "a number", scores.iter().copied(), |score| !score.is_nan())?;
        }
        // `+ 0.0` makes −0 the same score as 0.
        let mut scores: Vec<(f64, bool)> = Vec::with_capacity(clean.len() + adversarial.len());
        scores.extend(clean.iter().map(|&score| (score + 0.0, false)));
        scores.extend(adversarial.iter().map(|&score| (score + 0.0, true)));
        scores.sort_unstable_by(|left, right| right.0.total_cmp(&left.0));

        let mut last = RocPoint { threshold: f64::INFINITY, false_positives: 0, true_positives: 0 };
        let mut points = vec![last];
        for tied in scores.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
            let positives = tied.iter().filter(|(_, positive)| *positive).count() as u64;
            last.threshold = tied[0].0;
            last.true_positives += positives;
            last.false_positives += tied.len() as u64 - positives;
            points.push(last);
        }
        Ok(Self { clean: clean.len() as u64, adversarial: adversarial.len() as u64, points })
    }

    /// Clean inputs.
    #[must_use]
    pub fn clean(&self) -> u64 {
        self.clean
    }

    /// Adversarial inputs.
    #[must_use]
    pub fn adversarial(&self) -> u64 {
        self.adversarial
    }

    /// The curve from "flag nothing" to "flag everything", thresholds falling.
    #[must_use]
    pub fn points(&self) -> &[RocPoint] {
        &self.points
    }

    /// The probability that an adversarial input scores above a clean one, a tie counting one
    /// half: the area under the curve. Exact up to the last division.
    ///
    /// Hanley, `McNeil`. *The Meaning and Use of the Area under a Receiver Operating
    /// Characteristic (ROC) Curve.* Radiology 143, 1982 (the Mann-Whitney statistic over `n m`).
    #[must_use]
    pub fn auc(&self) -> f64 {
        let strips = self.points.windows(2).map(|ends| {
            let width = u128::from(ends[1].false_positives - ends[0].false_positives);
            width * u128::from(ends[0].true_positives + ends[1].true_positives)
        });
        let doubled: u128 = strips.sum();
        let pairs = u128::from(self.clean) * u128::from(self.adversarial);
        doubled as f64 / (2 * pairs) as f64
    }

    /// The lowest threshold that flags at most the fraction `limit` of the clean inputs; it may
    /// flag nothing. Rates between measured thresholds are not interpolated: no deterministic
    /// detector attains them.
    ///
    /// # Errors
    /// [`Error::Value`] unless `0 ≤ limit ≤ 1`.
    pub fn at_false_positive_rate(&self, limit: f64) -> Result<OperatingPoint> {
        if !(0.0..=1.0).contains(&limit) {
            let (what, expected) = ("false positive rate", "a number from 0 to 1");
            return Err(Error::Value { what, index: 0, expected, got: limit });
        }
        // As rates, so that a limit of k/n admits exactly k false positives.
        let admitted = |point: &RocPoint| point.false_positives as f64 / self.clean as f64 <= limit;
        let point = self.points[self.points.partition_point(admitted) - 1];
        Ok(OperatingPoint {
            threshold: point.threshold,
            false_positive_rate: Proportion::new(point.false_positives, self.clean)?,
            true_positive_rate: Proportion::new(point.true_positives, self.adversarial)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Six pairs: four won, one tied, one lost.
    #[test]
    fn the_area_counts_pairs_and_half_of_the_ties() {
        let roc = Roc::of(&[1.0, 2.0], &[2.0, 3.0, 1.5]).unwrap();
        assert!((roc.auc() - 4.5 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn perfect_inverted_and_constant_detectors_have_known_areas() {
        let area = |clean: &[f64], adversarial: &[f64]| Roc::of(clean, adversarial).unwrap().auc();
        assert!((area(&[0.0, 1.0], &[2.0, 3.0]) - 1.0).abs() < 1e-15);
        assert!(area(&[2.0, 3.0], &[0.0, 1.0]).abs() < 1e-15);
        assert!((area(&[5.0; 4], &[5.0; 9]) - 0.5).abs() < 1e-15);
        assert!((area(&[0.0], &[-0.0]) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn an_operating_point_never_exceeds_its_false_positive_rate() {
        let clean: Vec<f64> = (0..100).map(f64::from).collect();
        let roc = Roc::of(&clean, &[93.5, 95.5, 200.0]).unwrap();
        let at = roc.at_false_positive_rate(0.05).unwrap();
        assert_eq!(at.false_positive_rate, Proportion::new(5, 100).unwrap());
        assert_eq!(at.true_positive_rate, Proportion::new(2, 3).unwrap());
        assert_eq!(at.threshold.to_bits(), 95.0_f64.to_bits());
        let at = roc.at_false_positive_rate(0.0).unwrap();
        assert_eq!(at.true_positive_rate, Proportion::new(1, 3).unwrap());
        assert!(roc.at_false_positive_rate(1.5).is_err());
    }

    #[test]
    fn a_tie_with_the_top_clean_score_flags_nothing_at_rate_zero() {
        let at = Roc::of(&[1.0], &[1.0]).unwrap().at_false_positive_rate(0.0).unwrap();
        assert!(at.threshold.is_infinite());
        assert_eq!(at.true_positive_rate, Proportion::new(0, 1).unwrap());
    }

    #[test]
    fn missing_and_undefined_scores_are_rejected() {
        assert_eq!(Roc::of(&[], &[1.0]), Err(Error::Empty("clean scores")));
        assert!(matches!(Roc::of(&[1.0], &[f64::NAN]), Err(Error::Value { index: 0, .. })));
    }

    proptest! {
        /// Against the definition, over all pairs; swapping the classes mirrors it.
        #[test]
        fn the_area_is_the_mann_whitney_statistic(
            clean in vec(0_u8..12, 1..25), adversarial in vec(0_u8..12, 1..25),
        ) {
            let scores = |ranks: &[u8]| ranks.iter().copied().map(f64::from).collect::<Vec<_>>();
            let (clean, adversarial) = (scores(&clean), scores(&adversarial));
            let credit = |positive: f64, negative: f64| match positive.total_cmp(&negative) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
            let won: f64 = adversarial
                .iter()
                .flat_map(|&positive| clean.iter().map(move |&negative| credit(positive, negative)))
                .sum();
            let expected = won / (clean.len() * adversarial.len()) as f64;
            let area = Roc::of(&clean, &adversarial).unwrap().auc();
            prop_assert!((area - expected).abs() < 1e-12);
            let mirrored = Roc::of(&adversarial, &clean).unwrap().auc();
            prop_assert!((area + mirrored - 1.0).abs() < 1e-12);
        }

        #[test]
        fn the_curve_climbs_from_nothing_to_everything(
            clean in vec(-5.0_f64..5.0, 1..25), adversarial in vec(-5.0_f64..5.0, 1..25),
        ) {
            let roc = Roc::of(&clean, &adversarial).unwrap();
            let counts = |point: &RocPoint| (point.false_positives, point.true_positives);
            prop_assert_eq!(roc.points().first().map(counts), Some((0, 0)));
            let all = (clean.len() as u64, adversarial.len() as u64);
            prop_assert_eq!(roc.points().last().map(counts), Some(all));
            let climbs = roc.points().windows(2).all(|ends| {
                ends[0].false_positives <= ends[1].false_positives
                    && ends[0].true_positives <= ends[1].true_positives
                    && ends[0].threshold > ends[1].threshold
            });
            prop_assert!(climbs);
        }
    }
}
