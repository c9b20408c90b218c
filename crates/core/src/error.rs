//! Errors a caller can act on: they carry the measured value and the limit.
use crate::{Layout, Norm, oracle::Access};

/// What can go wrong between a well-typed call and a trustworthy number.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A domain that describes no box.
    #[error("domain: {0}")]
    Domain(String),
    /// An algorithm that needs pixels got something else.
    #[error("this needs an image, got {0:?}")]
    NotAnImage(Layout),
    /// An algorithm that is defined for another kind of data.
    #[error("`{algorithm}` needs {expected}, got {got:?}")]
    Layout {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// What it is defined for, in words.
        expected: &'static str,
        /// What came.
        got: Layout,
    },
    /// An algorithm that takes something from training data was used without it.
    #[error("`{algorithm}` was not fitted: call `fit` with training samples first")]
    NotFitted {
        /// Name of the algorithm.
        algorithm: &'static str,
    },
    /// An algorithm whose training on samples failed.
    #[error("`{algorithm}` could not be fitted: {reason}")]
    Fit {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// What the training said.
        reason: String,
    },
    /// A tensor or a list of the wrong shape.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// Which value.
        what: &'static str,
        /// The expected shape, in words.
        expected: String,
        /// What came.
        got: String,
    },
    /// An input value that is not a number or lies outside the domain.
    #[error(
        "input row {row}, feature {feature}: {value} is outside [{lower}, {upper}] \
         (inputs are raw: put a normalisation inside the model)"
    )]
    Input {
        /// Row of the batch.
        row: usize,
        /// Feature of the row.
        feature: usize,
        /// The rejected value.
        value: f32,
        /// Lower bound of the feature.
        lower: f32,
        /// Upper bound of the feature.
        upper: f32,
    },
    /// A label that names no class of the model.
    #[error("row {row}: label {label} but the model has {classes} classes")]
    Label {
        /// Row of the batch.
        row: usize,
        /// The rejected label.
        label: usize,
        /// Classes of the model.
        classes: usize,
    },
    /// A radius that is negative, infinite or not a number.
    #[error("a radius must be a finite number of at least 0, got {0}")]
    Radius(f64),
    /// A text that is neither a number nor a fraction of two.
    #[error("a radius must be a number or a fraction such as 8/255, got `{0}`")]
    NotARadius(String),
    /// A hyperparameter outside its range.
    #[error("{algorithm}: `{field}` must be {expected}, got {got}")]
    Parameter {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// Name of the field.
        field: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// The rejected value.
        got: String,
    },
    /// An algorithm that is not defined for the norm.
    #[error("`{algorithm}` does not support the {norm} norm (it supports {supported})")]
    UnsupportedNorm {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// The norm asked for.
        norm: Norm,
        /// The norms it is defined for.
        supported: String,
    },
    /// An attack with a constraint of its own under a ball that does not hold the box.
    #[error(
        "`{algorithm}` moves anywhere in the input box: it needs a {norm} radius of {needed} or \
         more, got {radius}"
    )]
    Reach {
        /// Name of the attack.
        algorithm: &'static str,
        /// Norm of the ball.
        norm: Norm,
        /// Its radius.
        radius: f64,
        /// Diameter of the box.
        needed: f64,
    },
    /// An attack of a fixed budget was asked for the nearest point.
    #[error(
        "`{algorithm}` searches a ball of a given radius: give one, or put the attack into \
         `smallest-radius`"
    )]
    NeedsRadius {
        /// Name of the attack.
        algorithm: &'static str,
    },
    /// An attack that needs more access than the threat model gives.
    #[error("`{algorithm}` needs {needed} access, the model gives {given}")]
    Access {
        /// Name of the algorithm.
        algorithm: &'static str,
        /// What it needs.
        needed: Access,
        /// What the oracle offers.
        given: Access,
    },
    /// A loss that is not defined for so few classes.
    #[error("the {loss} loss needs at least {needed} classes, the model has {classes}")]
    Classes {
        /// Name of the loss.
        loss: &'static str,
        /// Smallest number of classes.
        needed: usize,
        /// Classes of the model.
        classes: usize,
    },
    /// A loss that is not defined for the kind of goal.
    #[error("the {loss} loss is not defined for {goal} goals")]
    LossGoal {
        /// Name of the loss.
        loss: &'static str,
        /// The kind of goal.
        goal: &'static str,
    },
    /// The loss does not depend on the input: the model detaches it.
    #[error("no gradient reaches the input: the model detaches its graph (use a black-box attack)")]
    NoGradient,
    /// A gradient that is not a number: no direction can be trusted.
    #[error("the input gradient of sample {sample} is not finite")]
    GradientNotFinite {
        /// Id of the sample.
        sample: u64,
    },
    /// A model that answers with NaN or infinity.
    #[error("the model's logits for sample {sample} are not finite")]
    LogitsNotFinite {
        /// Id of the sample.
        sample: u64,
    },
    /// An attack returned a point outside the ball it was given.
    #[error("{algorithm} left the {norm} ball at sample {sample}: {distance} > {radius}")]
    OutsideBall {
        /// Name of the attack.
        algorithm: &'static str,
        /// Id of the sample.
        sample: u64,
        /// Norm of the ball.
        norm: Norm,
        /// Measured distance.
        distance: f64,
        /// Radius of the ball.
        radius: f64,
    },
    /// An attack returned a point outside the input box, or changed an immutable feature.
    #[error("{algorithm} left the input domain at sample {sample}, feature {feature}: {value}")]
    OutsideDomain {
        /// Name of the attack.
        algorithm: &'static str,
        /// Id of the sample.
        sample: u64,
        /// The feature.
        feature: usize,
        /// Its value.
        value: f32,
    },
    /// An attack asked for more queries than it was given: a bug of the attack.
    #[error("{algorithm} spent query {spent} of a budget of {budget} on sample {sample}")]
    Budget {
        /// Name of the attack.
        algorithm: &'static str,
        /// Id of the sample.
        sample: u64,
        /// Queries including the refused one.
        spent: u64,
        /// The limit.
        budget: u64,
    },
    /// A device that was asked for and is not compiled in or not known.
    #[error("no device `{name}`; this build has {known}")]
    UnknownDevice {
        /// The name asked for.
        name: String,
        /// The names this build knows.
        known: String,
    },
    /// A device failed to run or to hand back a result.
    #[error("the device failed: {0}")]
    Device(String),
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A model that is not on this machine failed to answer.
    #[error("the model did not answer: {0}")]
    Remote(String),
}

/// Shorthand used across the workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;
