//! What cannot be true of a row.
use super::{Measured, Row, SampleRow, Watched};

impl Row {
    /// What cannot be true of the row: a number that is none, or counts that do not fit together.
    pub(crate) fn fault(&self) -> Option<String> {
        let samples = self.samples;
        let faults = match &self.measured {
            Measured::Clean {
                correct, abstained, mean_cost, training_seconds, watched, ..
            } => [
                not_finite("training_seconds", [*training_seconds])
                    .or_else(|| not_finite("mean_cost", *mean_cost))
                    .or_else(|| watched.as_ref().and_then(watched_fault)),
                more("correct", *correct, "samples", samples).or_else(|| {
                    let both = correct.saturating_add(abstained.unwrap_or(0));
                    more("correct and abstained", both, "samples", samples)
                }),
            ],
            Measured::Attack {
                epsilon,
                clean_correct,
                robust_correct,
                abstained,
                mean_cost,
                adversarial_loss: loss,
                median_distance: distance,
                ..
            } => [
                not_finite("epsilon", [*epsilon])
                    .or_else(|| not_finite("adversarial_loss", *loss))
                    .or_else(|| not_finite("mean_cost", *mean_cost))
                    .or_else(|| not_finite("median_distance", *distance)),
                ordered(*robust_correct, *clean_correct, samples).or_else(|| {
                    more("abstained", abstained.unwrap_or(0), "robust_correct", *robust_correct)
                }),
            ],
            Measured::WorstCase { epsilon, clean_correct, robust_correct, .. } => [
                not_finite("epsilon", [*epsilon]),
                ordered(*robust_correct, *clean_correct, samples),
            ],
            Measured::Certified { radii, certified_correct: counts, average_radius, .. } => [
                not_finite("radii", radii.iter().copied())
                    .or_else(|| not_finite("average_radius", [*average_radius])),
                (radii.len() != counts.len())
                    .then(|| format!("{} counts for {} radii", counts.len(), radii.len()))
                    .or_else(|| {
                        let most = counts.iter().copied().max().unwrap_or(0);
                        more("certified_correct", most, "samples", samples)
                    }),
            ],
            Measured::TwoSided { epsilon, wrong, broken, proved, open, .. } => [
                not_finite("epsilon", [*epsilon]),
                more("the four counts", wrong + broken + proved + open, "samples", samples),
            ],
            Measured::Transfer { epsilon, both_correct, fooled, .. } => [
                not_finite("epsilon", [*epsilon]),
                more("both_correct", *both_correct, "samples", samples)
                    .or_else(|| more("fooled", *fooled, "both_correct", *both_correct)),
            ],
            Measured::Detection { .. } => {
                [detection_numbers(&self.measured), detection_counts(&self.measured, samples)]
            }
            Measured::Undetected {
                epsilon,
                rate,
                threshold,
                clean_passed,
                wrong_passed,
                evaded,
                ..
            } => [
                not_finite("epsilon", [*epsilon])
                    .or_else(|| not_finite("rate", [*rate]))
                    .or_else(|| not_finite("threshold", [*threshold])),
                more("clean_passed", *clean_passed, "samples", samples).or_else(|| {
                    more("evaded", wrong_passed.saturating_add(*evaded), "samples", samples)
                }),
            ],
        };
        not_finite("seconds", [self.seconds]).or_else(|| faults.into_iter().flatten().next())
    }
}

fn detection_numbers(measured: &Measured) -> Option<String> {
    let Measured::Detection { epsilon, auc, auc_lower, auc_upper, rates, thresholds, .. } =
        measured
    else {
        return None;
    };
    not_finite("epsilon", [*epsilon])
        .or_else(|| not_finite("auc", *auc))
        .or_else(|| not_finite("auc_lower", *auc_lower))
        .or_else(|| not_finite("auc_upper", *auc_upper))
        .or_else(|| not_finite("rates", rates.iter().copied()))
        .or_else(|| not_finite("thresholds", thresholds.iter().copied()))
}

fn detection_counts(measured: &Measured, samples: u64) -> Option<String> {
    let Measured::Detection {
        adversarial,
        rates,
        thresholds,
        flagged_adversarial,
        clean_correct,
        flagged_clean,
        ..
    } = measured
    else {
        return None;
    };
    let lengths = [thresholds.len(), flagged_adversarial.len(), flagged_clean.len()];
    if lengths.iter().any(|&length| length != rates.len()) {
        return Some(format!("{lengths:?} thresholds and counts for {} rates", rates.len()));
    }
    let most = |counts: &[u64]| counts.iter().copied().max().unwrap_or(0);
    more("clean_correct", *clean_correct, "samples", samples)
        .or_else(|| more("adversarial", *adversarial, "clean_correct", *clean_correct))
        .or_else(|| {
            more("flagged_adversarial", most(flagged_adversarial), "adversarial", *adversarial)
        })
        .or_else(|| more("flagged_clean", most(flagged_clean), "clean_correct", *clean_correct))
}

/// Nothing is better than the best epoch, or later than the last.
fn watched_fault(watched: &Watched) -> Option<String> {
    let Watched { epsilon, best, last, samples, .. } = watched;
    not_finite("epsilon", [*epsilon])
        .or_else(|| more("best.correct", best.correct, "watched.samples", *samples))
        .or_else(|| more("last.correct", last.correct, "best.correct", best.correct))
        .or_else(|| more("best.epoch", best.epoch.into(), "last.epoch", last.epoch.into()))
}

fn ordered(robust: u64, clean: u64, samples: u64) -> Option<String> {
    more("clean_correct", clean, "samples", samples)
        .or_else(|| more("robust_correct", robust, "clean_correct", clean))
}

fn more(what: &str, part: u64, of: &str, whole: u64) -> Option<String> {
    (part > whole).then(|| format!("`{what}` is {part}, more than `{of}`, {whole}"))
}

fn not_finite(field: &str, values: impl IntoIterator<Item = f64>) -> Option<String> {
    let bad = values.into_iter().find(|value| !value.is_finite())?;
    Some(format!("`{field}` is {bad}, not a finite number"))
}

impl SampleRow {
    /// A number of the line that is none.
    pub(crate) fn fault(&self) -> Option<String> {
        let widened = |value: Option<f32>| value.map(f64::from);
        let fault = not_finite("epsilon", [self.epsilon])
            .or_else(|| not_finite("distance", self.distance))
            .or_else(|| not_finite("certified", self.certified))
            .or_else(|| not_finite("confidence", widened(self.confidence)))
            .or_else(|| {
                not_finite("adversarial_confidence", widened(self.adversarial_confidence))
            })?;
        Some(format!("sample {}: {fault}", self.index))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use duress_core::Norm;

    use super::*;
    use crate::fixtures::{
        attack, broken, certified, clean, detection, transfer, two_sided, undetected, watched,
        worst_case,
    };

    fn every_kind() -> Vec<Row> {
        vec![
            clean("m", 90),
            watched("m", 80, 70),
            attack("m", "pgd", 0.1, 30),
            worst_case("m", 0.1, true, 30),
            certified("m", Norm::L2, 0.001),
            two_sided("m", 0.1, [10, 30, 40, 20]),
            transfer("m", "n", 60, 30),
            detection("m", "pgd", 40),
            undetected("m", "joint-pgd", 0.05, 30),
        ]
    }

    #[test]
    fn every_kind_survives_a_round_trip_and_has_no_fault() {
        for row in every_kind() {
            let text = serde_json::to_string(&row).unwrap();
            assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
            assert_eq!(row.fault(), None, "{text}");
        }
    }

    #[test]
    fn counts_above_their_whole_are_faults() {
        let fault = |row: Row| row.fault().unwrap();
        assert_eq!(fault(clean("m", 101)), "`correct` is 101, more than `samples`, 100");
        let text = "`robust_correct` is 91, more than `clean_correct`, 90";
        assert_eq!(fault(attack("m", "pgd", 0.1, 91)), text);
        assert_eq!(
            fault(transfer("m", "n", 101, 0)),
            "`both_correct` is 101, more than `samples`, 100"
        );
        assert_eq!(
            fault(transfer("m", "n", 60, 61)),
            "`fooled` is 61, more than `both_correct`, 60"
        );
        for mut row in every_kind() {
            row.samples = 1;
            assert!(row.fault().is_some(), "{row:?}");
        }
        let mut row = certified("m", Norm::L2, 0.0);
        if let Measured::Certified { radii, .. } = &mut row.measured {
            radii.pop();
        }
        assert_eq!(fault(row), "2 counts for 1 radii");
    }

    #[test]
    fn a_last_epoch_better_than_the_best_is_a_fault() {
        let fault = |change: fn(&mut Watched)| {
            let mut row = watched("m", 80, 70);
            assert_eq!(row.fault(), None);
            if let Measured::Clean { watched: Some(watched), .. } = &mut row.measured {
                change(watched);
            }
            row.fault().unwrap()
        };
        let text = "`last.correct` is 81, more than `best.correct`, 80";
        assert_eq!(fault(|watched| watched.last.correct = 81), text);
        let text = "`best.correct` is 80, more than `watched.samples`, 79";
        assert_eq!(fault(|watched| watched.samples = 79), text);
        assert!(fault(|watched| watched.epsilon = f64::NAN).starts_with("`epsilon` is NaN"));
        let text = "`best.epoch` is 31, more than `last.epoch`, 30";
        assert_eq!(fault(|watched| watched.best.epoch = 31), text);
    }

    #[test]
    fn counts_of_detectors_above_their_whole_are_faults() {
        let fault = |change: fn(&mut Row)| {
            let mut row = detection("m", "pgd", 40);
            change(&mut row);
            row.fault().unwrap()
        };
        let text = fault(|row| {
            if let Measured::Detection { flagged_adversarial, .. } = &mut row.measured {
                flagged_adversarial[1] = 41;
            }
        });
        assert_eq!(text, "`flagged_adversarial` is 41, more than `adversarial`, 40");
        let text = fault(|row| {
            if let Measured::Detection { thresholds, .. } = &mut row.measured {
                thresholds.pop();
            }
        });
        assert_eq!(text, "[1, 2, 2] thresholds and counts for 2 rates");
        let text = fault(|row| {
            if let Measured::Detection { auc, .. } = &mut row.measured {
                *auc = Some(f64::NAN);
            }
        });
        assert!(text.starts_with("`auc` is NaN"), "{text}");
        let text = undetected("m", "joint-pgd", 0.05, 99).fault().unwrap();
        assert_eq!(text, "`evaded` is 101, more than `samples`, 100");
    }

    #[test]
    fn numbers_that_are_none_are_faults() {
        let row = |change: fn(&mut Row)| {
            let mut row = attack("m", "pgd", 0.1, 30);
            change(&mut row);
            row.fault().unwrap()
        };
        assert!(row(|row| row.seconds = f64::NAN).starts_with("`seconds` is NaN"));
        let loss = |row: &mut Row| {
            if let Measured::Attack { adversarial_loss, .. } = &mut row.measured {
                *adversarial_loss = Some(f64::INFINITY);
            }
        };
        assert!(row(loss).starts_with("`adversarial_loss` is inf"));
        let mut row = certified("m", Norm::L2, 0.0);
        if let Measured::Certified { average_radius, .. } = &mut row.measured {
            *average_radius = f64::INFINITY;
        }
        assert!(row.fault().unwrap().starts_with("`average_radius` is inf"));
        let line = broken(&row, 3, Norm::L2, f64::NAN);
        assert_eq!(line.fault().unwrap(), "sample 3: `distance` is NaN, not a finite number");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What has no fault is not changed by the file.
        #[test]
        fn a_row_without_fault_has_no_null(epsilon in proptest::num::f64::ANY, left in 0_u64..200) {
            let row = attack("m", "pgd", epsilon, left);
            let text = serde_json::to_string(&row).unwrap();
            let whole = text.contains("\"epsilon\":null") || left > 90;
            prop_assert_eq!(row.fault().is_some(), whole, "{}", text);
        }
    }
}
