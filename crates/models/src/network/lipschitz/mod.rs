//! Networks whose layers stretch no distance: 1-Lipschitz in L2, by construction.
//!
//! Each layer computes from free weights the weights that it applies. In exact arithmetic these
//! stretch nothing; a certificate does not take that on trust, but bounds the weights themselves.
mod aol;
mod cayley;
mod dense;
mod sll;

use burn::module::Module;
use burn::prelude::*;
use serde::{Deserialize, Serialize};

pub use dense::Dense;
pub use sll::Sll;

use super::count::Count;
use super::trace::Trace;

/// How layers are kept from stretching distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LipschitzLayer {
    /// Almost-orthogonal layers: each column is divided by the root of what it has in common with
    /// all of them; `MaxMin` between layers.
    ///
    /// Prach, Lampert. *Almost-Orthogonal Layers for Efficient General-Purpose Lipschitz Networks.*
    /// ECCV 2022, thm. 1. <https://arxiv.org/abs/2208.03160>
    Aol,
    /// Orthogonal layers by the Cayley transform; `MaxMin` between layers.
    ///
    /// Trockman, Kolter. *Orthogonalizing Convolutional Layers with the Cayley Transform.* ICLR
    /// 2021. <https://arxiv.org/abs/2104.07167>
    Cayley,
    /// Residual layers of rectifiers, between two almost-orthogonal ones.
    ///
    /// Araujo, Havens, Delattre, Allauzen, Hu. *A Unified Algebraic Perspective on Lipschitz Neural
    /// Networks.* ICLR 2023, thm. 3. <https://arxiv.org/abs/2303.03169>
    Sll,
}

/// Fully connected 1-Lipschitz layers on any domain.
///
/// `[N, F] → [N, W]`, then `depth` layers `[N, W] → [N, W]`, then `[N, W] → [N, K]`. With
/// [`LipschitzLayer::Aol`] and [`LipschitzLayer::Cayley`] [`max_min`] stands before each layer but
/// the first. A normalisation of the input is no part of this: it stretches by the inverse of its
/// least deviation.
#[derive(Module, Debug)]
pub struct Lipschitz {
    first: Dense,
    hidden: Vec<Hidden>,
    last: Dense,
}

/// A layer `[N, W] → [N, W]`.
#[derive(Module, Debug)]
pub enum Hidden {
    /// Behind [`max_min`].
    Dense(Dense),
    /// With the rectifiers inside.
    Sll(Sll),
}

/// The larger and the smaller of each value of the first half and its partner in the second:
/// `[N, 2 H] → [N, 2 H]`. It permutes pairs, so it keeps all distances where it keeps the order.
///
/// Anil, Lucas, Grosse. *Sorting out Lipschitz function approximation.* ICML 2019.
/// <https://arxiv.org/abs/1811.05381>
#[must_use]
pub fn max_min(values: Tensor<2>) -> Tensor<2> {
    let half = values.dims()[1] / 2;
    let (left, right) = (values.clone().narrow(1, 0, half), values.narrow(1, half, half));
    let larger = left.clone().max_pair(right.clone());
    Tensor::cat(vec![larger, left.min_pair(right)], 1)
}

impl Lipschitz {
    pub(super) const NAME: &'static str = "lipschitz";

    pub(super) fn new(
        [features, width, classes]: [usize; 3],
        depth: usize,
        layer: LipschitzLayer,
        device: &Device,
    ) -> Self {
        let dense = |inputs, outputs| Dense::new(inputs, outputs, layer, device);
        let hidden = |_| match layer {
            LipschitzLayer::Sll => Hidden::Sll(Sll::new(width, device)),
            _ => Hidden::Dense(dense(width, width)),
        };
        Self {
            first: dense(features, width),
            hidden: (0..depth).map(hidden).collect(),
            last: dense(width, classes),
        }
    }

    pub(super) fn parameters(
        [features, width, classes]: [usize; 3],
        depth: usize,
        layer: LipschitzLayer,
    ) -> Count {
        let hidden = match layer {
            LipschitzLayer::Sll => Count::zero().linear(width, width).bias(width),
            _ => Count::zero().linear(width, width),
        };
        Count::zero().linear(features, width).repeat(depth, hidden).linear(width, classes)
    }

    /// The layers between first and last.
    #[must_use]
    pub fn hidden(&self) -> &[Hidden] {
        &self.hidden
    }

    pub(super) fn first(&self, rows: Tensor<2>) -> Tensor<2> {
        self.first.forward(rows)
    }

    pub(super) fn rest(&self, values: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let mut values = values;
        for (index, layer) in self.hidden.iter().enumerate() {
            values = match layer {
                Hidden::Dense(layer) => layer.forward(max_min(values)),
                Hidden::Sll(layer) => layer.forward(values),
            };
            trace.flat(format_args!("hidden{}", index + 1), &values);
        }
        if self.last.kind() != LipschitzLayer::Sll {
            values = max_min(values);
        }
        self.last.forward(values)
    }
}

#[cfg(test)]
mod tests;
