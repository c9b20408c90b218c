//! Functions of values and of pairs of values.
use burn::prelude::*;
use burn::tensor::activation;

use super::{Given, size};
use crate::op::{Binary, Unary};

pub(super) fn unary(function: Unary, x: Tensor<2>) -> Tensor<2> {
    match function {
        Unary::Relu => activation::relu(x),
        Unary::Elu { alpha } => activation::elu(x, alpha),
        Unary::Selu { alpha, gamma } => activation::elu(x, alpha) * gamma,
        Unary::Sigmoid => activation::sigmoid(x),
        Unary::Tanh => x.tanh(),
        Unary::Gelu => activation::gelu(x),
        Unary::GeluTanh => activation::gelu_approximate(x),
        Unary::Silu => activation::silu(x),
        Unary::Erf => x.erf(),
        Unary::HardSigmoid { alpha, beta } => activation::hard_sigmoid(x, alpha, beta),
        Unary::HardSwish => activation::hard_swish(x),
        Unary::Softplus => activation::softplus(x, 1.0),
        Unary::Softsign => activation::softsign(x),
        Unary::Mish => activation::mish(x),
        Unary::Exp => x.exp(),
        Unary::Log => x.log(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Neg => -x,
        Unary::Reciprocal => x.recip(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round(),
        Unary::Sign => x.sign(),
    }
}

/// `exponent` is the second operand where that is one number.
pub(super) fn binary(
    function: Binary,
    x: &Given<'_>,
    y: &Given<'_>,
    exponent: Option<f64>,
    shape: &[usize],
) -> Tensor<2> {
    match (function, exponent) {
        (Binary::Pow, Some(exponent)) => power(x.values.clone(), exponent),
        _ => pairwise(function, x, y, shape),
    }
}

fn pair<const D: usize>(function: Binary, x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    match function {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Pow => x.powf(y),
        Binary::Max => x.max_pair(y),
        Binary::Min => x.min_pair(y),
    }
}

/// Small powers without a power function, which need not take negative numbers.
fn power(x: Tensor<2>, exponent: f64) -> Tensor<2> {
    match exponent {
        0.5 => x.sqrt(),
        1.0 => x,
        2.0 => x.clone() * x,
        3.0 => x.clone() * x.clone() * x,
        _ => x.powf_scalar(exponent),
    }
}

pub(super) fn parametric_relu(x: &Given<'_>, slope: &Given<'_>) -> Tensor<2> {
    let negative = Given { values: x.values.clone().clamp_max(0.0), shape: x.shape };
    activation::relu(x.values.clone()) + pairwise(Binary::Mul, &negative, slope, x.shape)
}

pub(super) fn clip(x: Tensor<2>, low: f64, high: f64) -> Tensor<2> {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => x.clamp(low, high),
        (true, false) => x.clamp_min(low),
        (false, true) => x.clamp_max(high),
        (false, false) => x,
    }
}

pub(super) fn fake_quantize(
    x: &Given<'_>,
    scale: &Given<'_>,
    zero: &Given<'_>,
    [low, high]: [f64; 2],
) -> Tensor<2> {
    let shape = x.shape;
    let with = |function: Binary, values: Tensor<2>, other: &Given<'_>| {
        pairwise(function, &Given { values, shape }, other, shape)
    };
    let scaled = with(Binary::Div, x.values.clone(), scale);
    let in_range =
        |steps: Tensor<2>| with(Binary::Sub, with(Binary::Add, steps, zero).clamp(low, high), zero);
    let (limited, steps) = (in_range(scaled.clone()), in_range(scaled.round()));
    // Forward the steps, backward the limits.
    let straight = limited.clone() + (steps - limited).detach();
    with(Binary::Mul, straight, scale)
}

/// `function` of the two, broadcast.
fn pairwise(function: Binary, x: &Given<'_>, y: &Given<'_>, shape: &[usize]) -> Tensor<2> {
    let (a, b) = align(x, y, shape);
    match a.len() {
        0..=2 => in_rank::<2>(function, (x, &a), (y, &b), shape),
        3 => in_rank::<3>(function, (x, &a), (y, &b), shape),
        4 => in_rank::<4>(function, (x, &a), (y, &b), shape),
        5..=6 => in_rank::<6>(function, (x, &a), (y, &b), shape),
        _ => in_rank::<10>(function, (x, &a), (y, &b), shape),
    }
}

fn in_rank<const D: usize>(
    function: Binary,
    (x, a): (&Given<'_>, &[usize]),
    (y, b): (&Given<'_>, &[usize]),
    shape: &[usize],
) -> Tensor<2> {
    let sides = |own: &[usize]| -> [usize; D] {
        std::array::from_fn(|axis| own.get(axis).copied().unwrap_or(1))
    };
    let result =
        pair::<D>(function, x.values.clone().reshape(sides(a)), y.values.clone().reshape(sides(b)));
    let count = result.dims()[0];
    result.reshape([count, size(shape)])
}

/// How the operands of a broadcast are reshaped, batch first: neighbouring axes along which the
/// same operand repeats become one.
fn align(x: &Given<'_>, y: &Given<'_>, shape: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let side = |own: &[usize], axis: usize| {
        (axis + own.len()).checked_sub(shape.len()).map_or(1, |axis| own[axis])
    };
    let mut a = vec![x.values.dims()[0]];
    let mut b = vec![y.values.dims()[0]];
    let mut before = None;
    for axis in 0..shape.len() {
        let (left, right) = (side(x.shape, axis), side(y.shape, axis));
        if left == 1 && right == 1 {
            continue;
        }
        let pattern = left.cmp(&right);
        if before == Some(pattern) {
            let last = a.len() - 1;
            a[last] *= left;
            b[last] *= right;
        } else {
            a.push(left);
            b.push(right);
        }
        before = Some(pattern);
    }
    (a, b)
}
