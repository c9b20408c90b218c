//! What a run writes: one row a measurement, one line a sample of it.
#[cfg(test)]
mod documented;
mod fault;
mod watched;

use std::collections::BTreeMap;

use duress_core::{Norm, Stage};
use serde::{Deserialize, Serialize};

pub use watched::{Watched, WatchedEpoch};

/// Raised when a field changes its meaning or goes; a new field leaves it. See the crate's README.
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
        /// Samples on which it refused to answer; missing where it never does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        abstained: Option<u64>,
        /// Mean cost of an answer, where an error costs 1 and a refusal what the defence says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean_cost: Option<f64>,
        /// Name of the defence.
        defense: String,
        /// Its hyperparameters.
        defense_config: serde_json::Value,
        /// How a gradient passes its transformation: `exact`, `identity` or `surrogate` (BPDA) or
        /// `none`; missing without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gradient: Option<String>,
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
        /// What was measured after each epoch, at the best and at the last one; missing where
        /// nothing was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        watched: Option<Watched>,
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
        /// The model whose gradients made the examples, where this is a transfer attack.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        surrogate: Option<String>,
        /// Draws that each gradient and score was averaged over, where the adversary's model is
        /// random.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model_draws: Option<u32>,
        /// Whether the adversary knows nothing of the transformation in front of the model.
        #[serde(default, skip_serializing_if = "is_false")]
        unaware: bool,
        /// What each member of a suite was given and broke, in their order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stages: Vec<Stage>,
        /// Samples that were not attacked because they are proved in the ball.
        #[serde(default, skip_serializing_if = "is_zero")]
        proved: u64,
        /// Samples classified correctly without an adversary.
        clean_correct: u64,
        /// Of these, the samples the attack did not break.
        robust_correct: u64,
        /// Of these, the samples on whose returned point the model refuses to answer; missing where
        /// it never does. Success is a wrong answer then, not a refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        abstained: Option<u64>,
        /// Mean cost of an answer under the attack, over all samples, refusals without an adversary
        /// included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean_cost: Option<f64>,
        /// Mean cross-entropy at the returned points of all samples; `None` where a sample has no
        /// such point.
        adversarial_loss: Option<f64>,
        /// Median distance of the points that met the goal, in the norm: those in the ball, or for
        /// a search of the nearest point all that it found.
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
    /// Attacks and proofs together: each sample is in one of four counts.
    TwoSided {
        /// The certifier that proves.
        certifier: String,
        /// Norm of the ball.
        norm: Norm,
        /// Its radius.
        epsilon: f64,
        /// Samples classified wrongly without an adversary.
        wrong: u64,
        /// Samples that an attack or the certifier broke at this radius or a smaller one.
        broken: u64,
        /// Samples that are proved at this radius or a larger one.
        proved: u64,
        /// Samples that are neither broken nor proved.
        open: u64,
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
    /// A detector against an attack that knows nothing of it.
    Detection {
        /// Label of the detector in the experiment.
        detector: String,
        /// Name of the detector.
        method: String,
        /// Its hyperparameters, defaults included.
        config: serde_json::Value,
        /// Labels of the attacks it was fitted on.
        fit: Vec<String>,
        /// Label of the attack.
        attack: String,
        /// Whether that is one of those.
        seen: bool,
        /// Norm of the ball.
        norm: Norm,
        /// Its radius.
        epsilon: f64,
        /// Samples that the attack broke.
        adversarial: u64,
        /// Area under the ROC curve of their adversarial points against their clean ones; `None`
        /// without any.
        auc: Option<f64>,
        /// Lower end of its 95 % interval.
        auc_lower: Option<f64>,
        /// Upper end.
        auc_upper: Option<f64>,
        /// False-positive rates that the thresholds were set at.
        rates: Vec<f64>,
        /// The thresholds, set on clean validation samples.
        thresholds: Vec<f64>,
        /// Adversarial points above each threshold.
        flagged_adversarial: Vec<u64>,
        /// Test samples classified correctly without an adversary.
        clean_correct: u64,
        /// Of these, the samples above each threshold.
        flagged_clean: Vec<u64>,
    },
    /// An attack on a model and its detector together, or the worst case over several.
    Undetected {
        /// Label of the detector in the experiment.
        detector: String,
        /// Name of the detector.
        method: String,
        /// Name of the attack; `worst-case` over all, sample by sample.
        attack: String,
        /// Its hyperparameters, defaults included.
        config: serde_json::Value,
        /// Norm of the ball.
        norm: Norm,
        /// Its radius.
        epsilon: f64,
        /// False-positive rate that the threshold was set at.
        rate: f64,
        /// The threshold.
        threshold: f64,
        /// Samples classified correctly and not flagged without an adversary.
        clean_passed: u64,
        /// Samples misclassified and not flagged without an adversary.
        wrong_passed: u64,
        /// Other samples that the attack made so.
        evaded: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One line of `measurements.jsonl`; those of worst cases stand in `samples.jsonl` too.
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
    /// The attack that broke it first; in a suite, `suite/member`.
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
    /// In `samples.jsonl`, the largest radius at which it is proved in the norm, 0 where none is;
    /// missing where nothing was to be proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified: Option<f64>,
}
