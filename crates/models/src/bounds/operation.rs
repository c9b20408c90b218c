//! Layers with everything fixed that a pass of the clean batch decides.
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use crate::network::Layer;
use crate::{Normalization, max_pool2d};

/// One step from maps `[N, C, H, W]` to maps. Weights are on the tape of the network.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// `x · scale + shift`, both `[1, C, 1, 1]`.
    Scale { scale: Tensor<4>, shift: Tensor<4> },
    /// `x W + b` of rows, `W` `[F, K]`.
    Linear(Linear),
    /// A convolution.
    Convolution(Convolution),
    /// `max(x, 0)`.
    Relu,
    /// The maximum of square windows side by side.
    MaxPool(usize),
    /// Mean over the pixels.
    GlobalAverage,
    /// The same values as maps of another shape.
    Reshape([usize; 3]),
    /// The sum of two branches.
    Residual { body: Vec<Operation>, shortcut: Vec<Operation> },
}

/// A fully connected layer.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) weight: Tensor<2>,
    pub(super) bias: Option<Tensor<1>>,
}

/// A convolution and the padding it has on the maps that come.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub(super) weight: Tensor<4>,
    pub(super) bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
}

impl Linear {
    /// `x W + b`, `[N, F] → [N, K]`.
    pub(super) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let product = rows.matmul(self.weight.clone());
        match &self.bias {
            Some(bias) => product + bias.clone().unsqueeze_dim(0),
            None => product,
        }
    }
}

impl Convolution {
    fn new(layer: &Conv2d, [_, _, height, width]: [usize; 4]) -> Self {
        let padding = match layer.padding {
            PaddingConfig2d::Valid => [(0, 0); 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
            PaddingConfig2d::Same => [(0, height), (1, width)].map(|(axis, size)| {
                let (kernel, stride) = (layer.kernel_size[axis], layer.stride[axis]);
                let covered = (size.div_ceil(stride).max(1) - 1) * stride + kernel;
                let total = covered.saturating_sub(size);
                (total / 2, total - total / 2)
            }),
        };
        let options =
            ConvOptions::new_with_padding(layer.stride, padding, layer.dilation, layer.groups);
        let bias = layer.bias.as_ref().map(burn::module::Param::val);
        Self { weight: layer.weight.val(), bias, options }
    }

    pub(super) fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        conv2d(maps, self.weight.clone(), self.bias.clone(), self.options.clone())
    }

    /// The convolution by the absolute weights, without a bias: how a radius goes through.
    pub(super) fn spread(&self, radius: Tensor<4>) -> Tensor<4> {
        conv2d(radius, self.weight.clone().abs(), None, self.options.clone())
    }

    /// The transpose: coefficients of results `[M, C', H', W']` as coefficients of the maps
    /// `[M, C, H, W]` they were computed from.
    pub(super) fn transposed(
        &self,
        results: Tensor<4>,
        [_, height, width]: [usize; 3],
    ) -> Tensor<4> {
        let ConvOptions { stride, padding, dilation, groups } = self.options.clone();
        let [_, _, kernel_height, kernel_width] = self.weight.dims();
        let [count, _, out_height, out_width] = results.dims();
        let kernel = [kernel_height, kernel_width];
        let size = [height, width];
        // The whole of what kernels touch; pixels past the last kernel have no coefficient.
        let extra = [0, 1].map(|axis: usize| {
            let steps = [out_height, out_width][axis] - 1;
            let touched = steps * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
            (padding[axis].0 + size[axis]).saturating_sub(touched)
        });
        let options = ConvTransposeOptions::new(stride, [0, 0], extra, dilation, groups);
        let all = conv_transpose2d(results, self.weight.clone(), None, options);
        let channels = all.dims()[1];
        let [top, left] = padding.map(|(before, _)| before);
        all.slice([0..count, 0..channels, top..top + height, left..left + width])
    }
}

/// The operations of `layers` for the maps `maps`, and what the maps become.
///
/// On the tape, batch norms take their statistics from these maps, once, and move their running
/// statistics as the layer itself does; off the tape they take the running ones.
pub(super) fn trace(layers: &[Layer<'_>], maps: Tensor<4>) -> (Vec<Operation>, Tensor<4>) {
    let mut operations = Vec::with_capacity(layers.len());
    let mut maps = maps;
    for layer in layers {
        let operation = match layer {
            Layer::Normalization(normalization) => standardisation(normalization, &maps),
            Layer::Image(shape) => Operation::Reshape(*shape),
            Layer::Flatten => {
                let [_, channels, height, width] = maps.dims();
                Operation::Reshape([channels * height * width, 1, 1])
            }
            Layer::Linear(layer) => {
                let bias = layer.bias.as_ref().map(burn::module::Param::val);
                Operation::Linear(Linear { weight: layer.weight.val(), bias })
            }
            Layer::Convolution(layer) => {
                Operation::Convolution(Convolution::new(layer, maps.dims()))
            }
            Layer::BatchNorm(layer) => fixed(layer, &maps),
            Layer::Relu => Operation::Relu,
            Layer::MaxPool(side) => Operation::MaxPool(*side),
            Layer::GlobalAverage => Operation::GlobalAverage,
            Layer::Residual { body, shortcut } => {
                let (body, inner) = trace(body, maps.clone());
                let (shortcut, other) = trace(shortcut, maps);
                maps = inner + other;
                operations.push(Operation::Residual { body, shortcut });
                continue;
            }
        };
        maps = operation.forward(maps);
        operations.push(operation);
    }
    (operations, maps)
}

/// Maps after all of `operations`.
pub(super) fn run(operations: &[Operation], maps: Tensor<4>) -> Tensor<4> {
    operations.iter().fold(maps, |maps, operation| operation.forward(maps))
}

impl Operation {
    fn forward(&self, maps: Tensor<4>) -> Tensor<4> {
        match self {
            Operation::Scale { scale, shift } => maps * scale.clone() + shift.clone(),
            Operation::Linear(layer) => as_maps(layer.forward(as_rows(maps))),
            Operation::Convolution(layer) => layer.forward(maps),
            Operation::Relu => relu(maps),
            Operation::MaxPool(side) => max_pool2d(maps, [*side; 2], [*side; 2]),
            Operation::GlobalAverage => average(maps),
            Operation::Reshape(shape) => reshaped(maps, *shape),
            Operation::Residual { body, shortcut } => run(body, maps.clone()) + run(shortcut, maps),
        }
    }
}

/// `[N, C, H, W] → [N, C · H · W]`.
pub(super) fn as_rows(maps: Tensor<4>) -> Tensor<2> {
    maps.flatten(1, 3)
}

/// `[N, F] → [N, F, 1, 1]`.
pub(super) fn as_maps(rows: Tensor<2>) -> Tensor<4> {
    let [count, features] = rows.dims();
    rows.reshape([count, features, 1, 1])
}

/// `[N, ..] → [N, C, H, W]`.
pub(super) fn reshaped(maps: Tensor<4>, [channels, height, width]: [usize; 3]) -> Tensor<4> {
    let count = maps.dims()[0];
    maps.reshape([count, channels, height, width])
}

/// Mean over the pixels, `[N, C, H, W] → [N, C, 1, 1]`.
pub(super) fn average(maps: Tensor<4>) -> Tensor<4> {
    let [count, channels, height, width] = maps.dims();
    let means = maps.reshape([count, channels, height * width]).mean_dim(2);
    means.reshape([count, channels, 1, 1])
}

/// `(x − mean) / std` of rows as a scale and a shift a feature.
fn standardisation(normalization: &Normalization, maps: &Tensor<4>) -> Operation {
    let [_, features, ..] = maps.dims();
    let device = maps.device().inner();
    let group = features / normalization.mean().len().max(1);
    let pairs = || normalization.mean().iter().zip(normalization.std());
    let column = |value: &dyn Fn(f32, f32) -> f32| {
        let values: Vec<f32> =
            pairs().flat_map(|(&mean, &std)| vec![value(mean, std); group]).collect();
        Tensor::from_data(TensorData::new(values, [1, features, 1, 1]), &device)
    };
    Operation::Scale { scale: column(&|_, std| 1.0 / std), shift: column(&|mean, std| -mean / std) }
}

/// A batch norm with the statistics of the maps that come, or with the running ones.
fn fixed(layer: &BatchNorm, maps: &Tensor<4>) -> Operation {
    let device = maps.device();
    let channels = maps.dims()[1];
    let column = |values: Tensor<1>| values.reshape([1, channels, 1, 1]);
    let (mean, variance) = if device.is_autodiff() && layer.training.is_enabled() {
        let by_channel = |maps: Tensor<4>| maps.swap_dims(0, 1).flatten::<2>(1, 3).mean_dim(1);
        let mean = by_channel(maps.clone()).reshape([1, channels, 1, 1]);
        let variance = by_channel((maps.clone() - mean.clone()).square()).reshape([channels]);
        let mean = mean.reshape([channels]);
        for (running, value) in [(&layer.running_mean, &mean), (&layer.running_var, &variance)] {
            let old = running.value_sync().to_device(&device);
            let moved = old * (1.0 - layer.momentum) + value.clone().detach() * layer.momentum;
            running.update(moved.detach());
        }
        (mean, variance)
    } else {
        let state = |running: Tensor<1>| running.to_device(&device);
        (state(layer.running_mean.value()), state(layer.running_var.value()))
    };
    let scale = layer.gamma.val() / (variance + layer.epsilon).sqrt();
    let shift = layer.beta.val() - mean * scale.clone();
    Operation::Scale { scale: column(scale), shift: column(shift) }
}
