//! From the operations of a graph to steps.
//!
//! What has no relaxation of its own is put together from what has: a division is a product with a
//! reciprocal, a softmax is `1 / Σⱼ exp(xⱼ − xᵢ)`. In real arithmetic nothing changes.
use duress_graph::{Graph, Node, Op, Operand, Reduction, Unsupported};

use super::layout::{broadcast, part, sources};
use super::map::{Groups, Map, Weight};
use super::{Error, Function, Network, Result, Step};

/// Why a node has no bounds, or another error.
pub(super) enum Fault {
    Reason(String),
    Other(Error),
}

impl<E: Into<Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault::Other(error.into())
    }
}

/// A step, or why there is none.
pub(super) type Translated<T = usize> = Result<T, Fault>;

pub(super) fn refuse<T>(reason: impl Into<String>) -> Translated<T> {
    Err(Fault::Reason(reason.into()))
}

/// Steps so far.
pub(super) struct Translation<'a> {
    pub(super) graph: &'a Graph,
    pub(super) steps: Vec<Step>,
    pub(super) sizes: Vec<usize>,
    /// The step with the value of each node.
    pub(super) nodes: Vec<usize>,
}

/// The network of a graph.
pub(super) fn translate(graph: &Graph) -> Result<Network> {
    let features = graph.input_shape().iter().product();
    let mut translation = Translation {
        graph,
        steps: vec![Step::Input],
        sizes: vec![features],
        nodes: Vec::with_capacity(graph.nodes().len()),
    };
    let mut unsupported = Vec::new();
    for node in graph.nodes() {
        let step = match translation.node(node) {
            Ok(step) => step,
            Err(Fault::Other(error)) => return Err(error),
            Err(Fault::Reason(reason)) => {
                let (node, operator) = (node.name.clone(), node.op.name().into());
                unsupported.push(Unsupported { node, operator, reason });
                // Whatever follows is looked at too: all such nodes are named at once.
                let sources = graph.nodes()[translation.nodes.len()].shape.iter().product();
                translation.push(Step::Affine { parts: Vec::new(), bias: Vec::new() }, sources)
            }
        };
        translation.nodes.push(step);
    }
    if !unsupported.is_empty() {
        return Err(Error::Unsupported { nodes: unsupported });
    }
    let output = translation.nodes[graph.output()];
    let Translation { steps, sizes, nodes, .. } = translation;
    Ok(Network { steps, sizes, nodes, output })
}

impl Translation<'_> {
    pub(super) fn push(&mut self, step: Step, size: usize) -> usize {
        self.steps.push(step);
        self.sizes.push(size);
        self.steps.len() - 1
    }

    /// `Σ M x + bias`; the size of the result is that of the maps.
    pub(super) fn affine(
        &mut self,
        parts: Vec<(usize, Map)>,
        bias: Vec<f64>,
        size: usize,
    ) -> usize {
        self.push(Step::Affine { parts, bias }, size)
    }

    /// A function of each value of `source`.
    pub(super) fn curve(&mut self, source: usize, function: Function) -> usize {
        let size = self.sizes[source];
        self.push(Step::Curve { source, function }, size)
    }

    /// `weight · x + offset` of each value.
    pub(super) fn scaled(&mut self, source: usize, weight: f64, offset: f64) -> usize {
        let size = self.sizes[source];
        let bias = if offset == 0.0 { Vec::new() } else { vec![offset; size] };
        let map =
            Map::Select { sources: (0..size as u32).collect(), weight: Weight::Uniform(weight) };
        self.affine(vec![(source, map)], bias, size)
    }

    /// Values of `source` moved.
    pub(super) fn moved(&mut self, source: usize, sources: Vec<u32>) -> usize {
        let size = sources.len();
        let map = Map::Select { sources, weight: Weight::Uniform(1.0) };
        self.affine(vec![(source, map)], Vec::new(), size)
    }

    pub(super) fn product(&mut self, left: usize, right: usize) -> usize {
        if left == right {
            return self.curve(left, Function::Square);
        }
        let size = self.sizes[left];
        self.push(Step::Product { left, right }, size)
    }

    /// The step of an operand that is a node.
    pub(super) fn step(&self, operand: Operand) -> Translated {
        match operand {
            Operand::Node(node) => Ok(self.nodes[node]),
            Operand::Constant(_) => refuse("a constant where a value of the network is needed"),
        }
    }

    /// The step of an operand that is a node, broadcast to `shape`.
    pub(super) fn broadcast(&mut self, operand: Operand, shape: &[usize]) -> Translated {
        let step = self.step(operand)?;
        let own = self.graph.shape(operand);
        if own == shape {
            return Ok(step);
        }
        let sources = broadcast(own, shape)?;
        Ok(self.moved(step, sources))
    }

    /// The values of a constant operand broadcast to `shape`, all of them finite.
    pub(super) fn constant(&self, operand: Operand, shape: &[usize]) -> Translated<Vec<f64>> {
        let Some(array) = self.graph.constant(operand) else {
            return refuse("a value of the network where a constant is needed");
        };
        if array.values().iter().any(|value| !value.is_finite()) {
            return refuse("a constant that is not finite");
        }
        let places = broadcast(array.shape(), shape)?;
        Ok(places.into_iter().map(|place| array.values()[place as usize]).collect())
    }

    fn node(&mut self, node: &Node) -> Translated {
        let Some(&first) = node.operands.first() else { return Ok(0) };
        let size = node.shape.iter().product();
        match &node.op {
            Op::Input => Ok(0),
            Op::Unary(function) => {
                let x = self.step(first)?;
                self.unary(*function, x)
            }
            Op::Binary(function) => self.binary(*function, node),
            Op::ParametricRelu => {
                let negative = self.constant(node.operands[1], &node.shape)?;
                let x = self.step(first)?;
                let negative = Weight::Each(negative);
                Ok(self.curve(x, Function::Kink { negative, positive: 1.0 }))
            }
            Op::Clip { low, high } => {
                let x = self.step(first)?;
                self.clip(x, *low, *high)
            }
            Op::FakeQuantize { low, high } => self.fake_quantize(node, *low, *high),
            Op::Linear => self.linear(node),
            Op::MatMul => self.mat_mul(node),
            Op::Convolution(conv) => self.convolution(conv, node),
            Op::TransposedConvolution(conv) => self.transposed(conv, node),
            Op::AveragePool(window) => self.average_pool(window, node),
            Op::MaxPool(window) => self.max_pool(window, node),
            Op::Reduce { by, axes } => {
                let x = self.step(first)?;
                let own = self.graph.shape(first);
                let groups = Groups::by_result(&broadcast(&node.shape, own)?, size);
                let count: usize = axes.iter().map(|&axis| own[axis]).product();
                Ok(match by {
                    Reduction::Sum | Reduction::Mean => {
                        let mean = *by == Reduction::Mean;
                        let weight = if mean { 1.0 / count as f64 } else { 1.0 };
                        self.affine(vec![(x, Map::Sum { groups, weight })], Vec::new(), size)
                    }
                    Reduction::Max => self.push(Step::Maximum { source: x, groups }, size),
                    Reduction::Min => {
                        let negated = self.scaled(x, -1.0, 0.0);
                        let largest = self.push(Step::Maximum { source: negated, groups }, size);
                        self.scaled(largest, -1.0, 0.0)
                    }
                })
            }
            Op::Softmax { axis } => self.softmax(node, *axis, false),
            Op::LogSoftmax { axis } => self.softmax(node, *axis, true),
            Op::Concat { axis } => self.concat(node, *axis),
            Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Gather { .. }
            | Op::Expand
            | Op::Pad { .. } => {
                let x = self.step(first)?;
                let places = sources(&node.op, self.graph.shape(first), &node.shape)?;
                let bias = match node.op {
                    Op::Pad { value, .. } if !value.is_finite() => {
                        return refuse("padded by a value that is not finite");
                    }
                    Op::Pad { value, .. } if value != 0.0 => {
                        places.iter().map(|&it| if it == u32::MAX { value } else { 0.0 }).collect()
                    }
                    _ => Vec::new(),
                };
                let map = Map::Select { sources: places, weight: Weight::Uniform(1.0) };
                Ok(self.affine(vec![(x, map)], bias, size))
            }
        }
    }

    fn concat(&mut self, node: &Node, axis: usize) -> Translated {
        let shapes: Vec<&[usize]> =
            node.operands.iter().map(|&operand| self.graph.shape(operand)).collect();
        let size = node.shape.iter().product();
        let (mut parts, mut bias) = (Vec::new(), Vec::new());
        for (position, &operand) in node.operands.iter().enumerate() {
            let sources = part(axis, &shapes, position)?;
            if let Operand::Node(_) = operand {
                let map = Map::Select { sources, weight: Weight::Uniform(1.0) };
                parts.push((self.step(operand)?, map));
            } else {
                let values = self.constant(operand, shapes[position])?;
                bias.resize(size, 0.0);
                for (bias, &source) in bias.iter_mut().zip(&sources) {
                    if source != u32::MAX {
                        *bias = values[source as usize];
                    }
                }
            }
        }
        Ok(self.affine(parts, bias, size))
    }
}
