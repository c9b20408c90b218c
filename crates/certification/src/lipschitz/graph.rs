//! The bound of a whole graph.
use std::collections::BTreeMap;

use duress_graph::{Array, Binary, Graph, Node, Op, Operand, Reduction, Unsupported, Window};

use super::gram::{Kernel, frobenius};
use super::patterns::{residual, sorted_pairs};
use super::slopes::largest_slope;
use crate::bounds::{Error, Result};

/// Upper bounds of how much a network stretches Euclidean distances of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct LipschitzBound {
    /// Of each node, in the order of the graph, counted from the input.
    pub nodes: Vec<f64>,
    /// Of all logits together.
    pub logits: f64,
    /// Of `logit[a] − logit[b]` for all pairs, row-major `[K, K]`: `√2` times that of all logits,
    /// or less where the last operation is linear.
    pub pairs: Vec<f64>,
}

/// `a · b`, rounded up; 0 · ∞ is ∞.
fn times(a: f64, b: f64) -> f64 {
    let product = a * b;
    if product.is_nan() { f64::INFINITY } else { product.next_up() }
}

impl LipschitzBound {
    /// The bound of `graph`, spectral norms by so many steps of the Gram iteration.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for operations that have no such bound on all of their inputs: a
    /// product of two values, an exponential, a step.
    pub fn of(graph: &Graph, iterations: u32) -> Result<Self> {
        let mut nodes: Vec<f64> = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            let bound = stretch(graph, node, &nodes, iterations).ok_or_else(|| {
                let operator = node.op.name().to_owned();
                let reason = "no Lipschitz constant on all of its inputs".to_owned();
                let node = node.name.clone();
                Error::Unsupported { nodes: vec![Unsupported { node, operator, reason }] }
            })?;
            nodes.push(bound);
        }
        let logits = nodes[graph.output()];
        let classes = graph.output_shape().iter().product();
        let whole = times(logits, 2.0_f64.sqrt().next_up());
        let mut pairs = vec![whole; classes * classes];
        if let Some((before, weight)) = last_linear(graph) {
            for (place, pair) in pairs.iter_mut().enumerate() {
                let (left, right) = (place / classes, place % classes);
                let column = |class: usize| weight.values().iter().skip(class).step_by(classes);
                let apart: Vec<f64> = column(left).zip(column(right)).map(|(a, b)| a - b).collect();
                // Each difference is rounded once.
                let norm = times(frobenius(&apart), 1.0 + f64::EPSILON);
                *pair = pair.min(times(nodes[before], norm));
            }
        }
        Ok(Self { nodes, logits, pairs })
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.pairs.len().isqrt()
    }
}

/// The node before a last linear operation on rows, and its weight `[F, K]`.
fn last_linear(graph: &Graph) -> Option<(usize, &Array)> {
    let node = &graph.nodes()[graph.output()];
    match (&node.op, &node.operands[..]) {
        (Op::Linear, [Operand::Node(of), weight, ..]) if node.shape.len() == 1 => {
            Some((*of, graph.constant(*weight)?))
        }
        _ => None,
    }
}

/// The bound of a node from those before it.
fn stretch(graph: &Graph, node: &Node, before: &[f64], iterations: u32) -> Option<f64> {
    let of = |operand: Operand| match operand {
        Operand::Node(position) => before[position],
        Operand::Constant(_) => 0.0,
    };
    let first = node.operands.first().map_or(1.0, |&operand| of(operand));
    let shape = |index: usize| graph.shape(node.operands[index]);
    let count = |shape: &[usize]| shape.iter().product::<usize>() as f64;
    // How often each value of an operand is used in a broadcast.
    let spread = |index: usize| root(count(&node.shape) / count(shape(index)).max(1.0));
    let constant = |index: usize| graph.constant(node.operands[index]);
    let factor = match &node.op {
        Op::Unary(function) => largest_slope(*function)?,
        Op::ParametricRelu => most(constant(1)?.values(), f64::abs).max(1.0),
        Op::Input
        | Op::Clip { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. } => 1.0,
        Op::Linear => matrices(constant(1)?, iterations),
        Op::MatMul => match (constant(0), constant(1)) {
            (Some(left), None) => {
                let uses = spread_of_batch(&node.shape, shape(1));
                return Some(times(of(node.operands[1]), times(uses, matrices(left, iterations))));
            }
            (None, Some(right)) => {
                times(spread_of_batch(&node.shape, shape(0)), matrices(right, iterations))
            }
            _ => return None,
        },
        Op::Convolution(conv) => convolution(constant(1)?, &conv.window, conv.groups, iterations),
        Op::TransposedConvolution(conv) => {
            convolution(constant(1)?, &conv.window, conv.groups, iterations)
        }
        Op::MaxPool(window) => root(overlap(window)),
        Op::AveragePool(window) => root(overlap(window) / count(&window.kernel)),
        Op::Reduce { by, axes } => {
            let many: usize = axes.iter().map(|&axis| shape(0)[axis]).product();
            match by {
                Reduction::Sum => root(many as f64),
                Reduction::Mean => root((many as f64).recip().next_up()),
                Reduction::Max | Reduction::Min => 1.0,
            }
        }
        // `diag(p) − p pᵀ`: by Gershgorin at most `2 p (1 − p) ≤ 1/2`.
        Op::Softmax { .. } => 0.5,
        // `I − 1 pᵀ`.
        Op::LogSoftmax { axis } => (1.0 + root(shape(0)[*axis] as f64)).next_up(),
        Op::Gather { indices, .. } => {
            let mut uses: BTreeMap<usize, usize> = BTreeMap::new();
            for &index in indices {
                *uses.entry(index).or_default() += 1;
            }
            root(uses.into_values().max().unwrap_or(0) as f64)
        }
        Op::Expand => spread(0),
        Op::Concat { .. } => {
            if let Some(position) = sorted_pairs(graph, node) {
                return Some(before[position]);
            }
            let bounds: Vec<f64> = node.operands.iter().map(|&operand| of(operand)).collect();
            return Some(frobenius(&bounds));
        }
        Op::Binary(function) => {
            if let Some((input, factor)) = residual(graph, node, iterations) {
                return Some(times(before[input], factor));
            }
            let [left, right] = [0, 1].map(|index| times(of(node.operands[index]), spread(index)));
            let both = constant(0).is_none() && constant(1).is_none();
            return match function {
                Binary::Add | Binary::Sub if both => Some((left + right).next_up()),
                Binary::Max | Binary::Min if both => Some(frobenius(&[left, right])),
                Binary::Add | Binary::Sub | Binary::Max | Binary::Min => Some(left.max(right)),
                Binary::Mul if !both => {
                    let values = constant(0).or(constant(1))?.values();
                    Some(times(left.max(right), most(values, f64::abs)))
                }
                Binary::Div if constant(1).is_some() => {
                    Some(times(left, most(constant(1)?.values(), |c| c.abs().recip().next_up())))
                }
                Binary::Mul | Binary::Div | Binary::Pow => None,
            };
        }
        Op::FakeQuantize { .. } => return None,
    };
    Some(times(first, factor))
}

/// The square root, rounded up.
fn root(value: f64) -> f64 {
    value.sqrt().next_up()
}

/// The largest of a function of values; ∞ where one is not a number.
fn most(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let larger =
        |most: f64, value: f64| if value.is_nan() { f64::INFINITY } else { most.max(value) };
    values.iter().map(|&value| of(value)).fold(0.0, larger)
}

/// How often an operand's matrices are used in a product of shape `result`.
fn spread_of_batch(result: &[usize], operand: &[usize]) -> f64 {
    let batch = |shape: &[usize]| shape.iter().rev().skip(2).product::<usize>() as f64;
    root(batch(result) / batch(operand).max(1.0))
}

/// The largest spectral norm of the matrices over the last two axes, from above.
fn matrices(weight: &Array, iterations: u32) -> f64 {
    let [.., rows, columns] = weight.shape()[..] else { return frobenius(weight.values()) };
    let each = weight.values().chunks_exact((rows * columns).max(1));
    let norm =
        |values: &[f64]| Kernel::matrix(rows, columns, values.to_vec()).spectral_bound(iterations);
    each.map(norm).fold(0.0, f64::max)
}

/// The spectral norm of a convolution (or of its transpose) with a weight `[O, C / groups, ..]`, on
/// inputs of any size and with any stride, from above.
fn convolution(weight: &Array, window: &Window, groups: usize, iterations: u32) -> f64 {
    let [outputs, inputs, places @ ..] = weight.shape() else { return f64::INFINITY };
    let places_count: usize = places.iter().product();
    let each = outputs / groups.max(1);
    let norm = |group: usize| {
        let mut parts = BTreeMap::new();
        for place in 0..places_count {
            let mut rest = place;
            let mut offset = vec![0_isize; places.len()];
            for axis in (0..places.len()).rev() {
                offset[axis] = (rest % places[axis] * window.dilation[axis]) as isize;
                rest /= places[axis];
            }
            let at = |output: usize, input: usize| {
                let row = (group * each + output) * inputs + input;
                weight.values()[row * places_count + place]
            };
            let matrix: Vec<f64> = (0..each * inputs)
                .map(|index| at(index / inputs.max(&1), index % inputs.max(&1)))
                .collect();
            parts.insert(offset, matrix);
        }
        Kernel::new(each, *inputs, parts).spectral_bound(iterations)
    };
    if places_count == 0 { 0.0 } else { (0..groups).map(norm).fold(0.0, f64::max) }
}

/// The most windows that one place is in.
fn overlap(window: &Window) -> f64 {
    let along = |axis: usize| {
        if window.dilation[axis] == 1 {
            window.kernel[axis].div_ceil(window.stride[axis])
        } else {
            window.kernel[axis]
        }
    };
    (0..window.kernel.len()).map(along).product::<usize>() as f64
}

#[cfg(test)]
mod tests;
