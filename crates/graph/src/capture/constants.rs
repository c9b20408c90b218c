//! Values that are given, and changes of their type.
use burn::tensor::{DType, TensorData};
use burn_ir::{BoolOperationIr, CastOpIr, IntOperationIr, ScalarIr};

use super::translation::Translator;
use crate::Array;
use crate::lift::{Imported, Value, one, refuse};
use crate::onnx::element;

/// A value that was given to the recording device.
pub(super) fn given(data: &TensorData) -> Imported<Value> {
    let kind = data.dtype();
    if matches!(kind, DType::QFloat(_)) {
        return refuse("quantised values: dequantise the module first");
    }
    let shape = data.shape().iter().copied().collect();
    let array = Array::new(shape, data.iter::<f64>().collect())?;
    Ok(Value::Constant { array, element: element_of(kind) })
}

/// The ONNX type that stands for a kind of numbers.
pub(super) fn element_of(kind: DType) -> i32 {
    if kind.is_float() {
        element::FLOAT
    } else if kind.is_bool() {
        element::BOOL
    } else {
        element::INT64
    }
}

/// A number of an operation.
pub(super) fn number(scalar: &ScalarIr) -> f64 {
    scalar.elem()
}

/// A number of an operation, as a constant of the type of the value it meets.
pub(super) fn scalar(scalar: &ScalarIr, beside: &Value) -> Value {
    let element = match beside {
        Value::Constant { element, .. } => *element,
        _ => element::FLOAT,
    };
    Value::Constant { array: Array::scalar(number(scalar)), element }
}

/// The same value in another type: of samples only between floats.
pub(super) fn cast(translator: &Translator<'_>, cast: &CastOpIr) -> Imported {
    let to = cast.out.dtype;
    match translator.value(&cast.input)? {
        Value::Constant { array, .. } => {
            let array = match element_of(to) {
                element::INT64 => array.map(f64::trunc),
                element::BOOL => array.map(|value| f64::from(u8::from(value != 0.0))),
                _ => array,
            };
            one(Value::Constant { array, element: element_of(to) })
        }
        sample if to.is_float() && cast.input.dtype.is_float() => one(sample),
        _ => refuse(format!("values of samples become {to:?}")),
    }
}

/// Operations of integers: all of them constants.
pub(super) fn integers(translator: &Translator<'_>, operation: &IntOperationIr) -> Imported {
    match operation {
        IntOperationIr::IntoFloat(inner) => cast(translator, inner),
        _ => refuse("operations on the bits of integers are not understood"),
    }
}

/// Operations of truth values: all of them constants.
pub(super) fn truths(translator: &Translator<'_>, operation: &BoolOperationIr) -> Imported {
    match operation {
        BoolOperationIr::IntoFloat(inner) | BoolOperationIr::IntoInt(inner) => {
            cast(translator, inner)
        }
        BoolOperationIr::Not(inner) => match translator.value(&inner.input)? {
            Value::Constant { array, element } => {
                let array = array.map(|value| f64::from(u8::from(value == 0.0)));
                one(Value::Constant { array, element })
            }
            _ => refuse("truth values of samples are not understood"),
        },
        _ => refuse("truth values that meet are not understood"),
    }
}
