//! Defences that transform the input of a classifier.
mod jpeg;

use std::sync::Arc;

use duress_core::{Classifier, Result};
use serde::{Deserialize, Serialize};

pub(crate) use jpeg::ENTRY as JPEG;
pub use jpeg::Jpeg;

/// How a gradient passes a transformation that has none of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backward {
    /// As through the identity: the adversary knows the defence.
    ///
    /// Athalye, Carlini, Wagner. *Obfuscated Gradients Give a False Sense of Security.* ICML 2018,
    /// §4.1 (BPDA). <https://arxiv.org/abs/1802.00420>
    #[default]
    Identity,
    /// Not at all: a gradient attack ends with an error.
    None,
}

/// Transforms the input of a classifier.
pub trait Transformation: std::fmt::Debug + Send + Sync {
    /// `base` behind the transformation.
    ///
    /// # Errors
    /// If the transformation is not defined for the input space, or a hyperparameter is wrong.
    fn wrap(&self, base: Arc<dyn Classifier>) -> Result<Box<dyn Classifier>>;
}
