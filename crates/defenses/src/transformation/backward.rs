//! How a gradient passes a transformation.
use serde::{Deserialize, Serialize};

/// How a gradient passes a transformation on its way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backward {
    /// By the chain rule: the transformation is differentiable.
    Exact,
    /// As through the identity: the adversary knows the defence.
    ///
    /// Athalye, Carlini, Wagner. *Obfuscated Gradients Give a False Sense of Security.* ICML 2018,
    /// §4.1 (BPDA). <https://arxiv.org/abs/1802.00420>
    #[default]
    Identity,
    /// Through a differentiable stand-in that each transformation names: BPDA in general (ibid.).
    Surrogate,
    /// Not at all: a gradient attack ends with an error.
    None,
}

impl Backward {
    /// The name in files and rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Backward::Exact => "exact",
            Backward::Identity => "identity",
            Backward::Surrogate => "surrogate",
            Backward::None => "none",
        }
    }
}
