//! Matrix products.
use crate::array::{advance, broadcast_strides, checked};
use crate::{Array, Result};

/// `x · weight + bias` along the last axis.
pub(super) fn linear(
    x: &Array,
    weight: &Array,
    bias: Option<&Array>,
    shape: &[usize],
) -> Result<Array> {
    let (inputs, outputs) = (weight.shape()[0], weight.shape()[1]);
    let mut values = Vec::with_capacity(checked(shape)?);
    for row in x.values().chunks_exact(inputs.max(1)) {
        let start = values.len();
        match bias {
            Some(bias) => values.extend_from_slice(bias.values()),
            None => values.resize(start + outputs, 0.0),
        }
        accumulate(row, weight.values(), &mut values[start..]);
    }
    Array::new(shape.to_vec(), values)
}

/// Adds `row · matrix` to `result`.
fn accumulate(row: &[f64], matrix: &[f64], result: &mut [f64]) {
    for (value, line) in row.iter().zip(matrix.chunks_exact(result.len().max(1))) {
        for (sum, weight) in result.iter_mut().zip(line) {
            *sum += value * weight;
        }
    }
}

/// The product over the last two axes, broadcast over the others.
pub(super) fn mat_mul(a: &Array, b: &Array, shape: &[usize]) -> Result<Array> {
    let (&[.., rows, inner], &[.., _, columns]) = (a.shape(), b.shape()) else {
        return Array::full(shape, 0.0);
    };
    let outer = &shape[..shape.len() - 2];
    let left = broadcast_strides(&a.shape()[..a.shape().len() - 2], outer);
    let right = broadcast_strides(&b.shape()[..b.shape().len() - 2], outer);
    let mut values = vec![0.0; checked(shape)?];
    let mut index = vec![0; outer.len()];
    for (batch, result) in values.chunks_exact_mut((rows * columns).max(1)).enumerate() {
        if batch > 0 {
            advance(&mut index, outer);
        }
        let dot = |strides: &[usize]| -> usize {
            index.iter().zip(strides).map(|(index, stride)| index * stride).sum()
        };
        let a = &a.values()[dot(&left) * rows * inner..][..rows * inner];
        let b = &b.values()[dot(&right) * inner * columns..][..inner * columns];
        for (row, result) in
            a.chunks_exact(inner.max(1)).zip(result.chunks_exact_mut(columns.max(1)))
        {
            accumulate(row, b, result);
        }
    }
    Array::new(shape.to_vec(), values)
}
