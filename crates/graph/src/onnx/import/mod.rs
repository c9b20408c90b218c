//! From the nodes of a file to a graph of one sample.
//!
//! The batch is the first axis of most values of an ONNX network; the graph has none. So each node
//! is translated with the batch taken off, and a node that would work along it is refused. What
//! does not depend on the input, shapes above all, is computed here, at one batch size; a network
//! whose batch is open is translated twice, at two sizes, and must come out the same.
mod call;
mod constants;
mod convolution;
mod elementwise;
mod layout;
mod linear;
mod normalization;
mod pooling;
mod quantization;
mod reduction;
mod resize;
mod selection;

use std::collections::HashMap;
use std::path::Path;

use super::proto::{GraphProto, NodeProto};
use super::tensor;
use crate::lift::{Imported, Importer, Reason, Value, refuse};
use crate::{Error, Graph, Result, Unsupported};
use call::Call;

/// Translates a node.
type Handler = fn(&mut Importer, &Call<'_>) -> Imported;

/// Operators by family.
const FAMILIES: &[&[(&str, Handler)]] = &[
    constants::OPERATORS,
    convolution::OPERATORS,
    elementwise::OPERATORS,
    layout::OPERATORS,
    linear::OPERATORS,
    normalization::OPERATORS,
    pooling::OPERATORS,
    quantization::OPERATORS,
    reduction::OPERATORS,
    resize::OPERATORS,
    selection::OPERATORS,
];

/// Names of the operators that are understood, in alphabetical order.
#[must_use]
pub fn operators() -> Vec<&'static str> {
    let mut names: Vec<_> =
        FAMILIES.iter().flat_map(|family| family.iter().map(|one| one.0)).collect();
    names.sort_unstable();
    names
}

fn handler(operator: &str) -> Option<Handler> {
    let mut all = FAMILIES.iter().flat_map(|family| family.iter());
    all.find(|(name, _)| *name == operator).map(|(_, handler)| *handler)
}

/// What is translated.
pub(super) struct Source<'a> {
    pub(super) graph: &'a GraphProto,
    /// Version of ONNX's operators.
    pub(super) opset: i64,
    /// Where external data are.
    pub(super) folder: Option<&'a Path>,
    /// Name of the input.
    pub(super) input: &'a str,
    /// Its shape, with the batch if it has one.
    pub(super) shape: Vec<usize>,
    /// Whether the first axis of the input is the batch.
    pub(super) batched: bool,
    /// Name of the output.
    pub(super) output: &'a str,
}

/// The graph of a source.
///
/// # Errors
/// [`Error::Unsupported`] with all nodes that cannot be translated; faults of the file.
pub(super) fn import(source: &Source<'_>) -> Result<Graph> {
    let order = sorted(source)?;
    check_operators(&order)?;
    let (batch, own) = match (source.batched, source.shape.split_first()) {
        (true, Some((&batch, own))) => (batch, own.to_vec()),
        _ => (1, source.shape.clone()),
    };
    let mut importer = Importer::new(source.input, own, batch);
    let mut values: HashMap<&str, Value> = HashMap::new();
    for initializer in &source.graph.initializer {
        let constant = tensor::read(initializer, source.folder)?;
        let value = Value::Constant { array: constant.array, element: constant.element };
        values.insert(initializer.name.as_deref().unwrap_or(""), value);
    }
    let input = Value::Sample { operand: importer.builder.input(), batched: source.batched };
    values.insert(source.input, input);
    let mut refused: Vec<Unsupported> = Vec::new();
    for node in order {
        importer.node(node, source.opset, &mut values, &mut refused);
    }
    if !refused.is_empty() {
        return Err(Error::Unsupported { nodes: refused });
    }
    match values.remove(source.output) {
        Some(Value::Sample { operand, batched }) => {
            if source.batched && !batched {
                let reason = format!("the output `{}` has no batch axis", source.output);
                return Err(Error::Mixes(reason));
            }
            importer.builder.finish(operand)
        }
        Some(_) => Err(Error::ConstantOutput),
        None => Err(Error::format("output", "a value of the graph", source.output)),
    }
}

/// How far the walk through a node has come.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// The nodes that the output needs, each after those it needs.
fn sorted<'a>(source: &Source<'a>) -> Result<Vec<&'a NodeProto>> {
    let nodes = &source.graph.node;
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (position, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if makers.insert(output, position).is_some() {
                let expected = "each value to have one name";
                return Err(Error::format("nodes", expected, format!("two of `{output}`")));
            }
        }
    }
    let mut marks = vec![Mark::New; nodes.len()];
    let mut order = Vec::new();
    let mut stack: Vec<usize> = makers.get(source.output).copied().into_iter().collect();
    while let Some(&position) = stack.last() {
        match marks[position] {
            Mark::New => {
                marks[position] = Mark::Open;
                for input in nodes[position].input.iter().filter(|name| *name != source.input) {
                    let Some(&maker) = makers.get(input.as_str()) else { continue };
                    match marks[maker] {
                        Mark::New => stack.push(maker),
                        Mark::Open => {
                            let got = format!("`{input}` needs itself");
                            return Err(Error::format("nodes", "no cycle", got));
                        }
                        Mark::Done => {}
                    }
                }
            }
            Mark::Open => {
                marks[position] = Mark::Done;
                order.push(&nodes[position]);
                stack.pop();
            }
            Mark::Done => {
                stack.pop();
            }
        }
    }
    Ok(order)
}

/// Lists all operators that nobody knows before anything is computed.
fn check_operators(nodes: &[&NodeProto]) -> Result<()> {
    let mut unknown = Vec::new();
    for node in nodes {
        let (operator, domain) =
            (node.op_type.as_deref().unwrap_or(""), node.domain.as_deref().unwrap_or(""));
        let own = matches!(domain, "" | "ai.onnx");
        if own && handler(operator).is_some() {
            continue;
        }
        let (operator, reason) = if own {
            (operator.to_owned(), "no such operator is understood")
        } else {
            (format!("{domain}.{operator}"), "only ONNX's own operators are understood")
        };
        let reason = hint(&operator, reason);
        unknown.push(Unsupported { node: name(node), operator, reason });
    }
    if unknown.is_empty() { Ok(()) } else { Err(Error::Unsupported { nodes: unknown }) }
}

/// What helps with an operator that is often met and not understood.
fn hint(operator: &str, reason: &str) -> String {
    match operator {
        "ArgMax" | "TopK" | "ai.onnx.ml.ZipMap" => {
            format!("{reason}: export the scores, or name them as the output")
        }
        "If" | "Loop" | "Scan" => format!("{reason}: export without control flow"),
        _ => reason.into(),
    }
}

fn name(node: &NodeProto) -> String {
    match node.name.as_deref() {
        Some(name) if !name.is_empty() => name.into(),
        _ => node.output.join(", "),
    }
}

impl Importer {
    fn node<'a>(
        &mut self,
        node: &'a NodeProto,
        opset: i64,
        values: &mut HashMap<&'a str, Value>,
        refused: &mut Vec<Unsupported>,
    ) {
        let given = |name: &String| match values.get(name.as_str()) {
            _ if name.is_empty() => None,
            Some(value) => Some(value.clone()),
            None => Some(Value::Unknown),
        };
        let operands: Vec<Option<Value>> = node.input.iter().map(given).collect();
        let waits = operands.iter().any(|operand| matches!(operand, Some(Value::Unknown)));
        let missing =
            node.input.iter().find(|name| !name.is_empty() && !values.contains_key(name.as_str()));
        let call = Call::new(node, opset, name(node), operands);
        let result = match (missing, handler(call.operator)) {
            (Some(missing), _) => refuse(format!("nothing makes its operand `{missing}`")),
            // The node before it is in the list: it has no fault of its own.
            _ if waits => Ok(Vec::new()),
            (None, Some(handler)) => handler(self, &call).and_then(|results| match call.unread() {
                Some(unread) => refuse(format!("attribute `{unread}` is not understood")),
                None => self.count(results),
            }),
            (None, None) => refuse("no such operator is understood"),
        };
        let mut results = result.unwrap_or_else(|Reason(reason)| {
            let operator = call.operator.to_owned();
            refused.push(Unsupported { node: call.name.clone(), operator, reason });
            Vec::new()
        });
        results.reverse();
        for output in &node.output {
            let value = results.pop().unwrap_or(Value::Unknown);
            if !output.is_empty() {
                values.insert(output, value);
            }
        }
    }
}
