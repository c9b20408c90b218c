//! Networks: rows in, logits out.
mod architecture;
mod count;
mod layered;
mod layers;
mod lenet;
mod mlp;
mod resnet;
mod small_cnn;
mod wide_resnet;

use burn::module::Module;
use burn::prelude::*;
use duress_core::{Domain, Frozen};

pub use architecture::{ARCHITECTURES, Architecture, Entry, find};
pub use layered::{Layer, Layered};
pub use lenet::LeNet;
pub use mlp::Mlp;
pub use resnet::{BasicBlock, ResNet};
pub use small_cnn::SmallCnn;
pub use wide_resnet::{PreActivationBlock, WideResNet};

use crate::{Normalization, Result};

/// A burn module that maps rows to logits: what [`crate::train()`] trains.
pub trait Trainable: Module + Sync {
    /// Logits (before softmax) of rows in raw units, `[N, F] → [N, K]`.
    fn forward(&self, rows: Tensor<2>) -> Tensor<2>;
}

/// A [`Trainable`] pinned in evaluation mode: what an attack may see.
pub type Snapshot<M> = Frozen<M, Tensor<2>, fn(&M, Tensor<2>) -> Tensor<2>>;

/// A copy of `network` in evaluation mode that later training does not reach.
///
/// # Errors
/// [`duress_core::Error::Shape`] if the network does not give one row of logits for a row.
pub fn snapshot<M: Trainable>(network: &M, domain: &Domain) -> Result<Snapshot<M>> {
    let forward: fn(&M, Tensor<2>) -> Tensor<2> = M::forward;
    Ok(Frozen::new(network, domain.clone(), forward)?)
}

/// The layers of a [`Network`].
#[derive(Module, Debug)]
pub enum Body {
    /// Fully connected layers.
    Mlp(Mlp),
    /// Two strided convolutions.
    SmallCnn(SmallCnn),
    /// LeNet-5 with rectifiers and max pooling.
    LeNet(LeNet),
    /// Residual network.
    ResNet(ResNet),
    /// Wide residual network.
    WideResNet(WideResNet),
}

/// A network built by [`Architecture::init`].
///
/// Takes rows `[N, F]` in raw units; an optional [`Normalization`] is its first layer.
#[derive(Module, Debug)]
pub struct Network {
    body: Body,
    shape: [usize; 3],
    #[module(skip)]
    normalization: Option<Normalization>,
}

impl Network {
    pub(crate) fn new(body: Body, shape: [usize; 3]) -> Self {
        Self { body, shape, normalization: None }
    }

    /// The same network behind a normalisation of its input.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] unless there is one pair a channel or column of `domain`.
    pub fn with_normalization(
        mut self,
        normalization: Normalization,
        domain: &Domain,
    ) -> Result<Self> {
        normalization.check(domain)?;
        self.normalization = Some(normalization);
        Ok(self)
    }

    /// The normalisation of the input.
    #[must_use]
    pub fn normalization(&self) -> Option<&Normalization> {
        self.normalization.as_ref()
    }

    /// The layers.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Logits of rows in raw units, `[N, F] → [N, K]`.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let rows = match &self.normalization {
            Some(normalization) => normalization.apply(rows),
            None => rows,
        };
        let ([count, _], [channels, height, width]) = (rows.dims(), self.shape);
        let images = |rows: Tensor<2>| rows.reshape([count, channels, height, width]);
        match &self.body {
            Body::Mlp(body) => body.forward(rows),
            Body::SmallCnn(body) => body.forward(images(rows)),
            Body::LeNet(body) => body.forward(images(rows)),
            Body::ResNet(body) => body.forward(images(rows)),
            Body::WideResNet(body) => body.forward(images(rows)),
        }
    }
}

impl Trainable for Network {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Network::forward(self, rows)
    }
}
