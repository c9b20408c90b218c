//! Convolutions and pooling over one or two spatial axes.
use burn::prelude::*;
use burn::tensor::module;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};

use super::{Given, max_pool2d, size};
use crate::op::{Convolution, TransposedConvolution, Window};

/// `[N, C, H, W]`; a single spatial axis is the width of one line.
fn planes(x: &Given<'_>) -> Tensor<4> {
    let [height, width] = two(&x.shape[1..], 1);
    let count = x.values.dims()[0];
    x.values.clone().reshape([count, x.shape[0], height, width])
}

/// One or two values a spatial axis as two; `missing` for the line that a single axis lacks.
fn two<T: Copy>(values: &[T], missing: T) -> [T; 2] {
    match values {
        [width] => [missing, *width],
        _ => [values[0], values[1]],
    }
}

fn rows(x: Tensor<4>) -> Tensor<2> {
    let [count, channels, height, width] = x.dims();
    x.reshape([count, channels * height * width])
}

/// The weight with its two spatial axes.
fn kernels(weight: &Given<'_>) -> Tensor<4> {
    let [height, width] = two(&weight.shape[2..], 1);
    weight.values.clone().reshape([weight.shape[0], weight.shape[1], height, width])
}

fn flat(bias: Option<Given<'_>>) -> Option<Tensor<1>> {
    bias.map(|bias| bias.values.reshape([size(bias.shape)]))
}

pub(super) fn convolution(
    conv: &Convolution,
    x: &Given<'_>,
    weight: &Given<'_>,
    bias: Option<Given<'_>>,
) -> Tensor<2> {
    let window = &conv.window;
    let options = ConvOptions {
        stride: two(&window.stride, 1),
        padding: two(&window.padding, (0, 0)),
        dilation: two(&window.dilation, 1),
        groups: conv.groups,
    };
    rows(module::conv2d(planes(x), kernels(weight), flat(bias), options))
}

pub(super) fn transposed(
    conv: &TransposedConvolution,
    x: &Given<'_>,
    weight: &Given<'_>,
    bias: Option<Given<'_>>,
) -> Tensor<2> {
    let window = &conv.window;
    // What is cut before; what is cut after beyond that is cut from the result.
    let cut: Vec<usize> = window.padding.iter().map(|&(before, after)| before.min(after)).collect();
    let options = ConvTransposeOptions {
        stride: two(&window.stride, 1),
        padding: two(&cut, 0),
        padding_out: two(&conv.output_padding, 0),
        dilation: two(&window.dilation, 1),
        groups: conv.groups,
    };
    let mut whole = module::conv_transpose2d(planes(x), kernels(weight), flat(bias), options);
    for (axis, (before, after)) in two(&window.padding, (0, 0)).into_iter().enumerate() {
        let both = before.min(after);
        let length = whole.dims()[axis + 2] + 2 * both - before - after;
        whole = whole.narrow(axis + 2, before - both, length);
    }
    rows(whole)
}

pub(super) fn max_pool(window: &Window, x: &Given<'_>) -> Tensor<2> {
    let (kernel, stride) = (two(&window.kernel, 1), two(&window.stride, 1));
    let (padding, dilation) = (two(&window.padding, (0, 0)), two(&window.dilation, 1));
    if padding == [(0, 0); 2] && dilation == [1, 1] {
        return rows(max_pool2d(planes(x), kernel, stride));
    }
    let options =
        MaxPoolOptions { kernel_size: kernel, stride, padding, dilation, ceil_mode: false };
    rows(module::max_pool2d(planes(x), options))
}

pub(super) fn average_pool(window: &Window, x: &Given<'_>) -> Tensor<2> {
    let options = AvgPoolOptions {
        kernel_size: two(&window.kernel, 1),
        stride: two(&window.stride, 1),
        padding: two(&window.padding, (0, 0)),
        count_include_pad: true,
        ceil_mode: false,
    };
    rows(module::avg_pool2d(planes(x), options))
}
