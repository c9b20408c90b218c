//! Wide residual networks.
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Layer;
use super::count::Count;
use super::layers::{Conv, global_average, norm};
use super::trace::Trace;

/// `conv(relu(norm(conv(a)))) + shortcut`, with `a = relu(norm(x))`.
///
/// The shortcut is `x` where shapes agree, else a 1×1 convolution of `a`, as in the authors' code.
#[derive(Module, Debug)]
pub struct PreActivationBlock {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl PreActivationBlock {
    fn new(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Self {
        let project = inputs != outputs || stride != 1;
        Self {
            norm1: norm(inputs, device),
            conv1: Conv::three(stride).init(inputs, outputs, device),
            norm2: norm(outputs, device),
            conv2: Conv::three(1).init(outputs, outputs, device),
            shortcut: project.then(|| Conv::one(stride).init(inputs, outputs, device)),
        }
    }

    fn parameters(inputs: usize, outputs: usize, stride: usize) -> Count {
        let count = Count::zero().norm(inputs).conv(inputs, outputs, 3);
        let count = count.norm(outputs).conv(outputs, outputs, 3);
        let project = inputs != outputs || stride != 1;
        if project { count.conv(inputs, outputs, 1) } else { count }
    }

    fn list(&self) -> Vec<Layer<'_>> {
        let active = [Layer::BatchNorm(&self.norm1), Layer::Relu];
        let inner = [
            Layer::Convolution(&self.conv1),
            Layer::BatchNorm(&self.norm2),
            Layer::Relu,
            Layer::Convolution(&self.conv2),
        ];
        // With a projection both branches start at the activation.
        if let Some(shortcut) = &self.shortcut {
            let shortcut = vec![Layer::Convolution(shortcut)];
            let sum = Layer::Residual { body: inner.to_vec(), shortcut };
            return active.into_iter().chain([sum]).collect();
        }
        let body = active.into_iter().chain(inner).collect();
        vec![Layer::Residual { body, shortcut: Vec::new() }]
    }

    /// `[N, inputs, H, W] → [N, outputs, H / stride, W / stride]`.
    #[must_use]
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        let active = relu(self.norm1.forward(maps.clone()));
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(active.clone()),
            None => maps,
        };
        let inner = relu(self.norm2.forward(self.conv1.forward(active)));
        self.conv2.forward(inner) + shortcut
    }
}

/// WRN-depth-widen: a 3×3 stem of 16 channels, three stages of `16k`, `32k` and `64k` channels
/// with `n = (depth − 4) / 6` blocks each, batch norm, rectifier, global average pooling, one
/// linear layer. The second and the third stage halve the image, so any size is accepted.
///
/// WRN-28-10 has 36 479 194 parameters on colour images and ten classes (36.5 M in the paper).
///
/// Zagoruyko, Komodakis. *Wide Residual Networks.* BMVC 2016, table 1, without dropout.
/// <https://arxiv.org/abs/1605.07146>
#[derive(Module, Debug)]
pub struct WideResNet {
    conv: Conv2d,
    blocks: Vec<PreActivationBlock>,
    norm: BatchNorm,
    fc: Linear,
}

/// Blocks of a stage; `None` for a depth that is not `6n + 4`, `n ≥ 1`.
pub(super) fn blocks(depth: usize) -> Option<usize> {
    (depth >= 10 && depth % 6 == 4).then(|| (depth - 4) / 6)
}

fn widths(widen: usize) -> [usize; 3] {
    [16, 32, 64].map(|base: usize| base.saturating_mul(widen))
}

impl WideResNet {
    pub(super) fn new(
        (blocks, widen): (usize, usize),
        channels: usize,
        classes: usize,
        device: &Device,
    ) -> Self {
        let mut inputs = 16;
        let mut all = Vec::new();
        for (stage, width) in widths(widen).into_iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                all.push(PreActivationBlock::new(inputs, width, stride, device));
                inputs = width;
            }
        }
        Self {
            conv: Conv::three(1).init(channels, 16, device),
            blocks: all,
            norm: norm(inputs, device),
            fc: LinearConfig::new(inputs, classes).init(device),
        }
    }

    pub(super) fn parameters(
        (blocks, widen): (usize, usize),
        channels: usize,
        classes: usize,
    ) -> Count {
        let mut inputs = 16;
        let mut count = Count::zero().conv(channels, inputs, 3);
        for (stage, width) in widths(widen).into_iter().enumerate() {
            let stride = if stage > 0 { 2 } else { 1 };
            count = count.repeat(1, PreActivationBlock::parameters(inputs, width, stride));
            count = count.repeat(blocks - 1, PreActivationBlock::parameters(width, width, 1));
            inputs = width;
        }
        count.norm(inputs).linear(inputs, classes)
    }

    pub(super) fn list(&self) -> Vec<Layer<'_>> {
        let blocks = self.blocks.iter().flat_map(PreActivationBlock::list);
        let head = [
            Layer::BatchNorm(&self.norm),
            Layer::Relu,
            Layer::GlobalAverage,
            Layer::Linear(&self.fc),
        ];
        [Layer::Convolution(&self.conv)].into_iter().chain(blocks).chain(head).collect()
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
    pub(super) fn rest(&self, stem: Tensor<4>, trace: &mut Trace) -> Tensor<2> {
        let mut maps = stem;
        trace.maps("stem", &maps);
        for (index, block) in self.blocks.iter().enumerate() {
            maps = block.forward(maps);
            trace.maps(format_args!("block{}", index + 1), &maps);
        }
        let pooled = global_average(relu(self.norm.forward(maps)));
        trace.flat("pool", &pooled);
        self.fc.forward(pooled)
    }
}
