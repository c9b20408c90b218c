//! A network as the list of its layers: what bounds are propagated through.
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};

use super::{Body, Committee, Lipschitz, Network, Trainable};
use crate::{Error, Normalization, Result};

/// One layer of a network, borrowed from it.
///
/// Values between layers are maps `[N, C, H, W]`; rows are maps of one pixel, `[N, F, 1, 1]`.
#[derive(Clone, Debug)]
pub enum Layer<'a> {
    /// The normalisation of raw rows.
    Normalization(&'a Normalization),
    /// Rows seen as images `[C, H, W]`.
    Image([usize; 3]),
    /// Maps as rows, `[N, C, H, W] → [N, C · H · W]`.
    Flatten,
    /// A fully connected layer on rows.
    Linear(&'a Linear),
    /// A convolution.
    Convolution(&'a Conv2d),
    /// A batch norm.
    BatchNorm(&'a BatchNorm),
    /// `max(x, 0)`.
    Relu,
    /// The maximum of each square window of this side; windows lie side by side, and what they
    /// leave over at the right and below is dropped.
    MaxPool(usize),
    /// Mean over the pixels, `[N, C, H, W] → [N, C]`.
    GlobalAverage,
    /// The sum of two branches of one input; a branch without layers is the input itself.
    Residual {
        /// The inner branch.
        body: Vec<Layer<'a>>,
        /// The other one.
        shortcut: Vec<Layer<'a>>,
    },
}

/// A network whose forward pass is a list of layers.
pub trait Layered: Trainable {
    /// The layers from raw rows to logits. Run one after the other they are the forward pass.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a network that is no such list.
    fn layers(&self) -> Result<Vec<Layer<'_>>>;
}

impl Layered for Network {
    fn layers(&self) -> Result<Vec<Layer<'_>>> {
        let mut layers: Vec<_> = self.normalization.iter().map(Layer::Normalization).collect();
        if !matches!(self.body, Body::Mlp(_) | Body::Lipschitz(_)) {
            layers.push(Layer::Image(self.shape));
        }
        layers.extend(match &self.body {
            Body::Committee(_) => return no_list(Committee::NAME),
            Body::Lipschitz(_) => return no_list(Lipschitz::NAME),
            Body::Mlp(body) => body.list(),
            Body::SmallCnn(body) => body.list(),
            Body::LeNet(body) => body.list(),
            Body::ResNet(body) => body.list(),
            Body::WideResNet(body) => body.list(),
        });
        Ok(layers)
    }
}

/// The error of an architecture that is no list of layers.
fn no_list<T>(name: &str) -> Result<T> {
    Err(Error::Parameter {
        what: "network",
        field: "architecture",
        expected: "one whose layers bounds are propagated through".into(),
        got: name.into(),
    })
}
