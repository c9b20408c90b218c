//! A graph as a burn module: it runs on any device, and is differentiated there.
mod elementwise;
mod linear;
mod max_pool;
mod shapes;
mod windows;

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::prelude::*;
use duress_core::{Activation, host};

pub use max_pool::max_pool2d;

use crate::{Array, Error, Graph, Node, Op, Operand, Result};

/// A graph whose constants are on a device.
///
/// Rows `[N, F]` in, rows `[N, K]` out, each the values of the graph's shapes in row-major order.
/// Weights of layers can be trained; other constants are fixed.
#[derive(Module, Debug)]
pub struct Network {
    constants: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    graph: Plan,
}

/// A graph with what its runs need to know of it.
#[derive(Clone, Debug)]
struct Plan {
    graph: Arc<Graph>,
    last_uses: Arc<[usize]>,
}

impl Network {
    /// The graph on `device`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a constant that is no finite f32.
    pub fn new(graph: Graph, device: &Device) -> Result<Self> {
        let trained = trained(&graph);
        let mut constants = Vec::with_capacity(graph.constants().len());
        for (position, array) in graph.constants().iter().enumerate() {
            let values: Vec<f32> = array.values().iter().map(|&value| value as f32).collect();
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::NotFinite { name: user(&graph, position), index });
            }
            let length = values.len();
            let tensor = Tensor::<1>::from_data(TensorData::new(values, [length]), device);
            constants.push(Param::from_tensor(tensor).set_require_grad(trained[position]));
        }
        let last_uses = graph.last_uses().into();
        Ok(Self { constants, graph: Plan { graph: Arc::new(graph), last_uses } })
    }

    /// The graph as it was given: its constants do not follow a training of this module.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph.graph
    }

    /// The graph with the constants as they are now.
    ///
    /// # Errors
    /// [`Error::Core`] if a device cannot be read.
    pub fn snapshot(&self) -> Result<Graph> {
        let mut arrays = Vec::with_capacity(self.constants.len());
        for (constant, array) in self.constants.iter().zip(self.graph().constants()) {
            let values = host::floats(constant.val())?;
            let same = values
                .iter()
                .zip(array.values())
                .all(|(now, &then)| now.to_bits() == (then as f32).to_bits());
            // What was not trained stays as exact as it was.
            let array = if same {
                array.clone()
            } else {
                let values = values.into_iter().map(f64::from).collect();
                Array::new(array.shape().to_vec(), values)?
            };
            arrays.push(array);
        }
        Ok(self.graph().clone().with_constants(arrays))
    }

    /// The results of rows `[N, F]`, `[N, K]`.
    ///
    /// # Panics
    /// Where burn does: if the rows are not as long as the input.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.traced(rows, |_, _, _| ())
    }

    /// The results of the nodes that are activation functions, in order, and the output as the
    /// last. A node's name is its position and its name in the file.
    #[must_use]
    pub fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        let mut all = Vec::new();
        let output = self.traced(rows, |position, node, values| {
            if position != self.graph().output() && node.op.is_activation() {
                let channels = if node.shape.len() > 1 { node.shape[0] } else { values.dims()[1] };
                let name = format!("{position} {}", node.name);
                all.push(Activation { name, values: values.clone(), channels });
            }
        });
        all.push(Activation::logits(output));
        all
    }

    fn traced(&self, rows: Tensor<2>, mut see: impl FnMut(usize, &Node, &Tensor<2>)) -> Tensor<2> {
        let graph = self.graph();
        let count = rows.dims()[0];
        let width = graph.output_shape().iter().product();
        if count == 0 {
            return Tensor::zeros([0, width], &rows.device());
        }
        let mut results: Vec<Option<Tensor<2>>> = vec![None; graph.nodes().len()];
        results[0] = Some(rows);
        for (position, node) in graph.nodes().iter().enumerate().skip(1) {
            let result = self.run(node, &results);
            see(position, node, &result);
            for operand in &node.operands {
                if let Operand::Node(operand) = *operand
                    && self.graph.last_uses[operand] == position
                {
                    results[operand] = None;
                }
            }
            results[position] = Some(result);
        }
        // The output is never dropped.
        results.swap_remove(graph.output()).unwrap_or_else(|| unreachable!("the output is kept"))
    }

    fn run(&self, node: &Node, results: &[Option<Tensor<2>>]) -> Tensor<2> {
        let graph = self.graph();
        let operand = |index: usize| {
            let operand = node.operands[index];
            let values = match operand {
                // In the order of the nodes an operand is there until its last use.
                Operand::Node(node) => results[node].clone().unwrap_or_else(|| unreachable!()),
                Operand::Constant(constant) => self.constants[constant].val().unsqueeze(),
            };
            Given { values, shape: graph.shape(operand) }
        };
        let x = operand(0);
        let more = |index: usize| (node.operands.len() > index).then(|| operand(index));
        let shape = &node.shape;
        match &node.op {
            Op::Input | Op::Reshape => x.values,
            Op::Unary(function) => elementwise::unary(*function, x.values),
            Op::Binary(function) => {
                let exponent = graph.constant(node.operands[1]);
                let single = exponent.filter(|array| array.len() == 1);
                elementwise::binary(
                    *function,
                    &x,
                    &operand(1),
                    single.map(|a| a.values()[0]),
                    shape,
                )
            }
            Op::ParametricRelu => elementwise::parametric_relu(&x, &operand(1)),
            Op::Clip { low, high } => elementwise::clip(x.values, *low, *high),
            Op::FakeQuantize { low, high } => {
                elementwise::fake_quantize(&x, &operand(1), &operand(2), [*low, *high])
            }
            Op::Linear => linear::linear(&x, &operand(1), more(2)),
            Op::MatMul => linear::mat_mul(&x, &operand(1), shape),
            Op::Convolution(conv) => windows::convolution(conv, &x, &operand(1), more(2)),
            Op::TransposedConvolution(conv) => windows::transposed(conv, &x, &operand(1), more(2)),
            Op::MaxPool(window) => windows::max_pool(window, &x),
            Op::AveragePool(window) => windows::average_pool(window, &x),
            Op::Reduce { by, axes } => shapes::reduce(*by, axes, &x),
            Op::Softmax { axis } => {
                shapes::along(&x, *axis, |x| burn::tensor::activation::softmax(x, 2))
            }
            Op::LogSoftmax { axis } => {
                shapes::along(&x, *axis, |x| burn::tensor::activation::log_softmax(x, 2))
            }
            Op::Transpose { axes } => shapes::transpose(&x, axes),
            Op::Slice { axis, start, end } => {
                shapes::along(&x, *axis, |x| x.narrow(2, *start, end - start))
            }
            Op::Gather { axis, indices } => shapes::gather(&x, *axis, indices),
            Op::Concat { axis } => {
                let operands: Vec<_> = (0..node.operands.len()).map(operand).collect();
                shapes::concat(&operands, *axis)
            }
            Op::Pad { sides, value } => shapes::pad(&x, sides, *value),
            Op::Expand => shapes::expand(&x, shape),
        }
    }
}

/// An operand: the rows of a node, or the one row of a constant, and the shape of a row.
struct Given<'a> {
    /// `[N, F]`, or `[1, F]` of a constant.
    values: Tensor<2>,
    shape: &'a [usize],
}

/// Product of the sides.
fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Which constants a training may change: the weights of layers.
fn trained(graph: &Graph) -> Vec<bool> {
    let mut trained = vec![false; graph.constants().len()];
    for node in graph.nodes() {
        let layer = matches!(
            node.op,
            Op::Linear
                | Op::MatMul
                | Op::Convolution(_)
                | Op::TransposedConvolution(_)
                | Op::ParametricRelu
        );
        for operand in &node.operands {
            if let (true, Operand::Constant(constant)) = (layer, *operand) {
                trained[constant] = true;
            }
        }
    }
    trained
}

/// The node that uses a constant, for messages.
fn user(graph: &Graph, constant: usize) -> String {
    let uses = |node: &&Node| node.operands.contains(&Operand::Constant(constant));
    graph.nodes().iter().find(uses).map_or_else(String::new, |node| node.name.clone())
}
