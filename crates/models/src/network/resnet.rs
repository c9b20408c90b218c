//! Residual networks in their CIFAR shape.
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Layer;
use super::count::Count;
use super::layers::{Conv, global_average, norm};
use super::trace::Trace;

/// `relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))`.
///
/// The shortcut is the identity where shapes agree, else a 1×1 convolution with batch norm
/// (option B of the paper, in all depths).
#[derive(Module, Debug)]
pub struct BasicBlock {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    shortcut: Option<Shortcut>,
}

/// A projection of the shortcut.
#[derive(Module, Debug)]
struct Shortcut {
    conv: Conv2d,
    norm: BatchNorm,
}

impl BasicBlock {
    fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let project = inputs != outputs || stride != 1;
        Self {
            conv1: Conv::three(stride).init(inputs, outputs, device),
            norm1: norm(outputs, device),
            conv2: Conv::three(1).init(outputs, outputs, device),
            norm2: norm(outputs, device),
            shortcut: project.then(|| Shortcut {
                conv: Conv::one(stride).init(inputs, outputs, device),
                norm: norm(outputs, device),
            }),
        }
    }

    fn parameters(inputs: usize, outputs: usize, stride: usize) -> Count {
        let count = Count::zero().conv(inputs, outputs, 3).norm(outputs);
        let count = count.conv(outputs, outputs, 3).norm(outputs);
        let project = inputs != outputs || stride != 1;
        if project { count.conv(inputs, outputs, 1).norm(outputs) } else { count }
    }

    fn list(&self) -> [Layer<'_>; 2] {
        let body = vec![
            Layer::Convolution(&self.conv1),
            Layer::BatchNorm(&self.norm1),
            Layer::Relu,
            Layer::Convolution(&self.conv2),
            Layer::BatchNorm(&self.norm2),
        ];
        let shortcut = match &self.shortcut {
            Some(Shortcut { conv, norm }) => {
                vec![Layer::Convolution(conv), Layer::BatchNorm(norm)]
            }
            None => Vec::new(),
        };
        [Layer::Residual { body, shortcut }, Layer::Relu]
    }

    /// `[N, inputs, H, W] → [N, outputs, H / stride, W / stride]`.
    #[must_use]
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let inner = relu(self.norm1.forward(self.conv1.forward(maps.clone())));
        let inner = self.norm2.forward(self.conv2.forward(inner));
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.norm.forward(shortcut.conv.forward(maps)),
            None => maps,
        };
        relu(inner + shortcut)
    }
}

/// Residual network for small images: a 3×3 stem, stages of [`BasicBlock`]s, global average
/// pooling, one linear layer.
///
/// Depth 18: stages of 64, 128, 256 and 512 channels, two blocks each (11 173 962 parameters on
/// colour images and ten classes). Depth `6n + 2` (8, 20, 32, …): stages of 16, 32 and 64
/// channels, `n` blocks each. Each stage but the first halves the image, so any size is accepted.
///
/// He, Zhang, Ren, Sun. *Deep Residual Learning for Image Recognition.* CVPR 2016, §4.1 (depth
/// 18) and §4.2 (depth `6n + 2`). <https://arxiv.org/abs/1512.03385>
#[derive(Module, Debug)]
pub struct ResNet {
    conv: Conv2d,
    norm: BatchNorm,
    blocks: Vec<BasicBlock>,
    fc: Linear,
}

/// Channels of the stages and blocks in each; `None` for a depth that is not defined.
pub(super) fn stages(depth: usize) -> Option<(&'static [usize], usize)> {
    match depth {
        18 => Some((&[64, 128, 256, 512], 2)),
        _ if depth >= 8 && depth % 6 == 2 => Some((&[16, 32, 64], (depth - 2) / 6)),
        _ => None,
    }
}

impl ResNet {
    pub(super) fn new(
        (widths, blocks): (&[usize], usize),
        channels: usize,
        classes: usize,
        device: &Device,
    ) -> Self {
        let mut inputs = widths[0];
        let mut all = Vec::new();
        for (stage, &width) in widths.iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                all.push(BasicBlock::new(inputs, width, stride, device));
                inputs = width;
            }
        }
        Self {
            conv: Conv::three(1).init(channels, widths[0], device),
            norm: norm(widths[0], device),
            blocks: all,
            fc: LinearConfig::new(inputs, classes).init(device),
        }
    }

    pub(super) fn parameters(
        (widths, blocks): (&[usize], usize),
        channels: usize,
        classes: usize,
    ) -> Count {
        let mut inputs = widths[0];
        let mut count = Count::zero().conv(channels, inputs, 3).norm(inputs);
        for (stage, &width) in widths.iter().enumerate() {
            let stride = if stage > 0 { 2 } else { 1 };
            count = count.repeat(1, BasicBlock::parameters(inputs, width, stride));
            count = count.repeat(blocks - 1, BasicBlock::parameters(width, width, 1));
            inputs = width;
        }
        count.linear(inputs, classes)
    }

    pub(super) fn list(&self) -> Vec<Layer<'_>> {
        let stem = [Layer::Convolution(&self.conv), Layer::BatchNorm(&self.norm), Layer::Relu];
        let blocks = self.blocks.iter().flat_map(BasicBlock::list);
        let head = [Layer::GlobalAverage, Layer::Linear(&self.fc)];
        stem.into_iter().chain(blocks).chain(head).collect()
    }

    /// Logits, `[N, C, H, W] → [N, K]`.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.rest(self.first(images), &mut Trace::off())
    }

    /// The first convolution alone.
    pub(super) fn first(&self, images: Tensor<4>) -> Tensor<4> {
        self.conv.forward(images)
    }

    /// What follows the first convolution.
    pub(super) fn rest(&self, maps: Tensor<4>, trace: &mut Trace) -> Tensor<2> {
        let mut maps = relu(self.norm.forward(maps));
        trace.maps("stem", &maps);
        for (index, block) in self.blocks.iter().enumerate() {
            maps = block.forward(maps);
            trace.maps(format_args!("block{}", index + 1), &maps);
        }
        let pooled = global_average(maps);
        trace.flat("pool", &pooled);
        self.fc.forward(pooled)
    }
}
