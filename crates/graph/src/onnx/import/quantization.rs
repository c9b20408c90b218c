//! Values in steps: the integers of a quantised network, held as floats.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Value, one, refuse};
use crate::onnx::proto::element;
use crate::{Array, Binary, Op};

pub(super) const OPERATORS: &[(&str, Handler)] =
    &[("DequantizeLinear", dequantize), ("QuantizeLinear", quantize)];

fn quantize(importer: &mut Importer, call: &Call<'_>) -> Imported {
    call.ignore("saturate");
    call.ignore("precision");
    let x = call.operand(0)?;
    let kind = match (call.optional(2), call.int("output_dtype", 0) as i32) {
        (Some(Value::Constant { element, .. }), _) => *element,
        (_, 0) => element::UINT8,
        (_, given) => given,
    };
    let Some((low, high)) = element::range(kind) else {
        return refuse(format!("steps of type {}", element::name(kind)));
    };
    let (scale, zero) = parameters(importer, call, x)?;
    let scaled = importer.binary(call, Binary::Div, x, &Value::float(scale))?;
    // Rounded before the zero point is added, so that ties go to the even step of the scale.
    let first = zero.values().first().copied().unwrap_or(0.0);
    if zero.values().iter().any(|&zero| zero != first) {
        return refuse("zero points that differ from channel to channel");
    }
    let op = Op::FakeQuantize { low: low - first, high: high - first };
    let steps = vec![Array::scalar(1.0), Array::scalar(0.0)];
    let shifted = importer.apply(call, op, &scaled, steps)?;
    let steps = importer.binary(call, Binary::Add, &shifted, &Value::float(zero))?;
    one(match steps {
        Value::Constant { array, .. } => Value::Constant { array, element: kind },
        sample => sample,
    })
}

fn dequantize(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let (scale, zero) = parameters(importer, call, x)?;
    let shifted = importer.binary(call, Binary::Sub, x, &Value::float(zero))?;
    let result = importer.binary(call, Binary::Mul, &shifted, &Value::float(scale))?;
    one(match result {
        Value::Constant { array, .. } => Value::float(array),
        sample => sample,
    })
}

/// Scale and zero point, shaped to meet x.
fn parameters(importer: &Importer, call: &Call<'_>, x: &Value) -> Imported<(Array, Array)> {
    if call.int("block_size", 0) != 0 {
        return refuse("a scale a block");
    }
    let scale = call.constant(1)?;
    let zero = call.optional_constant(2)?;
    let zeros = Array::full(scale.shape(), 0.0)?;
    let zero = zero.unwrap_or(&zeros);
    if zero.shape() != scale.shape() {
        return refuse("scale and zero point differ in shape");
    }
    let number = call.int("axis", 1);
    if scale.len() == 1 {
        let [scale, zero] = [scale, zero].map(|array| Array::scalar(array.values()[0]));
        return Ok((scale, zero));
    }
    let axis = importer.axis(x, number)?;
    let rank = match x {
        Value::Constant { array, .. } => array.shape().len(),
        other => importer.builder.shape(Importer::sample(other)?.0).len(),
    };
    let mut shape = vec![1; rank];
    shape[axis] = scale.len();
    Ok((scale.clone().reshape(&shape)?, zero.clone().reshape(&shape)?))
}
