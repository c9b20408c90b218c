//! A fully connected layer that stretches no distance.
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;

use super::LipschitzLayer;
use super::aol::rescaled;
use super::cayley::orthogonal;

/// `x ↦ x W + b`, with `W` made of the free weights of `linear`.
#[derive(Module, Debug)]
pub struct Dense {
    linear: Linear,
    #[module(skip)]
    kind: LipschitzLayer,
}

impl Dense {
    pub(super) fn new(
        inputs: usize,
        outputs: usize,
        kind: LipschitzLayer,
        device: &Device,
    ) -> Self {
        Self { linear: LinearConfig::new(inputs, outputs).init(device), kind }
    }

    /// What the weights are made by. [`LipschitzLayer::Sll`] has almost-orthogonal first and last
    /// layers.
    #[must_use]
    pub fn kind(&self) -> LipschitzLayer {
        self.kind
    }

    /// The weights that are applied, `[inputs, outputs]`.
    #[must_use]
    pub fn weight(&self) -> Tensor<2> {
        let free = self.linear.weight.val();
        match self.kind {
            LipschitzLayer::Aol | LipschitzLayer::Sll => rescaled(free),
            LipschitzLayer::Cayley => orthogonal(free),
        }
    }

    pub(super) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let values = rows.matmul(self.weight());
        match &self.linear.bias {
            Some(bias) => values + bias.val().unsqueeze(),
            None => values,
        }
    }
}
