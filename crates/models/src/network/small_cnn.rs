//! The small convolutional network of the certified-defence literature.
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Layer;
use super::count::Count;
use super::layers::Conv;
use super::trace::Trace;
use crate::{Error, Result};

const STRIDED: Conv = Conv { kernel: 4, stride: 2, padding: 1, bias: true };

/// Smallest side of an image.
const LEAST: usize = 8;

/// Two convolutions of stride 2 and two fully connected layers.
///
/// `[N, C, H, W]` → conv 16, 4×4, stride 2, pad 1 → relu → conv 32, 4×4, stride 2, pad 1 → relu →
/// linear 100 → relu → linear K. The last maps are `32 · ⌊H/4⌋ · ⌊W/4⌋`: 1568 on 28×28, 2048 on
/// 32×32, 128 on 8×8. Parameters on 1×28×28 and ten classes: 166 406.
///
/// Wong, Kolter. *Provable Defenses via the Convex Outer Adversarial Polytope.* ICML 2018, §5
/// <https://arxiv.org/abs/1711.00851>; also the network of Wong, Rice, Kolter. *Fast is Better
/// than Free.* ICLR 2020, §5.1 <https://arxiv.org/abs/2001.03994>.
#[derive(Module, Debug)]
pub struct SmallCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl SmallCnn {
    pub(super) const NAME: &'static str = "small_cnn";

    pub(super) fn new(shape: [usize; 3], classes: usize, device: &Device) -> Result<Self> {
        let [channels, ..] = shape;
        Ok(Self {
            conv1: STRIDED.init(channels, 16, device),
            conv2: STRIDED.init(16, 32, device),
            fc1: LinearConfig::new(flat(shape)?, 100).init(device),
            fc2: LinearConfig::new(100, classes).init(device),
        })
    }

    pub(super) fn parameters(shape: [usize; 3], classes: usize) -> Result<Count> {
        let count = Count::zero().conv(shape[0], 16, 4).bias(16).conv(16, 32, 4).bias(32);
        Ok(count.linear(flat(shape)?, 100).linear(100, classes))
    }

    pub(super) fn list(&self) -> Vec<Layer<'_>> {
        vec![
            Layer::Convolution(&self.conv1),
            Layer::Relu,
            Layer::Convolution(&self.conv2),
            Layer::Relu,
            Layer::Flatten,
            Layer::Linear(&self.fc1),
            Layer::Relu,
            Layer::Linear(&self.fc2),
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
        let maps = relu(maps);
        trace.maps("conv1", &maps);
        let maps = relu(self.conv2.forward(maps));
        trace.maps("conv2", &maps);
        let hidden = relu(self.fc1.forward(maps.flatten::<2>(1, 3)));
        trace.flat("fc1", &hidden);
        self.fc2.forward(hidden)
    }
}

/// Features after the second convolution: `⌊(s + 2 − 4) / 2⌋ + 1 = ⌊s / 2⌋` a side, twice.
fn flat([_, height, width]: [usize; 3]) -> Result<usize> {
    if height.min(width) < LEAST {
        return Err(Error::TooSmall { architecture: SmallCnn::NAME, least: LEAST, height, width });
    }
    Ok((height / 4).saturating_mul(width / 4).saturating_mul(32))
}
