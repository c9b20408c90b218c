//! What a run writes: one row a measurement, one line a sample.
use std::collections::BTreeMap;

use duress_core::Norm;
use serde::{Deserialize, Serialize};

/// Raised when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// One line of `rows.jsonl`: counts, and everything needed to repeat them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// What was measured: unique within a run.
    pub key: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the model.
    pub model: String,
    /// SHA-256 of its weights, or of what it is made of.
    pub model_digest: String,
    /// Data set and part, with the number of samples if limited.
    pub data: String,
    /// SHA-256 of the samples.
    pub data_digest: String,
    /// Samples measured.
    pub samples: u64,
    /// Seed of all draws.
    pub seed: u64,
    /// Where it ran.
    pub device: String,
    /// Version of duress.
    pub version: String,
    /// Wall-clock seconds of the measurement.
    pub seconds: f64,
    /// Forward passes of single samples.
    pub forwards: u64,
    /// Backward passes of single samples.
    pub backwards: u64,
    /// The measurement.
    #[serde(flatten)]
    pub measured: Measured,
}

/// What a row measured. Counts are of the row's samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measured {
    /// A model and its accuracy without an adversary.
    Clean {
        /// Samples classified correctly.
        correct: u64,
        /// Name of the defence.
        defense: String,
        /// Its hyperparameters.
        defense_config: serde_json::Value,
        /// Architecture and recipe, or the models it is made of.
        source: serde_json::Value,
        /// Trained parameters.
        parameters: u64,
        /// Epochs of the training.
        epochs: u32,
        /// Seconds of the training, 0 where nothing was trained.
        training_seconds: f64,
        /// Why the training stopped before its last epoch.
        stopped: Option<String>,
    },
    /// One attack at one radius.
    Attack {
        /// Label of the attack in the experiment.
        attack: String,
        /// Name of the attack.
        algorithm: String,
        /// Its hyperparameters, defaults included.
        config: serde_json::Value,
        /// Norm of the ball.
        norm: Norm,
        /// Its radius, in units of the raw input.
        epsilon: f64,
        /// Most queries on each sample.
        budget: Option<u64>,
        /// Samples classified correctly without an adversary.
        clean_correct: u64,
        /// Of these, the samples the attack did not break.
        robust_correct: u64,
        /// Mean cross-entropy at the returned points of all samples.
        adversarial_loss: Option<f64>,
        /// Median distance of the broken samples, in the norm.
        median_distance: Option<f64>,
    },
    /// The worst case over all attacks of the norm, sample by sample.
    WorstCase {
        /// Norm of the ball.
        norm: Norm,
        /// Its radius.
        epsilon: f64,
        /// Whether this is the radius of the comparison table.
        headline: bool,
        /// The attacks, by label.
        attacks: Vec<String>,
        /// Samples classified correctly without an adversary.
        clean_correct: u64,
        /// Samples that no attack broke at this radius or a smaller one.
        robust_correct: u64,
        /// Samples broken, by the first attack that did.
        broken_by: BTreeMap<String, u64>,
    },
    /// Certificates of one certifier.
    Certified {
        /// Name of the certifier.
        certifier: String,
        /// Its hyperparameters, defaults included.
        config: serde_json::Value,
        /// Norm of the certified balls.
        norm: Norm,
        /// Radii, in units of the raw input.
        radii: Vec<f64>,
        /// Samples that are correct and certified at each radius or more.
        certified_correct: Vec<u64>,
        /// Samples on which the certifier abstained.
        abstained: u64,
        /// Mean certified radius, 0 for wrong and abstaining samples.
        average_radius: f64,
        /// Probability that a certificate is wrong, for each sample.
        failure_probability: f64,
    },
    /// Adversarial examples of this row's model, handed to another model.
    Transfer {
        /// The other model.
        target: String,
        /// Label of the attack that made them.
        attack: String,
        /// Norm of the ball.
        norm: Norm,
        /// Its radius.
        epsilon: f64,
        /// Samples that both models classify correctly.
        both_correct: u64,
        /// Of these, the samples whose adversarial example the other model gets wrong.
        fooled: u64,
    },
}

impl Row {
    /// What cannot be true of the row: a number that is none, or counts that do not fit together.
    pub(crate) fn fault(&self) -> Option<String> {
        let samples = self.samples;
        let faults = match &self.measured {
            Measured::Clean { correct, training_seconds, .. } => [
                not_finite("training_seconds", [*training_seconds]),
                more("correct", *correct, "samples", samples),
            ],
            Measured::Attack {
                epsilon,
                clean_correct,
                robust_correct,
                adversarial_loss: loss,
                median_distance: distance,
                ..
            } => [
                not_finite("epsilon", [*epsilon])
                    .or_else(|| not_finite("adversarial_loss", *loss))
                    .or_else(|| not_finite("median_distance", *distance)),
                ordered(*robust_correct, *clean_correct, samples),
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
            Measured::Transfer { epsilon, both_correct, fooled, .. } => [
                not_finite("epsilon", [*epsilon]),
                more("both_correct", *both_correct, "samples", samples)
                    .or_else(|| more("fooled", *fooled, "both_correct", *both_correct)),
            ],
        };
        not_finite("seconds", [self.seconds]).or_else(|| faults.into_iter().flatten().next())
    }
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
            .or_else(|| not_finite("confidence", widened(self.confidence)))
            .or_else(|| {
                not_finite("adversarial_confidence", widened(self.adversarial_confidence))
            })?;
        Some(format!("sample {}: {fault}", self.index))
    }
}

/// One line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Key of the [`Row`] it belongs to.
    pub key: String,
    /// Name of the model.
    pub model: String,
    /// Label of the attack or name of the certifier; `worst-case` over the attacks.
    pub attack: String,
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius; the certified radius of a certificate.
    pub epsilon: f64,
    /// Position in the data set's original order.
    pub index: u64,
    /// The label.
    pub label: usize,
    /// Prediction without an adversary; `None` where a certifier abstains.
    pub predicted: Option<usize>,
    /// Its softmax probability, where an attack measured it.
    pub confidence: Option<f32>,
    /// Whether that is the label.
    pub clean_correct: bool,
    /// Whether it is correct and was not broken (or is certified at a radius above 0).
    pub robust: bool,
    /// The attack that broke it first.
    pub broken_by: Option<String>,
    /// Distance at which it was broken, in the norm.
    pub distance: Option<f64>,
    /// Prediction at the point the attack returned.
    pub adversarial: Option<usize>,
    /// Its softmax probability.
    pub adversarial_confidence: Option<f32>,
    /// Queries spent on it.
    pub queries: u64,
    /// Gradients taken of it.
    pub gradients: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{attack, broken, certified, clean, transfer, worst_case};

    fn every_kind() -> Vec<Row> {
        vec![
            clean("m", 90),
            attack("m", "pgd", 0.1, 30),
            worst_case("m", 0.1, true, 30),
            certified("m", Norm::L2, 0.001),
            transfer("m", "n", 60, 30),
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
