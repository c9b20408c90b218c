//! LeNet-5 as the field uses it today.
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Layer;
use super::count::Count;
use super::layers::Conv;
use super::trace::Trace;
use crate::{Error, Result, max_pool2d};

const VALID: Conv = Conv { kernel: 5, stride: 1, padding: 0, bias: true };

/// Smallest side that leaves a pixel: `16 → 12 → 6 → 2 → 1`.
const LEAST: usize = 16;

/// LeNet-5 with rectifiers for the sigmoids and max pooling for the trained subsampling.
///
/// `[N, C, H, W]` → conv 6, 5×5 → relu → max pool 2 → conv 16, 5×5 → relu → max pool 2 →
/// linear 120 → relu → linear 84 → relu → linear K. No padding anywhere: the last maps are 16·4·4
/// on 28×28 (44 426 parameters on grey images and ten classes) and 16·5·5 on the original's 32×32
/// (61 706). All 16 maps of the second convolution see all six of the first.
///
/// `LeCun`, Bottou, Bengio, Haffner. *Gradient-Based Learning Applied to Document Recognition.*
/// Proc. IEEE 86 (1998), §II.B.
#[derive(Module, Debug)]
pub struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl LeNet {
    pub(super) const NAME: &'static str = "lenet";

    pub(super) fn new(shape: [usize; 3], classes: usize, device: &Device) -> Result<Self> {
        let [channels, ..] = shape;
        Ok(Self {
            conv1: VALID.init(channels, 6, device),
            conv2: VALID.init(6, 16, device),
            fc1: LinearConfig::new(flat(shape)?, 120).init(device),
            fc2: LinearConfig::new(120, 84).init(device),
            fc3: LinearConfig::new(84, classes).init(device),
        })
    }

    pub(super) fn parameters(shape: [usize; 3], classes: usize) -> Result<Count> {
        let count = Count::zero().conv(shape[0], 6, 5).bias(6).conv(6, 16, 5).bias(16);
        Ok(count.linear(flat(shape)?, 120).linear(120, 84).linear(84, classes))
    }

    pub(super) fn list(&self) -> Vec<Layer<'_>> {
        vec![
            Layer::Convolution(&self.conv1),
            Layer::Relu,
            Layer::MaxPool(2),
            Layer::Convolution(&self.conv2),
            Layer::Relu,
            Layer::MaxPool(2),
            Layer::Flatten,
            Layer::Linear(&self.fc1),
            Layer::Relu,
            Layer::Linear(&self.fc2),
            Layer::Relu,
            Layer::Linear(&self.fc3),
        ]
    }

    /// Logits, `[N, C, H, W] → [N, K]`.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.rest(self.first(images), &mut Trace::off())
    }

    /// The first convolution alone.
    pub(super) fn first(&self, images: Tensor<4>) -> Tensor<4> {
        self.conv1.forward(images)
    }

    /// What follows the first convolution.
    pub(super) fn rest(&self, maps: Tensor<4>, trace: &mut Trace) -> Tensor<2> {
        let pool = |maps| max_pool2d(maps, [2, 2], [2, 2]);
        let maps = pool(relu(maps));
        trace.maps("conv1", &maps);
        let maps = pool(relu(self.conv2.forward(maps)));
        trace.maps("conv2", &maps);
        let hidden = relu(self.fc1.forward(maps.flatten::<2>(1, 3)));
        trace.flat("fc1", &hidden);
        let hidden = relu(self.fc2.forward(hidden));
        trace.flat("fc2", &hidden);
        self.fc3.forward(hidden)
    }
}

/// Features after the second pooling.
fn flat([_, height, width]: [usize; 3]) -> Result<usize> {
    if height.min(width) < LEAST {
        return Err(Error::TooSmall { architecture: LeNet::NAME, least: LEAST, height, width });
    }
    let side = |side: usize| ((side - 4) / 2 - 4) / 2;
    Ok(side(height).saturating_mul(side(width)).saturating_mul(16))
}
