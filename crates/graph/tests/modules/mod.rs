//! Small modules of burn's layers.
#![allow(dead_code, reason = "each test uses some of them")]
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, AvgPool2d, AvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::{gelu, relu, softmax};
use duress_core::{Bound, Domain, Layout};

pub(crate) fn table(features: usize) -> Domain {
    let layout = Layout::Table { features };
    Domain::new(
        layout,
        Bound::PerFeature(vec![-1.0; features]),
        Bound::PerFeature(vec![1.0; features]),
    )
    .unwrap()
}

pub(crate) fn images(channels: usize, height: usize, width: usize) -> Domain {
    Domain::image(channels, height, width).unwrap()
}

pub(crate) fn waveforms(channels: usize, samples: usize) -> Domain {
    Domain::waveform(channels, samples).unwrap()
}

/// The module with other numbers in all its tensors, those of running statistics included: around
/// 0 in matrices and kernels, around 1 in vectors.
pub(crate) fn drawn<M: Module>(module: M) -> M {
    module.map(&mut Drawn { at: 1 })
}

struct Drawn {
    at: usize,
}

impl ModuleMapper for Drawn {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                self.at += 1;
                let value = (self.at as f32 * 0.754_877).fract();
                if D == 1 { 0.5 + value } else { value - 0.5 }
            })
            .collect();
        let tensor = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[derive(Module, Debug)]
pub(crate) struct Mlp {
    first: Linear,
    second: Linear,
}

impl Mlp {
    pub(crate) fn new(inputs: usize, hidden: usize, outputs: usize, device: &Device) -> Self {
        Self {
            first: LinearConfig::new(inputs, hidden).init(device),
            second: LinearConfig::new(hidden, outputs).init(device),
        }
    }

    pub(crate) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.second.forward(relu(self.first.forward(rows)))
    }
}

fn conv(inputs: usize, outputs: usize, bias: bool, device: &Device) -> Conv2d {
    Conv2dConfig::new([inputs, outputs], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(bias)
        .init(device)
}

/// Pictures of 2 × 9 × 8.
#[derive(Module, Debug)]
pub(crate) struct Cnn {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    last: Linear,
}

impl Cnn {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            conv1: conv(2, 4, true, device),
            norm1: BatchNormConfig::new(4).init(device),
            conv2: conv(4, 3, false, device),
            norm2: BatchNormConfig::new(3).init(device),
            last: LinearConfig::new(3 * 4 * 4, 5).init(device),
        }
    }

    pub(crate) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = relu(self.norm1.forward(self.conv1.forward(images)));
        let maps = duress_graph::max_pool2d(maps, [2, 2], [2, 2]);
        let maps = relu(self.norm2.forward(self.conv2.forward(maps)));
        self.last.forward(maps.flatten(1, 3))
    }
}

/// Pictures of 3 × 6 × 6.
#[derive(Module, Debug)]
pub(crate) struct Residual {
    stem: Conv2d,
    inner: Conv2d,
    norm: BatchNorm,
    outer: Conv2d,
    pool: AvgPool2d,
    all: AdaptiveAvgPool2d,
    last: Linear,
}

impl Residual {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            stem: conv(3, 4, true, device),
            inner: conv(4, 4, false, device),
            norm: BatchNormConfig::new(4).init(device),
            outer: conv(4, 4, true, device),
            pool: AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            all: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            last: LinearConfig::new(4, 3).init(device),
        }
    }

    pub(crate) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let stem = self.stem.forward(images);
        let inner = relu(self.norm.forward(self.inner.forward(stem.clone())));
        let maps = relu(self.outer.forward(inner) + stem);
        self.last.forward(self.all.forward(self.pool.forward(maps)).flatten(1, 3))
    }
}

/// Rows of 6.
#[derive(Module, Debug)]
pub(crate) struct GeluMlp {
    first: Linear,
    second: Linear,
}

impl GeluMlp {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(6, 7).init(device),
            second: LinearConfig::new(7, 4).init(device),
        }
    }

    pub(crate) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        softmax(self.second.forward(gelu(self.first.forward(rows))), 1)
    }
}
