//! Errors of detectors.

/// What can go wrong when a detector is fitted or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A set of rows that must not be empty is.
    #[error("{detector}: {what} must hold at least {least} rows, got {got}")]
    Rows {
        /// Name of the detector.
        detector: &'static str,
        /// Which rows.
        what: &'static str,
        /// How many are needed.
        least: usize,
        /// How many came.
        got: usize,
    },
    /// A detector that is fitted on adversarial rows got none.
    #[error("{detector} is fitted on adversarial rows: name at least one attack to fit it on")]
    NeedsAdversarial {
        /// Name of the detector.
        detector: &'static str,
    },
    /// A class of the model without a training row.
    #[error("{detector}: class {class} has no training row; give rows of every class")]
    EmptyClass {
        /// Name of the detector.
        detector: &'static str,
        /// The class.
        class: usize,
    },
    /// A classifier whose hidden layers cannot be seen.
    #[error(
        "{detector} looks at hidden layers and this classifier shows its logits only: give it a \
         network of one of the built-in architectures or of an ONNX file"
    )]
    NoLayers {
        /// Name of the detector.
        detector: &'static str,
    },
    /// A layer that is not there.
    #[error("{detector}: no layer `{layer}`; there are: {known}")]
    UnknownLayer {
        /// Name of the detector.
        detector: &'static str,
        /// The layer asked for.
        layer: String,
        /// The layers of the network.
        known: String,
    },
    /// Activations without a covariance.
    #[error(
        "{detector}: the activations of a layer of width {width} have no covariance: a value is not \
         finite"
    )]
    Covariance {
        /// Name of the detector.
        detector: &'static str,
        /// Width of the layer.
        width: usize,
    },
    /// A score that is no finite number.
    #[error("the score of row {row} is {score}: no threshold holds for it")]
    NotFinite {
        /// Row of the batch.
        row: usize,
        /// The score.
        score: f32,
    },
    /// A rate of false positives that is none.
    #[error("a false-positive rate must be at least 0 and below 1, got {0}")]
    Rate(f64),
    /// An error of the vocabulary.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
    /// An error of the training of a network.
    #[error(transparent)]
    Model(#[from] duress_models::Error),
}

/// Shorthand of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;
