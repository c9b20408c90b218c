//! Layers that several networks share.
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::prelude::*;

/// A square convolution; `padding` zeros on each side.
pub(super) struct Conv {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) bias: bool,
}

impl Conv {
    /// 3 × 3 without bias, size kept at stride 1: the convolution of residual networks.
    pub(super) const fn three(stride: usize) -> Self {
        Self { kernel: 3, stride, padding: 1, bias: false }
    }

    /// 1 × 1 without bias: the projection of residual networks.
    pub(super) const fn one(stride: usize) -> Self {
        Self { kernel: 1, stride, padding: 0, bias: false }
    }

    pub(super) fn init(&self, inputs: usize, outputs: usize, device: &Device) -> Conv2d {
        let pad = self.padding;
        Conv2dConfig::new([inputs, outputs], [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(self.bias)
            .init(device)
    }
}

/// Batch norm with ε = 10⁻⁵; the running statistics move by 0.1 a step.
///
/// Ioffe, Szegedy. *Batch Normalization.* ICML 2015, Alg. 1 and 2.
pub(super) fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device)
}

/// Mean over the pixels, `[N, C, H, W] → [N, C]`.
pub(super) fn global_average(maps: Tensor<4>) -> Tensor<2> {
    let [count, channels, height, width] = maps.dims();
    maps.reshape([count, channels, height * width]).mean_dim(2).squeeze_dim(2)
}
