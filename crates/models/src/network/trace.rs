//! Takes down what the layers of a network make of rows, if anyone asks.
use std::fmt::Display;

use burn::prelude::*;
use duress_core::Activation;

/// The hidden layers that a forward pass went through; none of them unless it records.
#[derive(Debug, Default)]
pub(super) struct Trace(Option<Vec<Activation>>);

impl Trace {
    /// A trace that keeps nothing.
    pub(super) fn off() -> Self {
        Self(None)
    }

    /// A trace that keeps all it is shown.
    pub(super) fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// A layer without positions, `[N, W]`.
    pub(super) fn flat(&mut self, name: impl Display, values: &Tensor<2>) {
        if let Some(kept) = &mut self.0 {
            kept.push(Activation::flat(name.to_string(), values.clone()));
        }
    }

    /// Maps `[N, C, H, W]`.
    pub(super) fn maps(&mut self, name: impl Display, maps: &Tensor<4>) {
        if let Some(kept) = &mut self.0 {
            kept.push(Activation::maps(name.to_string(), maps.clone()));
        }
    }

    /// What was kept, and the logits last.
    pub(super) fn finish(self, logits: Tensor<2>) -> Vec<Activation> {
        let mut all = self.0.unwrap_or_default();
        all.push(Activation::logits(logits));
        all
    }
}
