//! A layer that changes nothing and hands back no gradient.
//!
//! Athalye, Carlini, Wagner. *Obfuscated Gradients Give a False Sense of Security.* ICML 2018, §3.
//! <https://arxiv.org/abs/1802.00420>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// The identity, whose own gradient is zero: no defence, and to an adversary who asks for
/// gradients a perfect one. BPDA walks through it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroedGradient {}

pub(crate) const ENTRY: Entry = Entry {
    name: "zeroed-gradient",
    summary: "the identity with a gradient of zero: a defence that is none",
    reference: "arXiv:1802.00420",
    defaults: defaults::<ZeroedGradient>,
    parse: transformation::<ZeroedGradient>,
};

impl Transformation for ZeroedGradient {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, _: &Domain) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, _: &Domain) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(Nothing))
    }
}

struct Nothing;

impl Mapping for Nothing {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        rows
    }
}
