//! The operations in f64, one value after the other: slow, and plain enough to be believed.
//!
//! It folds constants, and it is what the executors are compared with.
mod linear;
mod unary;
mod windows;

use crate::array::{advance, broadcast_strides, strides};
use crate::op::{Binary, Reduction};
use crate::{Array, Graph, Op, Operand, Result};

pub use unary::value as unary;

impl Graph {
    /// The result of one sample, in f64.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the sample has another number of values than the input.
    pub fn evaluate(&self, sample: &[f64]) -> Result<Array> {
        let mut results = self.evaluate_all(sample)?;
        Ok(results.swap_remove(self.output()))
    }

    /// The result of each node for one sample, in f64.
    ///
    /// # Errors
    /// As [`Graph::evaluate`].
    pub fn evaluate_all(&self, sample: &[f64]) -> Result<Vec<Array>> {
        let mut results = vec![Array::new(self.input_shape().to_vec(), sample.to_vec())?];
        for node in &self.nodes()[1..] {
            let operands: Vec<&Array> = node
                .operands
                .iter()
                .map(|operand| match *operand {
                    Operand::Node(node) => &results[node],
                    Operand::Constant(constant) => &self.constants()[constant],
                })
                .collect();
            let result = apply(&node.op, &operands, &node.shape)?;
            results.push(result);
        }
        Ok(results)
    }
}

/// What `op` makes of `operands`; `shape` is that of the result.
///
/// # Errors
/// [`crate::Error::TooLarge`] for a result that is not to be held.
pub(crate) fn apply(op: &Op, operands: &[&Array], shape: &[usize]) -> Result<Array> {
    let x = operands[0];
    match op {
        Op::Input => Ok(x.clone()),
        Op::Unary(function) => Ok(x.clone().map(|value| unary(*function, value))),
        Op::Binary(function) => binary(|x, y| pair(*function, x, y), x, operands[1], shape),
        Op::ParametricRelu => {
            binary(|x, slope| if x > 0.0 { x } else { slope * x }, x, operands[1], shape)
        }
        Op::Clip { low, high } => Ok(x.clone().map(|value| value.max(*low).min(*high))),
        Op::FakeQuantize { low, high } => {
            let zero = binary(|_, zero| zero, x, operands[2], shape)?;
            let scaled = binary(|x, scale| x / scale, x, operands[1], shape)?;
            let steps = binary(
                |scaled, zero| (scaled.round_ties_even() + zero).max(*low).min(*high) - zero,
                &scaled,
                &zero,
                shape,
            )?;
            binary(|steps, scale| steps * scale, &steps, operands[1], shape)
        }
        Op::Linear => linear::linear(x, operands[1], operands.get(2).copied(), shape),
        Op::MatMul => linear::mat_mul(x, operands[1], shape),
        Op::Convolution(conv) => {
            windows::convolution(conv, x, operands[1], operands.get(2).copied(), shape)
        }
        Op::TransposedConvolution(conv) => {
            windows::transposed(conv, x, operands[1], operands.get(2).copied(), shape)
        }
        Op::MaxPool(window) => windows::pool(window, x, shape, |values, _| {
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        }),
        Op::AveragePool(window) => {
            windows::pool(window, x, shape, |values, size| values.iter().sum::<f64>() / size as f64)
        }
        Op::Reduce { by, axes } => reduce(*by, axes, x, shape),
        Op::Softmax { axis } => {
            softmax(x, *axis, |value, most, total| (value - most).exp() / total)
        }
        Op::LogSoftmax { axis } => {
            softmax(x, *axis, |value, most, total| value - most - total.ln())
        }
        Op::Reshape => x.clone().reshape(shape),
        Op::Transpose { axes } => {
            let own = strides(x.shape());
            x.gather(shape, |at| at.iter().zip(axes).map(|(&at, &axis)| at * own[axis]).sum())
        }
        Op::Slice { axis, start, .. } => {
            let own = strides(x.shape());
            x.gather(shape, |at| dot(at, &own) + start * own[*axis])
        }
        Op::Gather { axis, indices } => {
            let own = strides(x.shape());
            x.gather(shape, |at| {
                dot(at, &own) - at[*axis] * own[*axis] + indices[at[*axis]] * own[*axis]
            })
        }
        Op::Expand => {
            let own = broadcast_strides(x.shape(), shape);
            x.gather(shape, |at| dot(at, &own))
        }
        Op::Concat { axis } => concat(operands, *axis, shape),
        Op::Pad { sides, value } => pad(x, sides, *value, shape),
    }
}

fn dot(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(index, stride)| index * stride).sum()
}

fn pair(function: Binary, x: f64, y: f64) -> f64 {
    match function {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Pow => x.powf(y),
        Binary::Max => x.max(y),
        Binary::Min => x.min(y),
    }
}

fn binary(f: impl Fn(f64, f64) -> f64, a: &Array, b: &Array, shape: &[usize]) -> Result<Array> {
    let (left, right) = (broadcast_strides(a.shape(), shape), broadcast_strides(b.shape(), shape));
    let mut index = vec![0; shape.len()];
    Array::from_fn(shape, |place| {
        if place > 0 {
            advance(&mut index, shape);
        }
        f(a.values()[dot(&index, &left)], b.values()[dot(&index, &right)])
    })
}

fn reduce(by: Reduction, axes: &[usize], x: &Array, shape: &[usize]) -> Result<Array> {
    let (start, f): (f64, fn(f64, f64) -> f64) = match by {
        Reduction::Sum | Reduction::Mean => (0.0, |a, b| a + b),
        Reduction::Max => (f64::NEG_INFINITY, f64::max),
        Reduction::Min => (f64::INFINITY, f64::min),
    };
    let mut values = vec![start; crate::array::checked(shape)?];
    let own = broadcast_strides(shape, x.shape());
    let mut index = vec![0; x.shape().len()];
    for (place, &value) in x.values().iter().enumerate() {
        if place > 0 {
            advance(&mut index, x.shape());
        }
        let target = &mut values[dot(&index, &own)];
        *target = f(*target, value);
    }
    let count: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    let result = Array::new(shape.to_vec(), values)?;
    Ok(if by == Reduction::Mean { result.map(|sum| sum / count as f64) } else { result })
}

fn softmax(x: &Array, axis: usize, f: impl Fn(f64, f64, f64) -> f64) -> Result<Array> {
    let mut kept = x.shape().to_vec();
    kept[axis] = 1;
    let most = reduce(Reduction::Max, &[axis], x, &kept)?;
    let powers = binary(|value, most| (value - most).exp(), x, &most, x.shape())?;
    let total = reduce(Reduction::Sum, &[axis], &powers, &kept)?;
    let own = broadcast_strides(&kept, x.shape());
    let mut index = vec![0; x.shape().len()];
    Array::from_fn(x.shape(), |place| {
        if place > 0 {
            advance(&mut index, x.shape());
        }
        let group = dot(&index, &own);
        f(x.values()[place], most.values()[group], total.values()[group])
    })
}

fn concat(operands: &[&Array], axis: usize, shape: &[usize]) -> Result<Array> {
    let outer: usize = shape[..axis].iter().product();
    let mut values = Vec::with_capacity(crate::array::checked(shape)?);
    for row in 0..outer {
        for operand in operands {
            let length = operand.len() / outer.max(1);
            values.extend_from_slice(&operand.values()[row * length..][..length]);
        }
    }
    Array::new(shape.to_vec(), values)
}

fn pad(x: &Array, sides: &[(usize, usize)], value: f64, shape: &[usize]) -> Result<Array> {
    let own = strides(x.shape());
    let mut index = vec![0; shape.len()];
    Array::from_fn(shape, |place| {
        if place > 0 {
            advance(&mut index, shape);
        }
        let mut source = 0;
        for axis in 0..shape.len() {
            match index[axis].checked_sub(sides[axis].0) {
                Some(at) if at < x.shape()[axis] => source += at * own[axis],
                _ => return value,
            }
        }
        x.values()[source]
    })
}
