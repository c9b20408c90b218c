//! What a name of a file, or a tensor of a recording, stands for while it is imported.
use crate::onnx::element;
use crate::{Array, Operand};

/// A constant, or a value of each sample.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// The same for each sample, in its whole shape.
    Constant {
        array: Array,
        /// Its ONNX type.
        element: i32,
    },
    /// One a sample: a node of the graph.
    Sample {
        operand: Operand,
        /// Whether the value has the batch as its first axis, which the graph leaves away.
        batched: bool,
    },
    /// The result of a node that could not be imported.
    Unknown,
}

impl Value {
    /// A constant of floats.
    pub(crate) fn float(array: Array) -> Self {
        Value::Constant { array, element: element::FLOAT }
    }

    /// A constant of integers, or of truth values.
    pub(crate) fn integers(values: impl IntoIterator<Item = usize>) -> Self {
        let values = values.into_iter().map(|value| value as f64).collect();
        Value::Constant { array: Array::vector(values), element: element::INT64 }
    }
}

/// Why a node cannot be imported.
#[derive(Debug)]
pub(crate) struct Reason(pub(crate) String);

impl From<crate::Error> for Reason {
    fn from(error: crate::Error) -> Self {
        Reason(error.to_string())
    }
}

/// The results of a node, in the order of its outputs.
pub(crate) type Imported<T = Vec<Value>> = Result<T, Reason>;

pub(crate) fn refuse<T>(reason: impl Into<String>) -> Imported<T> {
    Err(Reason(reason.into()))
}
