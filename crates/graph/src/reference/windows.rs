//! Convolutions and pooling.
use crate::array::{advance, checked, strides};
use crate::op::{Convolution, TransposedConvolution, Window};
use crate::{Array, Result};

/// The place in x that `offset` of the window at `at` reads, along one axis; `None` in the padding.
fn source(window: &Window, axis: usize, at: usize, offset: usize, length: usize) -> Option<usize> {
    let place = at * window.stride[axis] + offset * window.dilation[axis];
    place.checked_sub(window.padding[axis].0).filter(|&place| place < length)
}

/// Calls `f` with the place in a plane and the place in the window, for each that is in the plane.
fn visit(window: &Window, at: &[usize], plane: &[usize], mut f: impl FnMut(usize, usize)) {
    let own = strides(plane);
    let mut offset = vec![0; plane.len()];
    let size: usize = window.kernel.iter().product();
    for place in 0..size {
        if place > 0 {
            advance(&mut offset, &window.kernel);
        }
        let inside: Option<usize> = (0..plane.len())
            .map(|axis| {
                Some(source(window, axis, at[axis], offset[axis], plane[axis])? * own[axis])
            })
            .sum();
        if let Some(inside) = inside {
            f(inside, place);
        }
    }
}

pub(super) fn convolution(
    conv: &Convolution,
    x: &Array,
    weight: &Array,
    bias: Option<&Array>,
    shape: &[usize],
) -> Result<Array> {
    let plane = &x.shape()[1..];
    let pixels: usize = plane.iter().product();
    let size: usize = conv.window.kernel.iter().product();
    let (inputs, outputs) = (weight.shape()[1], shape[0] / conv.groups);
    let mut at = vec![0; shape.len()];
    Array::from_fn(shape, |place| {
        if place > 0 {
            advance(&mut at, shape);
        }
        let out = at[0];
        let first = out / outputs * inputs;
        let mut sum = bias.map_or(0.0, |bias| bias.values()[out]);
        visit(&conv.window, &at[1..], plane, |pixel, tap| {
            for channel in 0..inputs {
                sum += x.values()[(first + channel) * pixels + pixel]
                    * weight.values()[(out * inputs + channel) * size + tap];
            }
        });
        sum
    })
}

pub(super) fn transposed(
    conv: &TransposedConvolution,
    x: &Array,
    weight: &Array,
    bias: Option<&Array>,
    shape: &[usize],
) -> Result<Array> {
    let plane = &shape[1..];
    let pixels: usize = plane.iter().product();
    let size: usize = conv.window.kernel.iter().product();
    let (inputs, outputs) = (x.shape()[0] / conv.groups, weight.shape()[1]);
    let mut values = vec![0.0; checked(shape)?];
    if let Some(bias) = bias {
        for (plane, bias) in values.chunks_exact_mut(pixels.max(1)).zip(bias.values()) {
            plane.fill(*bias);
        }
    }
    let mut at = vec![0; x.shape().len()];
    for (place, &value) in x.values().iter().enumerate() {
        if place > 0 {
            advance(&mut at, x.shape());
        }
        let channel = at[0];
        let first = channel / inputs * outputs;
        visit(&conv.window, &at[1..], plane, |pixel, tap| {
            for out in 0..outputs {
                values[(first + out) * pixels + pixel] +=
                    value * weight.values()[(channel * outputs + out) * size + tap];
            }
        });
    }
    Array::new(shape.to_vec(), values)
}

/// Each window's values that lie in x, and the size of a window, reduced by `f`.
pub(super) fn pool(
    window: &Window,
    x: &Array,
    shape: &[usize],
    f: impl Fn(&[f64], usize) -> f64,
) -> Result<Array> {
    let plane = &x.shape()[1..];
    let pixels: usize = plane.iter().product();
    let size: usize = window.kernel.iter().product();
    let mut at = vec![0; shape.len()];
    let mut values = Vec::with_capacity(size);
    Array::from_fn(shape, |place| {
        if place > 0 {
            advance(&mut at, shape);
        }
        values.clear();
        visit(window, &at[1..], plane, |pixel, _| values.push(x.values()[at[0] * pixels + pixel]));
        f(&values, size)
    })
}
