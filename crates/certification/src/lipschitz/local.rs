//! Bounds of the gradient of a function of the logits on a set of inputs.
//!
//! One pass back through the graph with intervals in the place of slopes. Weng, Zhang, Chen, Song,
//! Hsieh, Boning, Dhillon, Daniel. *Towards Fast Computation of Certified Robustness for `ReLU`
//! Networks.* ICML 2018 (Fast-Lip), for any activation as in Zhang, Zhang, Hsieh. `RecurJac`.
//! AAAI 2019. <https://arxiv.org/abs/1804.09699>, <https://arxiv.org/abs/1810.11783>
use duress_graph::{Array, Binary, Convolution, Graph, Node, Op, Operand, Unsupported, strides};

use super::slope_interval::slope_interval;
use crate::bounds::{Error, Intervals, Result};

/// Half the distance from 1 to the next number.
const UNIT: f64 = f64::EPSILON / 2.0;

/// A slope for each value of a node.
#[derive(Clone)]
struct Slopes {
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// How many sums went into each, and what their rounding can have cost, `Σ |w| |g|`.
    terms: Vec<usize>,
    sizes: Vec<f64>,
}

impl Slopes {
    fn zero(length: usize) -> Self {
        let zeros = vec![0.0; length];
        Self { lower: zeros.clone(), upper: zeros.clone(), terms: vec![0; length], sizes: zeros }
    }

    /// Adds `factor · [low, high]` at a place.
    fn add(&mut self, place: usize, factor: f64, [low, high]: [f64; 2]) {
        if factor == 0.0 {
            return;
        }
        let (a, b) = if factor.is_finite() {
            (factor * low, factor * high)
        } else {
            (f64::NEG_INFINITY, f64::INFINITY)
        };
        self.lower[place] += a.min(b);
        self.upper[place] += a.max(b);
        self.terms[place] += 1;
        self.sizes[place] += factor.abs() * low.abs().max(high.abs());
    }

    /// The interval at a place, outward by what rounding can have cost; all numbers where one is
    /// none.
    fn at(&self, place: usize) -> [f64; 2] {
        let error = 1.1 * (self.terms[place] as f64 + 16.0) * UNIT * self.sizes[place];
        let error = error + f64::MIN_POSITIVE * (self.terms[place] as f64);
        let low = (self.lower[place] - error).next_down();
        let high = (self.upper[place] + error).next_up();
        if self.terms[place] == 0 {
            [0.0, 0.0]
        } else if low.is_nan() || high.is_nan() {
            [f64::NEG_INFINITY, f64::INFINITY]
        } else {
            [low, high]
        }
    }
}

/// For each feature the largest magnitude that the derivative of `Σ weights[k] · logit[k]` has
/// where the values of each node of `graph` are within `known`: from above.
///
/// # Errors
/// [`Error::Unsupported`] for operations that this pass does not know.
pub(crate) fn steepest(graph: &Graph, known: &[Intervals], weights: &[f64]) -> Result<Vec<f64>> {
    let mut slopes: Vec<Option<Slopes>> = vec![None; graph.nodes().len()];
    let mut last = Slopes::zero(weights.len());
    for (place, &weight) in weights.iter().enumerate() {
        last.add(place, weight, [1.0, 1.0]);
    }
    slopes[graph.output()] = Some(last);
    for position in (1..graph.nodes().len()).rev() {
        let Some(after) = slopes[position].take() else { continue };
        let node = &graph.nodes()[position];
        let count = after.lower.len();
        let given: Vec<[f64; 2]> = (0..count).map(|place| after.at(place)).collect();
        back(graph, node, known, &given, &mut slopes).ok_or_else(|| {
            let (operator, node) = (node.op.name().to_owned(), node.name.clone());
            let reason = "local slopes do not pass it; use `spectral-product`".to_owned();
            Error::Unsupported { nodes: vec![Unsupported { node, operator, reason }] }
        })?;
    }
    let features = graph.input_shape().iter().product();
    let input = slopes[0].take().unwrap_or_else(|| Slopes::zero(features));
    let magnitude = |place: usize| {
        let [low, high] = input.at(place);
        low.abs().max(high.abs())
    };
    Ok((0..features).map(magnitude).collect())
}

/// Hands the slopes of a node to its operands; `None` if it is no operation for that.
fn back(
    graph: &Graph,
    node: &Node,
    known: &[Intervals],
    given: &[[f64; 2]],
    slopes: &mut [Option<Slopes>],
) -> Option<()> {
    let mut hand = |operand: Operand, give: &mut dyn FnMut(&mut Slopes)| {
        if let Operand::Node(position) = operand {
            let length = graph.nodes()[position].shape.iter().product();
            give(slopes[position].get_or_insert_with(|| Slopes::zero(length)));
        }
    };
    let all = |factor: f64| {
        move |to: &mut Slopes| {
            for (place, slope) in given.iter().enumerate() {
                to.add(place, factor, *slope);
            }
        }
    };
    let first = *node.operands.first()?;
    match &node.op {
        Op::Reshape => hand(first, &mut all(1.0)),
        Op::Unary(function) => {
            let Operand::Node(position) = first else { return None };
            let mut products = Vec::with_capacity(given.len());
            for (place, slope) in given.iter().enumerate() {
                let (low, high) = (known[position].lower[place], known[position].upper[place]);
                products.push(product(slope_interval(*function, low, high)?, *slope));
            }
            hand(first, &mut |to| {
                for (place, product) in products.iter().enumerate() {
                    to.add(place, 1.0, *product);
                }
            });
        }
        Op::Linear => {
            let weight = graph.constant(node.operands[1])?;
            let [inputs, outputs] = weight.shape()[..] else { return None };
            hand(first, &mut |to| {
                for (place, slope) in given.iter().enumerate() {
                    let (row, output) = (place / outputs, place % outputs);
                    for input in 0..inputs {
                        let factor = weight.values()[input * outputs + output];
                        to.add(row * inputs + input, factor, *slope);
                    }
                }
            });
        }
        Op::Convolution(conv) => {
            let weight = graph.constant(node.operands[1])?;
            let shape = graph.shape(first).to_vec();
            hand(first, &mut |to| convolution(conv, weight, &shape, &node.shape, given, to));
        }
        Op::Binary(function) => {
            let second = node.operands[1];
            let constant = graph.constant(second).or_else(|| graph.constant(first));
            let same = |operand: Operand| {
                matches!(operand, Operand::Constant(_)) || graph.shape(operand) == node.shape
            };
            if !(same(first) && same(second)) {
                return None;
            }
            match (function, constant) {
                (Binary::Add, _) => {
                    hand(first, &mut all(1.0));
                    hand(second, &mut all(1.0));
                }
                (Binary::Sub, _) => {
                    hand(first, &mut all(1.0));
                    hand(second, &mut all(-1.0));
                }
                (Binary::Mul, Some(array)) => {
                    let mut scale = |to: &mut Slopes| {
                        for (place, slope) in given.iter().enumerate() {
                            to.add(place, broadcast(array, &node.shape, place), *slope);
                        }
                    };
                    hand(first, &mut scale);
                    hand(second, &mut scale);
                }
                (Binary::Div, Some(array)) if graph.constant(second).is_some() => {
                    hand(first, &mut |to| {
                        for (place, slope) in given.iter().enumerate() {
                            // The division by a number is rounded once, the product by `add`.
                            let factor = broadcast(array, &node.shape, place).recip();
                            let wide = 1.0 + f64::EPSILON;
                            let slope = product(*slope, [wide.recip(), wide]);
                            to.add(place, factor, slope);
                        }
                    });
                }
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

/// All products of numbers of two intervals, outward.
fn product([a, b]: [f64; 2], [c, d]: [f64; 2]) -> [f64; 2] {
    let all = [a * c, a * d, b * c, b * d];
    // 0 · ∞.
    if all.iter().any(|value| value.is_nan()) {
        return [f64::NEG_INFINITY, f64::INFINITY];
    }
    let low = all.into_iter().fold(f64::INFINITY, f64::min);
    let high = all.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let down = if low == 0.0 && (a == 0.0 || c == 0.0) { 0.0 } else { low.next_down() };
    let up = if high == 0.0 && (b == 0.0 || d == 0.0) { 0.0 } else { high.next_up() };
    [down, up]
}

/// The value of a constant that meets `place` of a result.
fn broadcast(array: &Array, shape: &[usize], place: usize) -> f64 {
    let (own, all) = (array.shape(), strides(shape));
    let skipped = shape.len() - own.len();
    let step = strides(own);
    let index = (0..own.len()).map(|axis| {
        let at = place / all[skipped + axis] % shape[skipped + axis];
        if own[axis] == 1 { 0 } else { at * step[axis] }
    });
    array.values()[index.sum::<usize>()]
}

/// The transpose of a convolution of intervals.
fn convolution(
    conv: &Convolution,
    weight: &Array,
    from: &[usize],
    result: &[usize],
    given: &[[f64; 2]],
    to: &mut Slopes,
) {
    let window = &conv.window;
    let (plane, own, all) = (&from[1..], strides(from), strides(result));
    let places: usize = window.kernel.iter().product();
    let (inputs, each) = (weight.shape()[1], result[0] / conv.groups.max(1));
    let taps = strides(&window.kernel);
    for (place, slope) in given.iter().enumerate() {
        let output = place / all[0];
        for tap in 0..places {
            let inside: Option<usize> = (0..plane.len())
                .map(|axis| {
                    let at = place / all[axis + 1] % result[axis + 1];
                    let offset = tap / taps[axis] % window.kernel[axis];
                    let read = at * window.stride[axis] + offset * window.dilation[axis];
                    let read = read.checked_sub(window.padding[axis].0)?;
                    (read < plane[axis]).then(|| read * own[axis + 1])
                })
                .sum();
            let Some(inside) = inside else { continue };
            for input in 0..inputs {
                let factor = weight.values()[(output * inputs + input) * places + tap];
                to.add((output / each * inputs + input) * own[0] + inside, factor, *slope);
            }
        }
    }
}

#[cfg(test)]
mod tests;
