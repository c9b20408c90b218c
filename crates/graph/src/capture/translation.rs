//! From recorded operations to a graph.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;

use burn::tensor::TensorData;
use burn_ir::{OperationIr, TensorId, TensorIr};

use super::choice::Choice;
use super::recording::Recording;
use super::{INPUT, activation, base, constants, float, layers, numeric};
use crate::lift::{Imported, Importer, Reason, Value, refuse};
use crate::{Error, Graph, Op, Result, Unsupported};

/// The graph of a recording of `batch` samples of `shape`.
pub(super) fn translate(recording: &Recording, shape: &[usize], batch: usize) -> Result<Graph> {
    let mut importer = Importer::new(INPUT, shape.to_vec(), batch);
    let features = shape.iter().product();
    let input = importer.builder.input();
    let row = importer.builder.shaped(INPUT, Op::Reshape, input, vec![features])?;
    let rows = Value::Sample { operand: row, batched: true };
    let mut translator = Translator {
        importer,
        given: &recording.values,
        values: HashMap::from([(recording.input, rows)]),
        choices: HashMap::new(),
        lost: HashSet::new(),
    };
    let mut refused = Vec::new();
    for (position, operation) in recording.operations.iter().enumerate() {
        translator.step(position, operation, &mut refused);
    }
    if !refused.is_empty() {
        return Err(Error::Unsupported { nodes: refused });
    }
    match translator.by_id(recording.output) {
        Some(Value::Sample { operand, batched: true }) => {
            translator.importer.builder.finish(operand)
        }
        Some(Value::Sample { .. }) => Err(Error::Mixes("the output has no batch axis".into())),
        Some(Value::Constant { .. }) => Err(Error::ConstantOutput),
        Some(Value::Unknown) | None => {
            Err(Error::Recording("nothing that is understood makes the output".into()))
        }
    }
}

/// Translates one operation after the other.
pub(super) struct Translator<'a> {
    pub(super) importer: Importer,
    given: &'a BTreeMap<TensorId, TensorData>,
    values: HashMap<TensorId, Value>,
    /// Comparisons of samples, by the mask they make.
    pub(super) choices: HashMap<TensorId, Choice>,
    /// Results of operations that were refused: what needs them has no fault of its own.
    lost: HashSet<TensorId>,
}

impl Translator<'_> {
    fn step(&mut self, position: usize, operation: &OperationIr, refused: &mut Vec<Unsupported>) {
        if matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_)) {
            // Its value is among those given; a handle that is dropped computes nothing.
            return;
        }
        if operation.inputs().any(|input| self.lost.contains(&input.id)) {
            self.lost.extend(operation.outputs().map(|output| output.id));
            return;
        }
        let operator = kind(operation);
        let name = format!("{position} {operator}");
        let results = self.operation(&name, operation).and_then(|all| self.importer.count(all));
        match results {
            Ok(results) => {
                let mut results = results.into_iter();
                for output in operation.outputs() {
                    // What a mask is is known by the comparison that made it.
                    self.values.insert(output.id, results.next().unwrap_or(Value::Unknown));
                }
            }
            Err(Reason(reason)) => {
                refused.push(Unsupported { node: name, operator, reason });
                self.lost.extend(operation.outputs().map(|output| output.id));
            }
        }
    }

    fn operation(&mut self, name: &str, operation: &OperationIr) -> Imported {
        match operation {
            OperationIr::BaseFloat(operation)
            | OperationIr::BaseInt(operation)
            | OperationIr::BaseBool(operation) => base::translate(self, name, operation),
            OperationIr::NumericFloat(_, operation) | OperationIr::NumericInt(_, operation) => {
                numeric::translate(self, name, operation)
            }
            OperationIr::Float(_, operation) => float::translate(self, name, operation),
            OperationIr::Activation(operation) => activation::translate(self, name, operation),
            OperationIr::Module(operation) => layers::translate(self, name, operation),
            OperationIr::Int(operation) => constants::integers(self, operation),
            OperationIr::Bool(operation) => constants::truths(self, operation),
            OperationIr::Init(_) | OperationIr::Drop(_) => Ok(Vec::new()),
            OperationIr::Custom(_) => refuse("operations of extensions are not understood"),
            OperationIr::Distributed(_) => refuse("devices that work together are not understood"),
        }
    }

    /// What a tensor stands for.
    ///
    /// # Errors
    /// A reason if it was not computed from what is understood.
    pub(super) fn value(&self, tensor: &TensorIr) -> Imported<Value> {
        if let Some(value) = self.values.get(&tensor.id) {
            return match value {
                Value::Unknown if self.choices.contains_key(&tensor.id) => refuse(
                    "a comparison of values of samples is understood where it makes a maximum, a \
                     minimum, a rectifier, an elu or a softplus, and nowhere else",
                ),
                Value::Unknown => refuse("it needs the places of values of samples"),
                value => Ok(value.clone()),
            };
        }
        match self.given.get(&tensor.id) {
            Some(data) => constants::given(data),
            None => refuse(format!("nothing makes its operand {}", tensor.id)),
        }
    }

    fn by_id(&self, id: TensorId) -> Option<Value> {
        let known = self.values.get(&id).cloned();
        known.or_else(|| constants::given(self.given.get(&id)?).ok())
    }
}

/// The length of each axis of a tensor.
pub(super) fn sides(tensor: &TensorIr) -> Vec<usize> {
    tensor.shape.iter().copied().collect()
}

/// Name of an operation in burn's representation.
fn kind(operation: &OperationIr) -> String {
    match operation {
        OperationIr::BaseFloat(inner)
        | OperationIr::BaseInt(inner)
        | OperationIr::BaseBool(inner) => head(inner),
        OperationIr::NumericFloat(_, inner) | OperationIr::NumericInt(_, inner) => head(inner),
        OperationIr::Float(_, inner) => head(inner),
        OperationIr::Activation(inner) => head(inner),
        OperationIr::Module(inner) => head(inner),
        OperationIr::Int(inner) => head(inner),
        OperationIr::Bool(inner) => head(inner),
        OperationIr::Custom(custom) => custom.id.clone(),
        OperationIr::Distributed(_) => "Distributed".into(),
        OperationIr::Init(_) => "Init".into(),
        OperationIr::Drop(_) => "Drop".into(),
    }
}

/// The name of a variant, as `Debug` writes it.
fn head(variant: &impl Debug) -> String {
    let text = format!("{variant:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}
