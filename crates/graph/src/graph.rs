//! A network as a list of operations on one sample.
use crate::{Array, Error, Op, Result, shape};

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The result of a node, by position.
    Node(usize),
    /// A constant, by position.
    Constant(usize),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it comes from, for messages: a name in the file or the path of a module.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Of what.
    pub operands: Vec<Operand>,
    /// Shape of the result, without a batch axis.
    pub shape: Vec<usize>,
}

/// A network: one sample in, one result out, everything between in order.
///
/// Each node stands after its operands and depends on the input; what does not is a constant. All
/// shapes are known and are those of one sample: a batch is a matter of whoever runs the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    nodes: Vec<Node>,
    constants: Vec<Array>,
    output: usize,
}

impl Graph {
    /// Nodes in order; the first is the input.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Constants.
    #[must_use]
    pub fn constants(&self) -> &[Array] {
        &self.constants
    }

    /// Position of the node whose result is that of the graph.
    #[must_use]
    pub fn output(&self) -> usize {
        self.output
    }

    /// Shape of a sample.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.nodes[0].shape
    }

    /// Shape of the result.
    #[must_use]
    pub fn output_shape(&self) -> &[usize] {
        &self.nodes[self.output].shape
    }

    /// Shape of an operand.
    #[must_use]
    pub fn shape(&self, operand: Operand) -> &[usize] {
        match operand {
            Operand::Node(node) => &self.nodes[node].shape,
            Operand::Constant(constant) => self.constants[constant].shape(),
        }
    }

    /// The constant behind an operand, if it is one.
    #[must_use]
    pub fn constant(&self, operand: Operand) -> Option<&Array> {
        match operand {
            Operand::Node(_) => None,
            Operand::Constant(constant) => Some(&self.constants[constant]),
        }
    }

    /// For each node, the position of the last node that needs it; the output is needed for good.
    #[must_use]
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.nodes.len()).collect();
        for (position, node) in self.nodes.iter().enumerate() {
            for operand in &node.operands {
                if let Operand::Node(node) = operand {
                    last[*node] = position;
                }
            }
        }
        last[self.output] = usize::MAX;
        last
    }

    /// The same graph with other constants of the same shapes.
    pub(crate) fn with_constants(self, constants: Vec<Array>) -> Self {
        Self { constants, ..self }
    }

    /// The graph with one more operation behind its output, of the output and constants.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit.
    pub fn then(self, name: &str, op: Op, constants: Vec<Array>) -> Result<Self> {
        let output = Operand::Node(self.output);
        let mut builder = Builder::from(self);
        let mut operands = vec![output];
        operands.extend(constants.into_iter().map(|array| builder.constant(array)));
        let output = builder.push(name, op, operands)?;
        builder.finish(output)
    }
}

impl From<Graph> for Builder {
    fn from(graph: Graph) -> Self {
        Self { nodes: graph.nodes, constants: graph.constants }
    }
}

/// Puts a graph together; shapes are inferred and checked on the way.
#[derive(Clone, Debug)]
pub struct Builder {
    nodes: Vec<Node>,
    constants: Vec<Array>,
}

impl Builder {
    /// A graph of nothing but its input.
    #[must_use]
    pub fn new(name: &str, shape: Vec<usize>) -> Self {
        let input = Node { name: name.into(), op: Op::Input, operands: Vec::new(), shape };
        Self { nodes: vec![input], constants: Vec::new() }
    }

    /// The input.
    #[must_use]
    pub fn input(&self) -> Operand {
        Operand::Node(0)
    }

    /// A constant.
    pub fn constant(&mut self, array: Array) -> Operand {
        self.constants.push(array);
        Operand::Constant(self.constants.len() - 1)
    }

    /// Shape of an operand.
    #[must_use]
    pub fn shape(&self, operand: Operand) -> &[usize] {
        match operand {
            Operand::Node(node) => &self.nodes[node].shape,
            Operand::Constant(constant) => self.constants[constant].shape(),
        }
    }

    /// The value of a constant.
    #[must_use]
    pub fn value(&self, operand: Operand) -> Option<&Array> {
        match operand {
            Operand::Node(_) => None,
            Operand::Constant(constant) => Some(&self.constants[constant]),
        }
    }

    /// The node behind an operand, if it is one.
    #[must_use]
    pub fn node(&self, operand: Operand) -> Option<&Node> {
        match operand {
            Operand::Node(node) => Some(&self.nodes[node]),
            Operand::Constant(_) => None,
        }
    }

    /// A node like another, of these operands.
    ///
    /// # Errors
    /// As [`Builder::push`].
    pub fn repeat(&mut self, node: &Node, operands: Vec<Operand>) -> Result<Operand> {
        match node.op {
            Op::Reshape | Op::Expand => {
                self.shaped(&node.name, node.op.clone(), operands[0], node.shape.clone())
            }
            _ => self.push(&node.name, node.op.clone(), operands),
        }
    }

    /// All of another graph, whose input is `x`; the result is that of the other graph.
    ///
    /// # Errors
    /// [`Error::Shape`] if x has not the shape of its input.
    pub fn append(&mut self, graph: &Graph, x: Operand) -> Result<Operand> {
        if self.shape(x) != graph.input_shape() {
            let (own, other) = (self.shape(x), graph.input_shape());
            return Err(Error::Shape(format!("a result of {own:?} for an input of {other:?}")));
        }
        let constants: Vec<Operand> =
            graph.constants.iter().map(|array| self.constant(array.clone())).collect();
        let mut places = vec![x];
        for node in &graph.nodes[1..] {
            let moved = |operand: &Operand| match *operand {
                Operand::Node(node) => places[node],
                Operand::Constant(constant) => constants[constant],
            };
            let operands = node.operands.iter().map(moved).collect();
            places.push(self.repeat(node, operands)?);
        }
        Ok(places[graph.output])
    }

    /// A node whose shape follows from its operands.
    ///
    /// # Errors
    /// [`Error::Shape`] if the operands do not fit the operation, naming the node.
    pub fn push(&mut self, name: &str, op: Op, operands: Vec<Operand>) -> Result<Operand> {
        let shapes: Vec<&[usize]> = operands.iter().map(|&operand| self.shape(operand)).collect();
        let shape = shape::infer(&op, &shapes).map_err(|error| error.at(&op, name))?;
        self.add(name, op, operands, shape)
    }

    /// A node that gives x another shape: a [`Op::Reshape`] or an [`Op::Expand`].
    ///
    /// # Errors
    /// [`Error::Shape`] if x cannot take the shape.
    pub fn shaped(
        &mut self,
        name: &str,
        op: Op,
        operand: Operand,
        shape: Vec<usize>,
    ) -> Result<Operand> {
        let own = self.shape(operand);
        if own == shape {
            return Ok(operand);
        }
        shape::check_target(&op, own, &shape).map_err(|error| error.at(&op, name))?;
        self.add(name, op, vec![operand], shape)
    }

    fn add(
        &mut self,
        name: &str,
        op: Op,
        operands: Vec<Operand>,
        shape: Vec<usize>,
    ) -> Result<Operand> {
        if !operands.iter().any(|operand| matches!(operand, Operand::Node(_))) {
            let reason = "no operand depends on the input: fold it into a constant".into();
            return Err(Error::Shape(reason).at(&op, name));
        }
        crate::array::checked(&shape)?;
        self.nodes.push(Node { name: name.into(), op, operands, shape });
        Ok(Operand::Node(self.nodes.len() - 1))
    }

    /// The graph, without what the output does not need.
    ///
    /// # Errors
    /// [`Error::ConstantOutput`] if the output does not depend on the input.
    pub fn finish(self, output: Operand) -> Result<Graph> {
        let Operand::Node(output) = output else { return Err(Error::ConstantOutput) };
        let mut needed = vec![false; self.nodes.len()];
        (needed[0], needed[output]) = (true, true);
        let mut used = vec![false; self.constants.len()];
        for position in (0..=output).rev() {
            if !needed[position] {
                continue;
            }
            for operand in &self.nodes[position].operands {
                match *operand {
                    Operand::Node(node) => needed[node] = true,
                    Operand::Constant(constant) => used[constant] = true,
                }
            }
        }
        let places = |kept: &[bool]| -> Vec<usize> {
            kept.iter()
                .scan(0, |next, &kept| {
                    let place = *next;
                    *next += usize::from(kept);
                    Some(place)
                })
                .collect()
        };
        let (nodes, constants) = (places(&needed), places(&used));
        let moved = |operand: Operand| match operand {
            Operand::Node(node) => Operand::Node(nodes[node]),
            Operand::Constant(constant) => Operand::Constant(constants[constant]),
        };
        let keep = |(node, kept): (Node, &bool)| {
            kept.then(|| Node { operands: node.operands.into_iter().map(moved).collect(), ..node })
        };
        Ok(Graph {
            output: nodes[output],
            nodes: self.nodes.into_iter().zip(&needed).filter_map(keep).collect(),
            constants: self
                .constants
                .into_iter()
                .zip(&used)
                .filter_map(|(array, kept)| kept.then_some(array))
                .collect(),
        })
    }
}
