//! Networks: rows in, logits out.
mod architecture;
mod committee;
mod count;
mod front;
mod layered;
mod layers;
mod lenet;
mod lipschitz;
mod mlp;
mod resnet;
mod small_cnn;
mod trace;
mod wide_resnet;

use std::sync::Arc;

use burn::module::Module;
use burn::prelude::*;
use duress_core::{Activation, Domain, Frozen};

pub use architecture::{ARCHITECTURES, Architecture, Entry, find};
pub use committee::Committee;
pub use front::Front;
pub use layered::{Layer, Layered};
pub use lenet::LeNet;
pub use lipschitz::{Dense, Hidden, Lipschitz, LipschitzLayer, Sll, max_min};
pub use mlp::Mlp;
pub use resnet::{BasicBlock, ResNet};
pub use small_cnn::SmallCnn;
pub use wide_resnet::{PreActivationBlock, WideResNet};

use crate::{Normalization, Result};
use trace::Trace;

/// A burn module that maps rows to logits: what [`crate::train()`] trains.
pub trait Trainable: Module + Sync {
    /// Logits (before softmax) of rows in raw units, `[N, F] → [N, K]`.
    fn forward(&self, rows: Tensor<2>) -> Tensor<2>;

    /// Number of networks that this one is made of: 1 unless it is several, trained as one.
    fn members(&self) -> usize {
        1
    }

    /// The logits of one member, `[N, F] → [N, K]`: those of the whole where there is but one.
    fn member_logits(&self, member: usize, rows: Tensor<2>) -> Tensor<2> {
        let _ = member;
        self.forward(rows)
    }
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
    /// Several networks.
    Committee(Committee),
    /// Fully connected layers.
    Mlp(Mlp),
    /// Two strided convolutions.
    SmallCnn(SmallCnn),
    /// LeNet-5 with rectifiers and max pooling.
    LeNet(LeNet),
    /// Fully connected 1-Lipschitz layers.
    Lipschitz(Lipschitz),
    /// Residual network.
    ResNet(ResNet),
    /// Wide residual network.
    WideResNet(WideResNet),
}

/// A network built by [`Architecture::init`].
///
/// Takes rows `[N, F]` in raw units; an optional [`Normalization`] is its first layer. While it is
/// trained a [`Front`] may stand before it.
#[derive(Module, Debug)]
pub struct Network {
    body: Body,
    shape: [usize; 3],
    #[module(skip)]
    normalization: Option<Normalization>,
    #[module(skip)]
    front: Option<Arc<dyn Front>>,
}

impl Network {
    pub(crate) fn new(body: Body, shape: [usize; 3]) -> Self {
        Self { body, shape, normalization: None, front: None }
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

    /// The same network behind `front`, in place of one that was there. It shares its weights,
    /// on the tape or off it, with this one.
    #[must_use]
    pub fn behind(&self, front: Arc<dyn Front>) -> Self {
        Self { front: Some(front), ..self.clone() }
    }

    /// The layers without a front.
    #[must_use]
    pub fn without_front(&self) -> Self {
        Self { front: None, ..self.clone() }
    }

    /// What stands before the layers.
    #[must_use]
    pub fn front(&self) -> Option<&dyn Front> {
        self.front.as_deref()
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
        self.traced(self.first(rows), &mut Trace::off())
    }

    /// What the hidden layers make of rows in raw units (after their rectifiers, blocks and
    /// pools), first to last, and the logits; those of a committee's members are not shown.
    #[must_use]
    pub fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        let mut trace = Trace::on();
        let logits = self.traced(self.first(rows), &mut trace);
        trace.finish(logits)
    }

    /// Logits of what [`FirstLayer::first`] gave.
    fn traced(&self, hidden: Tensor<4>, trace: &mut Trace) -> Tensor<2> {
        match &self.body {
            Body::Committee(body) => body.rest(hidden),
            Body::Mlp(body) => body.rest(hidden.flatten::<2>(1, 3), trace),
            Body::SmallCnn(body) => body.rest(hidden, trace),
            Body::LeNet(body) => body.rest(hidden, trace),
            Body::Lipschitz(body) => body.rest(hidden.flatten::<2>(1, 3), trace),
            Body::ResNet(body) => body.rest(hidden, trace),
            Body::WideResNet(body) => body.rest(hidden, trace),
        }
    }

    fn normalized(&self, rows: Tensor<2>) -> Tensor<2> {
        let rows = match &self.front {
            Some(front) => front.pass(rows),
            None => rows,
        };
        match &self.normalization {
            Some(normalization) => normalization.apply(rows),
            None => rows,
        }
    }
}

/// A [`Trainable`] cut behind its first layer: what lies there is cheap to pass and to
/// differentiate.
pub trait FirstLayer: Trainable {
    /// The output of the first layer, before its rectifier, for rows `[N, F]` in raw units:
    /// `[N, channels, height, width]`, or `[N, width, 1, 1]` where the layer is fully connected.
    fn first(&self, rows: Tensor<2>) -> Tensor<4>;

    /// Logits `[N, K]` of what [`FirstLayer::first`] gave.
    fn rest(&self, hidden: Tensor<4>) -> Tensor<2>;
}

impl FirstLayer for Network {
    fn first(&self, rows: Tensor<2>) -> Tensor<4> {
        let rows = self.normalized(rows);
        let ([count, _], [channels, height, width]) = (rows.dims(), self.shape);
        let images = |rows: Tensor<2>| rows.reshape([count, channels, height, width]);
        let flat = |hidden: Tensor<2>| {
            let width = hidden.dims()[1];
            hidden.reshape([count, width, 1, 1])
        };
        match &self.body {
            Body::Committee(body) => body.first(&rows),
            Body::Lipschitz(body) => flat(body.first(rows)),
            Body::Mlp(body) => flat(body.first(rows)),
            Body::SmallCnn(body) => body.first(images(rows)),
            Body::LeNet(body) => body.first(images(rows)),
            Body::ResNet(body) => body.first(images(rows)),
            Body::WideResNet(body) => body.first(images(rows)),
        }
    }

    fn rest(&self, hidden: Tensor<4>) -> Tensor<2> {
        self.traced(hidden, &mut Trace::off())
    }
}

impl Trainable for Network {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Network::forward(self, rows)
    }

    fn members(&self) -> usize {
        match &self.body {
            Body::Committee(body) => body.members().len(),
            _ => 1,
        }
    }

    fn member_logits(&self, member: usize, rows: Tensor<2>) -> Tensor<2> {
        match &self.body {
            Body::Committee(body) => body.members()[member].forward(self.normalized(rows)),
            _ => Network::forward(self, rows),
        }
    }
}
