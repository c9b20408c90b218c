//! A softmax so cold that it is always sure.
//!
//! What defensive distillation amounts to at the time of an attack: Carlini, Wagner. *Defensive
//! Distillation is Not Robust to Adversarial Examples.* 2016. <https://arxiv.org/abs/1607.04311>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::mapping::in_range;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Divides the logits by a temperature. No prediction changes; below 1 the cross-entropy loses its
/// gradient wherever the network is right. A loss on margins does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftmaxTemperature {
    /// The temperature, from 10⁻⁶ to 10⁶.
    pub temperature: f64,
}

impl Default for SoftmaxTemperature {
    fn default() -> Self {
        Self { temperature: 1e-3 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "softmax-temperature",
    summary: "logits over a temperature: saturates the cross-entropy, defends nothing",
    reference: "arXiv:1607.04311",
    defaults: defaults::<SoftmaxTemperature>,
    parse: transformation::<SoftmaxTemperature>,
};

impl Transformation for SoftmaxTemperature {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn check(&self, _: &Domain) -> Result<()> {
        let expected = "between 1e-6 and 1e6";
        in_range(ENTRY.name, "temperature", self.temperature, 1e-6..=1e6, expected)
    }

    fn prepare(&self, _: &Domain) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(Cooled(self.temperature)))
    }
}

struct Cooled(f64);

impl Mapping for Cooled {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        rows
    }

    fn logits(&self, logits: Tensor<2>) -> Tensor<2> {
        logits / self.0
    }
}
