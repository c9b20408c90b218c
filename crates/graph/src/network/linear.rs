//! Matrix products.
use burn::prelude::*;

use super::{Given, size};

pub(super) fn linear(x: &Given<'_>, weight: &Given<'_>, bias: Option<Given<'_>>) -> Tensor<2> {
    let [inputs, outputs] = [weight.shape[0], weight.shape[1]];
    let count = x.values.dims()[0];
    let rows = size(x.shape) / inputs;
    let matrix = weight.values.clone().reshape([inputs, outputs]);
    let mut result = x.values.clone().reshape([count * rows, inputs]).matmul(matrix);
    if let Some(bias) = bias {
        result = result + bias.values;
    }
    result.reshape([count, rows * outputs])
}

pub(super) fn mat_mul(a: &Given<'_>, b: &Given<'_>, shape: &[usize]) -> Tensor<2> {
    let count = a.values.dims()[0].max(b.values.dims()[0]);
    let outer = &shape[..shape.len() - 2];
    let [left, right] = [a, b].map(|given| matrices(given, outer));
    left.matmul(right).reshape([count, size(shape)])
}

/// `[N, outer, rows, columns]`; 1 in place of `N` or of `outer` where one serves all.
fn matrices(given: &Given<'_>, outer: &[usize]) -> Tensor<4> {
    let (own, last) = given.shape.split_at(given.shape.len() - 2);
    let (count, [rows, columns]) = (given.values.dims()[0], [last[0], last[1]]);
    if size(own) == size(outer) || size(own) == 1 {
        return given.values.clone().reshape([count, size(own), rows, columns]);
    }
    let mut whole = outer.to_vec();
    whole.extend(last);
    super::shapes::expand(given, &whole).reshape([count, size(outer), rows, columns])
}
