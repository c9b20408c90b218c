//! What is known before any sample: constants, shapes, comparisons of them.
use super::Handler;
use super::call::Call;
use crate::array::{broadcast_strides, checked};
use crate::lift::{Imported, Importer, Value, one, refuse};
use crate::onnx::proto::{attribute, element};
use crate::onnx::tensor;
use crate::{Array, broadcast};

pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("And", |_, c| compare(c, |a, b| a != 0.0 && b != 0.0)),
    ("Constant", constant),
    ("ConstantOfShape", of_shape),
    ("Equal", |_, c| compare(c, |a, b| a == b)),
    ("Greater", |_, c| compare(c, |a, b| a > b)),
    ("GreaterOrEqual", |_, c| compare(c, |a, b| a >= b)),
    ("Less", |_, c| compare(c, |a, b| a < b)),
    ("LessOrEqual", |_, c| compare(c, |a, b| a <= b)),
    ("Not", not),
    ("Or", |_, c| compare(c, |a, b| a != 0.0 || b != 0.0)),
    ("Range", range),
    ("Shape", shape),
    ("Size", size),
    ("Where", choose),
];

fn constant(_: &mut Importer, call: &Call<'_>) -> Imported {
    if let Some(value) = call.tensor("value") {
        let typed = tensor::read(value, None)?;
        return one(Value::Constant { array: typed.array, element: typed.element });
    }
    if let Some(value) = call.optional_float("value_float") {
        return one(Value::float(Array::scalar(value)));
    }
    if let Some(values) = call.floats("value_floats") {
        return one(Value::float(Array::vector(values.iter().copied().map(f64::from).collect())));
    }
    if let Some(values) = call.ints("value_ints") {
        let array = Array::vector(values.iter().map(|&value| value as f64).collect());
        return one(Value::Constant { array, element: element::INT64 });
    }
    if call.has("value_int", attribute::INT) {
        let array = Array::scalar(call.int("value_int", 0) as f64);
        return one(Value::Constant { array, element: element::INT64 });
    }
    refuse("a constant of numbers is needed")
}

fn of_shape(_: &mut Importer, call: &Call<'_>) -> Imported {
    let lengths = super::layout::whole(call.constant(0)?.values())?;
    let shape: Option<Vec<usize>> =
        lengths.iter().map(|&side| usize::try_from(side).ok()).collect();
    let Some(shape) = shape else { return refuse(format!("a shape of {lengths:?}")) };
    let (value, element) = match call.tensor("value") {
        None => (0.0, element::FLOAT),
        Some(value) => {
            let typed = tensor::read(value, None)?;
            (typed.array.values().first().copied().unwrap_or(0.0), typed.element)
        }
    };
    one(Value::Constant { array: Array::full(&shape, value)?, element })
}

fn range(_: &mut Importer, call: &Call<'_>) -> Imported {
    let number = |index| -> Imported<f64> {
        match call.constant(index)?.values() {
            [value] => Ok(*value),
            other => refuse(format!("one number is needed, got {}", other.len())),
        }
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((limit - start) / step).ceil().max(0.0);
    if !count.is_finite() {
        return refuse(format!("a range from {start} to {limit} by {step}"));
    }
    let count = checked(&[count as usize])?;
    let array = Array::vector((0..count).map(|at| start + at as f64 * step).collect());
    let Value::Constant { element, .. } = call.operand(0)? else { return refuse("no constant") };
    one(Value::Constant { array, element: *element })
}

fn shape(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let shape = importer.full_shape(call.operand(0)?)?;
    let rank = shape.len() as i64;
    let end = |index: i64| {
        let index = if index < 0 { index.saturating_add(rank) } else { index };
        index.clamp(0, rank) as usize
    };
    let (start, end) = (end(call.int("start", 0)), end(call.int("end", rank)));
    one(Value::integers(shape.get(start..end).unwrap_or(&[]).iter().copied()))
}

fn size(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let size: usize = importer.full_shape(call.operand(0)?)?.iter().product();
    let array = Array::scalar(size as f64);
    one(Value::Constant { array, element: element::INT64 })
}

fn not(_: &mut Importer, call: &Call<'_>) -> Imported {
    let array = call.constant(0)?.clone().map(|value| f64::from(u8::from(value == 0.0)));
    one(Value::Constant { array, element: element::BOOL })
}

fn compare(call: &Call<'_>, holds: fn(f64, f64) -> bool) -> Imported {
    let (a, b) = (call.constant(0)?, call.constant(1)?);
    let shape = broadcast(a.shape(), b.shape())?;
    let [a, b] = [spread(a, &shape)?, spread(b, &shape)?];
    let values = a.values().iter().zip(b.values());
    let values = values.map(|(&a, &b)| f64::from(u8::from(holds(a, b)))).collect();
    one(Value::Constant { array: Array::new(shape, values)?, element: element::BOOL })
}

fn choose(_: &mut Importer, call: &Call<'_>) -> Imported {
    let (chosen, yes, no) = (call.constant(0)?, call.constant(1)?, call.constant(2)?);
    let shape = broadcast(&broadcast(chosen.shape(), yes.shape())?, no.shape())?;
    let [chosen, yes, no] = [spread(chosen, &shape)?, spread(yes, &shape)?, spread(no, &shape)?];
    let pick = |at: usize| {
        if chosen.values()[at] == 0.0 { no.values()[at] } else { yes.values()[at] }
    };
    let array = Array::from_fn(&shape, pick)?;
    let Value::Constant { element, .. } = call.operand(1)? else { return refuse("no constant") };
    one(Value::Constant { array, element: *element })
}

fn spread(array: &Array, shape: &[usize]) -> Imported<Array> {
    let own = broadcast_strides(array.shape(), shape);
    Ok(array.gather(shape, |at| at.iter().zip(&own).map(|(at, stride)| at * stride).sum())?)
}
