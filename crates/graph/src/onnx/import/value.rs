//! What a name of a file stands for while it is imported.
use crate::onnx::proto::element;
use crate::{Array, Operand};

/// A constant, or a value of each sample.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The same for each sample, in its whole ONNX shape.
    Constant {
        array: Array,
        /// Its ONNX type.
        element: i32,
    },
    /// One a sample: a node of the graph.
    Sample {
        operand: Operand,
        /// Whether the ONNX value has the batch as its first axis, which the graph leaves away.
        batched: bool,
    },
    /// The result of a node that could not be imported.
    Unknown,
}

impl Value {
    pub(super) fn float(array: Array) -> Self {
        Value::Constant { array, element: element::FLOAT }
    }

    pub(super) fn integers(values: impl IntoIterator<Item = usize>) -> Self {
        let values = values.into_iter().map(|value| value as f64).collect();
        Value::Constant { array: Array::vector(values), element: element::INT64 }
    }
}

/// Why a node cannot be imported.
#[derive(Debug)]
pub(super) struct Reason(pub(super) String);

impl From<crate::Error> for Reason {
    fn from(error: crate::Error) -> Self {
        Reason(error.to_string())
    }
}

/// The results of a node, in the order of its outputs.
pub(super) type Imported<T = Vec<Value>> = Result<T, Reason>;

pub(super) fn refuse<T>(reason: impl Into<String>) -> Imported<T> {
    Err(Reason(reason.into()))
}
