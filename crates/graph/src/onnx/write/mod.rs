//! Writes a graph as an ONNX file that any runtime of version 17 of the operators reads.
mod elementwise;
mod layers;
mod message;
mod shapes;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use prost::Message;
use tempfile::NamedTempFile;

use super::proto::{GraphProto, Model, NodeProto, OperatorSet, TensorProto};
use crate::{Array, Error, Graph, Node, Op, Operand, Result};

/// Version of ONNX's operators that is written.
const OPSET: i64 = 17;

/// Version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// Name of the input and of the output.
const ENDS: [&str; 2] = ["input", "output"];

/// Largest message that the format allows.
const MOST_BYTES: usize = i32::MAX as usize;

/// Writes `graph` to `path`: one input called `input`, `[N, ..]`, and one output called `output`,
/// `[N, ..]`, with an open batch. The file appears whole or not at all.
///
/// # Errors
/// [`Error::Io`], and as [`encode`].
pub fn write(graph: &Graph, path: &Path) -> Result<()> {
    let bytes = encode(graph)?;
    save(&bytes, path).map_err(Error::io(path))
}

/// The bytes of an ONNX file with `graph`, see [`write()`]. Weights are 32-bit floats.
///
/// Operations that ONNX does not have are written in parts: Gelu, Silu, Mish, windows of a mean
/// that are dilated, and quantisation to other than 256 steps. The last loses that rounding counts
/// as the identity in a derivative.
///
/// # Errors
/// [`Error::NotFinite`] for a weight that is too large for 32 bits; [`Error::Format`] for a network
/// of more than 2 GiB.
pub fn encode(graph: &Graph) -> Result<Vec<u8>> {
    let mut writer = Writer::new(graph);
    for (position, node) in graph.nodes().iter().enumerate().skip(1) {
        writer.node(position, node)?;
    }
    if graph.output() == 0 {
        writer.emit("output", "Identity", &[ENDS[0]], ENDS[1], Vec::new());
    }
    let end = |name: &str, shape: &[usize]| vec![message::value(name, shape)];
    let model = Model {
        ir_version: Some(IR_VERSION),
        producer_name: Some("duress".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(GraphProto {
            node: writer.nodes,
            name: Some("network".into()),
            initializer: writer.initializers,
            input: end(ENDS[0], graph.input_shape()),
            output: end(ENDS[1], graph.output_shape()),
            sparse_initializer: Vec::new(),
        }),
        opset_import: vec![OperatorSet { domain: Some(String::new()), version: Some(OPSET) }],
    };
    let length = model.encoded_len();
    if length > MOST_BYTES {
        let expected = "at most 2 GiB, which is what an ONNX file holds";
        return Err(Error::format("the network", expected, format!("{length} bytes")));
    }
    Ok(model.encode_to_vec())
}

/// Writes beside `path`, then renames.
fn save(bytes: &[u8], path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        // Minus the umask; without this nobody but the user could read the result.
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    let mut file: NamedTempFile = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Puts the nodes of a file together.
struct Writer<'a> {
    graph: &'a Graph,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// Names of the constants of the graph that are written.
    constants: HashMap<usize, String>,
    /// How often the name of a node was used.
    names: HashMap<String, usize>,
}

impl<'a> Writer<'a> {
    fn new(graph: &'a Graph) -> Self {
        Self {
            graph,
            nodes: Vec::new(),
            initializers: Vec::new(),
            constants: HashMap::new(),
            names: HashMap::new(),
        }
    }

    fn node(&mut self, position: usize, node: &'a Node) -> Result<()> {
        let mut place = Place { node, out: self.value(position), parts: 0 };
        match &node.op {
            Op::Input => Ok(()),
            Op::Unary(function) => self.unary(&mut place, *function),
            Op::Binary(_) | Op::ParametricRelu | Op::Clip { .. } | Op::FakeQuantize { .. } => {
                self.elementwise(&mut place)
            }
            Op::Linear
            | Op::MatMul
            | Op::Convolution(_)
            | Op::TransposedConvolution(_)
            | Op::MaxPool(_)
            | Op::AveragePool(_) => self.layer(&mut place),
            Op::Reduce { .. }
            | Op::Softmax { .. }
            | Op::LogSoftmax { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Gather { .. }
            | Op::Concat { .. }
            | Op::Pad { .. }
            | Op::Expand => self.shape(&mut place),
        }
    }

    /// Name of the result of a node of the graph.
    fn value(&self, position: usize) -> String {
        match position {
            0 => ENDS[0].into(),
            _ if position == self.graph.output() => ENDS[1].into(),
            _ => format!("value{position}"),
        }
    }

    /// Name of an operand, which is written if it is a constant.
    fn operand(&mut self, place: &Place<'_>, index: usize) -> Result<String> {
        match place.node.operands[index] {
            Operand::Node(position) => Ok(self.value(position)),
            Operand::Constant(position) => {
                if let Some(name) = self.constants.get(&position) {
                    return Ok(name.clone());
                }
                let name = self.floats(place, &self.graph.constants()[position])?;
                self.constants.insert(position, name.clone());
                Ok(name)
            }
        }
    }

    /// Name of an operand as it broadcasts in a result of `rank` axes beside the batch, which
    /// ONNX counts as one of them.
    fn aligned(&mut self, place: &mut Place<'_>, index: usize, rank: usize) -> Result<String> {
        let operand = place.node.operands[index];
        let own = self.graph.shape(operand);
        let name = self.operand(place, index)?;
        if own.len() >= rank || matches!(operand, Operand::Constant(_)) {
            return Ok(name);
        }
        let mut shape = vec![0];
        shape.resize(1 + rank - own.len(), 1);
        shape.extend(own.iter().map(|&side| side as i64));
        Ok(self.reshaped(place, &name, &shape))
    }

    /// Another shape, in which 0 stands for the batch.
    fn reshaped(&mut self, place: &mut Place<'_>, x: &str, shape: &[i64]) -> String {
        let shape = self.integers(shape);
        self.part(place, "Reshape", &[x, &shape], Vec::new())
    }

    /// A constant of floats.
    fn floats(&mut self, place: &Place<'_>, array: &Array) -> Result<String> {
        let name = format!("constant{}", self.initializers.len());
        let tensor = message::floats(&name, array).map_err(|index| {
            let name = place.node.name.clone();
            Error::NotFinite { name, index }
        })?;
        self.initializers.push(tensor);
        Ok(name)
    }

    /// One number, where it is a part of how an operation is written.
    fn number(&mut self, place: &Place<'_>, value: f64) -> Result<String> {
        self.floats(place, &Array::scalar(value))
    }

    /// A constant list of integers.
    fn integers(&mut self, values: &[i64]) -> String {
        let name = format!("constant{}", self.initializers.len());
        self.initializers.push(message::integers(&name, values));
        name
    }

    /// A step on the way to the result of a node.
    fn part(
        &mut self,
        place: &mut Place<'_>,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<super::proto::Attribute>,
    ) -> String {
        place.parts += 1;
        let out = format!("{}.{}", place.out, place.parts);
        self.emit(&place.node.name, operator, inputs, &out, attributes);
        out
    }

    /// The last step.
    fn last(
        &mut self,
        place: &Place<'_>,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<super::proto::Attribute>,
    ) {
        self.emit(&place.node.name, operator, inputs, &place.out, attributes);
    }

    fn emit(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<super::proto::Attribute>,
    ) {
        let count = self.names.entry(name.to_owned()).or_default();
        *count += 1;
        let name = if *count == 1 { name.to_owned() } else { format!("{name}#{count}") };
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: Some(name),
            op_type: Some(operator.to_owned()),
            attribute,
            domain: None,
        });
    }
}

/// The node that is written, and the name of its result.
struct Place<'a> {
    node: &'a Node,
    out: String,
    /// Steps that are written.
    parts: usize,
}
