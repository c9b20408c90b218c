//! The messages of a file: attributes, tensors, ends.
use crate::Array;
use crate::onnx::proto::{
    Attribute, Dimension, TensorProto, TensorShape, TensorType, TypeProto, ValueInfo, attribute,
    element,
};

pub(super) fn float(name: &str, value: f64) -> Attribute {
    let (f, kind) = (Some(value as f32), Some(attribute::FLOAT));
    Attribute { name: Some(name.into()), f, kind, ..Attribute::default() }
}

pub(super) fn int(name: &str, value: usize) -> Attribute {
    let (i, kind) = (Some(value as i64), Some(attribute::INT));
    Attribute { name: Some(name.into()), i, kind, ..Attribute::default() }
}

pub(super) fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Attribute {
    let ints = values.into_iter().map(|value| value as i64).collect();
    Attribute { name: Some(name.into()), ints, kind: Some(attribute::INTS), ..Attribute::default() }
}

/// A tensor of 32-bit floats.
///
/// # Errors
/// The place of a finite value that is too large for them.
pub(super) fn floats(name: &str, array: &Array) -> Result<TensorProto, usize> {
    let mut raw = Vec::with_capacity(array.len() * 4);
    for (place, &value) in array.values().iter().enumerate() {
        let single = value as f32;
        if value.is_finite() && !single.is_finite() {
            return Err(place);
        }
        raw.extend(single.to_le_bytes());
    }
    Ok(tensor(name, array.shape(), element::FLOAT, raw))
}

/// A list of 64-bit integers.
pub(super) fn integers(name: &str, values: &[i64]) -> TensorProto {
    let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, &[values.len()], element::INT64, raw)
}

/// One byte without an axis.
pub(super) fn byte(name: &str, value: u8) -> TensorProto {
    tensor(name, &[], element::UINT8, vec![value])
}

fn tensor(name: &str, shape: &[usize], kind: i32, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&side| side as i64).collect(),
        data_type: Some(kind),
        name: Some(name.into()),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

/// An input or output of samples of `shape` in a batch of any length.
pub(super) fn value(name: &str, shape: &[usize]) -> ValueInfo {
    let batch = Dimension { dim_value: None, dim_param: Some("N".into()) };
    let side = |&side: &usize| Dimension { dim_value: Some(side as i64), dim_param: None };
    let dim = std::iter::once(batch).chain(shape.iter().map(side)).collect();
    let tensor = TensorType { elem_type: Some(element::FLOAT), shape: Some(TensorShape { dim }) };
    ValueInfo { name: Some(name.into()), kind: Some(TypeProto { tensor: Some(tensor) }) }
}
