//! Reductions and what moves values.
use burn::prelude::*;

use super::{Given, size};
use crate::array::strides;
use crate::op::Reduction;

/// `f` of `[N, before, axis, after]`, back as rows. The axis is number 2.
pub(super) fn along(
    x: &Given<'_>,
    axis: usize,
    f: impl FnOnce(Tensor<4>) -> Tensor<4>,
) -> Tensor<2> {
    let result = f(split(x, axis));
    let [count, before, own, after] = result.dims();
    result.reshape([count, before * own * after])
}

/// `[N, before, axis, after]`.
fn split(x: &Given<'_>, axis: usize) -> Tensor<4> {
    let count = x.values.dims()[0];
    let sides = [count, size(&x.shape[..axis]), x.shape[axis], size(&x.shape[axis + 1..])];
    x.values.clone().reshape(sides)
}

pub(super) fn reduce(by: Reduction, axes: &[usize], x: &Given<'_>) -> Tensor<2> {
    let mut shape = x.shape.to_vec();
    let mut values = x.values.clone();
    // From the last axis, so that those before it keep their place; neighbours at once.
    let mut rest = axes.to_vec();
    while let Some(last) = rest.pop() {
        let mut first = last;
        while rest.last().is_some_and(|&axis| axis + 1 == first) {
            first -= 1;
            rest.pop();
        }
        let merged: usize = shape[first..=last].iter().product();
        let joined = [&shape[..first], &[merged], &shape[last + 1..]].concat();
        values = along(&Given { values, shape: &joined }, first, |x| match by {
            Reduction::Sum => x.sum_dim(2),
            Reduction::Mean => x.mean_dim(2),
            Reduction::Max => x.max_dim(2),
            Reduction::Min => x.min_dim(2),
        });
        shape[first..=last].fill(1);
    }
    values
}

pub(super) fn transpose(x: &Given<'_>, axes: &[usize]) -> Tensor<2> {
    // Axes that stay neighbours move as one.
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for &axis in axes {
        match groups.last_mut() {
            Some((_, end)) if *end == axis => *end += 1,
            _ => groups.push((axis, axis + 1)),
        }
    }
    let mut sorted = groups.clone();
    sorted.sort_unstable();
    let sides: Vec<usize> = sorted.iter().map(|&(from, to)| size(&x.shape[from..to])).collect();
    let order: Vec<usize> =
        groups.iter().filter_map(|group| sorted.iter().position(|own| own == group)).collect();
    match order.len() {
        0 | 1 => x.values.clone(),
        2 | 3 => permute::<4>(x, &sides, &order),
        4 | 5 => permute::<6>(x, &sides, &order),
        _ => permute::<10>(x, &sides, &order),
    }
}

fn permute<const D: usize>(x: &Given<'_>, sides: &[usize], order: &[usize]) -> Tensor<2> {
    let count = x.values.dims()[0];
    let shape: [usize; D] = std::array::from_fn(|axis| match axis {
        0 => count,
        _ => sides.get(axis - 1).copied().unwrap_or(1),
    });
    let axes: [usize; D] = std::array::from_fn(|axis| match axis {
        0 => 0,
        _ => order.get(axis - 1).map_or(axis, |&from| from + 1),
    });
    x.values.clone().reshape(shape).permute(axes).reshape([count, size(x.shape)])
}

pub(super) fn gather(x: &Given<'_>, axis: usize, indices: &[usize]) -> Tensor<2> {
    let device = x.values.device().inner();
    let places: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [indices.len()]), &device);
    along(x, axis, |x| x.select(2, places))
}

pub(super) fn concat(operands: &[Given<'_>], axis: usize) -> Tensor<2> {
    let count = operands.iter().map(|one| one.values.dims()[0]).max().unwrap_or(0);
    let parts: Vec<Tensor<4>> = operands
        .iter()
        .map(|operand| {
            let part = split(operand, axis);
            let [_, before, own, after] = part.dims();
            // A constant stands in each sample.
            part.expand([count, before, own, after])
        })
        .collect();
    let whole = Tensor::cat(parts, 2);
    let [count, before, own, after] = whole.dims();
    whole.reshape([count, before * own * after])
}

pub(super) fn pad(x: &Given<'_>, sides: &[(usize, usize)], value: f64) -> Tensor<2> {
    let mut shape = x.shape.to_vec();
    let mut values = x.values.clone();
    for (axis, &(before, after)) in sides.iter().enumerate() {
        if (before, after) == (0, 0) {
            continue;
        }
        values = along(&Given { values, shape: &shape }, axis, |x| {
            let [count, outer, _, inner] = x.dims();
            let edge =
                |length| Tensor::full([count, outer, length, inner], value, &x.device().inner());
            let mut parts = Vec::with_capacity(3);
            if before > 0 {
                parts.push(edge(before));
            }
            let last = (after > 0).then(|| edge(after));
            parts.push(x);
            parts.extend(last);
            Tensor::cat(parts, 2)
        });
        shape[axis] += before + after;
    }
    values
}

pub(super) fn expand(x: &Given<'_>, shape: &[usize]) -> Tensor<2> {
    let mut own = vec![1; shape.len() - x.shape.len()];
    own.extend(x.shape);
    let mut values = x.values.clone();
    for axis in 0..shape.len() {
        if own[axis] == shape[axis] {
            continue;
        }
        values = along(&Given { values, shape: &own }, axis, |x| {
            let [count, before, _, after] = x.dims();
            x.expand([count, before, shape[axis], after])
        });
        own[axis] = shape[axis];
    }
    debug_assert_eq!(strides(&own), strides(shape));
    values
}
