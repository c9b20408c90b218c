//! Masks: comparisons, and choices between two values by them.
//!
//! Of samples a choice is a maximum, a minimum or one of the activations that burn writes that way;
//! any other would be a step that no operation of a graph is.
use burn_ir::{BaseOperationIr as Base, ScalarIr, TensorId, TensorIr};

use super::constants::scalar;
use super::translation::Translator;
use crate::lift::{Imported, Value, fold, one, refuse};
use crate::onnx::element;
use crate::{Array, Binary, Node, Op, Operand, Unary};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Differs,
    Below,
    NotAbove,
    Above,
    NotBelow,
}

impl Comparison {
    fn holds(self, x: f64, y: f64) -> bool {
        match self {
            Comparison::Equal => x == y,
            Comparison::Differs => x != y,
            Comparison::Below => x < y,
            Comparison::NotAbove => x <= y,
            Comparison::Above => x > y,
            Comparison::NotBelow => x >= y,
        }
    }
}

/// A comparison of which at least one side depends on the input.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    left: Value,
    right: Value,
    by: Comparison,
}

/// Comparisons for equality, and choices.
pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Base) -> Imported {
    match operation {
        Base::MaskWhere(it) => {
            let (tensor, value) = (t.value(&it.tensor)?, t.value(&it.value)?);
            one(choose(t, at, it.mask.id, &value, &tensor)?)
        }
        Base::MaskFill(it) => {
            let tensor = t.value(&it.tensor)?;
            let value = scalar(&it.value, &tensor);
            one(choose(t, at, it.mask.id, &value, &tensor)?)
        }
        Base::Equal(it) => compare(t, &it.lhs, &it.rhs, it.out.id, Comparison::Equal),
        Base::NotEqual(it) => compare(t, &it.lhs, &it.rhs, it.out.id, Comparison::Differs),
        Base::EqualElem(it) => compare_with(t, &it.lhs, &it.rhs, it.out.id, Comparison::Equal),
        Base::NotEqualElem(it) => compare_with(t, &it.lhs, &it.rhs, it.out.id, Comparison::Differs),
        _ => refuse("no choice"),
    }
}

pub(super) fn compare(
    t: &mut Translator<'_>,
    left: &TensorIr,
    right: &TensorIr,
    mask: TensorId,
    by: Comparison,
) -> Imported {
    let (left, right) = (t.value(left)?, t.value(right)?);
    compared(t, left, right, mask, by)
}

pub(super) fn compare_with(
    t: &mut Translator<'_>,
    left: &TensorIr,
    right: &ScalarIr,
    mask: TensorId,
    by: Comparison,
) -> Imported {
    let left = t.value(left)?;
    let right = scalar(right, &left);
    compared(t, left, right, mask, by)
}

fn compared(
    t: &mut Translator<'_>,
    left: Value,
    right: Value,
    mask: TensorId,
    by: Comparison,
) -> Imported {
    if let (Value::Constant { array: a, .. }, Value::Constant { array: b, .. }) = (&left, &right) {
        let [a, b] = spread([a, b])?;
        let pairs = a.values().iter().zip(b.values());
        let values = pairs.map(|(&a, &b)| f64::from(u8::from(by.holds(a, b)))).collect();
        let array = Array::new(a.shape().to_vec(), values)?;
        return one(Value::Constant { array, element: element::BOOL });
    }
    t.choices.insert(mask, Choice { left, right, by });
    one(Value::Unknown)
}

/// Two constants in the shape that they broadcast to.
fn spread([a, b]: [&Array; 2]) -> Imported<[Array; 2]> {
    let shape = crate::broadcast(a.shape(), b.shape())?;
    let none = Array::full(&shape, 0.0)?;
    let wide = |array| fold(&Op::Binary(Binary::Add), &[&none, array]);
    Ok([wide(a)?, wide(b)?])
}

/// `yes` where the mask holds, `no` elsewhere.
pub(super) fn choose(
    t: &mut Translator<'_>,
    at: &str,
    mask: TensorId,
    yes: &Value,
    no: &Value,
) -> Imported<Value> {
    let Some(Choice { left, right, by }) = t.choices.get(&mask).cloned() else {
        return refuse("a choice by a mask that no comparison of values of samples made");
    };
    let binary = match by {
        Comparison::Below | Comparison::NotAbove => Some([Binary::Max, Binary::Min]),
        Comparison::Above | Comparison::NotBelow => Some([Binary::Min, Binary::Max]),
        Comparison::Equal | Comparison::Differs => None,
    };
    if let Some([of_right, of_left]) = binary {
        // Where left < right, right instead of left is the larger of the two.
        if same(yes, &right) && same(no, &left) {
            return extreme(t, at, of_right, &left, &right);
        }
        if same(yes, &left) && same(no, &right) {
            return extreme(t, at, of_left, &left, &right);
        }
    }
    if let Some(value) = activation(t, at, &Choice { left, right, by }, yes, no)? {
        return Ok(value);
    }
    refuse("a choice between values that is no maximum, minimum, rectifier, elu or softplus")
}

/// The larger or smaller of two values: a rectifier or a clipping where one is a number.
fn extreme(
    t: &mut Translator<'_>,
    at: &str,
    by: Binary,
    left: &Value,
    right: &Value,
) -> Imported<Value> {
    let op = match (by, single(right)) {
        (Binary::Max, Some(0.0)) => Op::Unary(Unary::Relu),
        (Binary::Max, Some(low)) => Op::Clip { low, high: f64::INFINITY },
        (_, Some(high)) => Op::Clip { low: f64::NEG_INFINITY, high },
        (_, None) => return t.importer.binary(at, by, left, right),
    };
    t.importer.apply(at, op, left, Vec::new())
}

/// The activations that burn writes as a choice: leaky rectifier, elu and softplus.
fn activation(
    t: &mut Translator<'_>,
    at: &str,
    choice: &Choice,
    yes: &Value,
    no: &Value,
) -> Imported<Option<Value>> {
    let Some(threshold) = single(&choice.right) else { return Ok(None) };
    let below = matches!(choice.by, Comparison::Below | Comparison::NotAbove);
    let (low, high) = if below { (yes, no) } else { (no, yes) };
    if threshold == 0.0 && same(high, &choice.left) {
        let builder = &t.importer.builder;
        let scaled = step(builder, low, Binary::Mul);
        if let Some((inner, factor)) = scaled {
            if same(&inner, high) {
                let slope = vec![Array::scalar(factor)];
                return t.importer.apply(at, Op::ParametricRelu, high, slope).map(Some);
            }
            let before = step(builder, &inner, Binary::Sub).filter(|(_, one)| *one == 1.0);
            let power = before.and_then(|(power, _)| behind(builder, &power, Unary::Exp));
            if power.is_some_and(|x| same(&x, high)) {
                let op = Op::Unary(Unary::Elu { alpha: factor });
                return t.importer.apply(at, op, high, Vec::new()).map(Some);
            }
        }
    }
    softplus(t, at, choice, threshold, [low, high])
}

/// `softplus(clip(β x, t)) / β` below and x above `β x = t`, which is `softplus(β x) / β` to the
/// precision of the numbers for burn's thresholds.
fn softplus(
    t: &mut Translator<'_>,
    at: &str,
    choice: &Choice,
    threshold: f64,
    [low, high]: [&Value; 2],
) -> Imported<Option<Value>> {
    let builder = &t.importer.builder;
    let scaled = step(builder, &choice.left, Binary::Mul);
    let found = step(builder, low, Binary::Div).and_then(|(curve, beta)| {
        let inner = behind(builder, &curve, Unary::Softplus)?;
        let Value::Sample { operand, batched } = inner else { return None };
        let node = builder.node(operand)?;
        let clipped = matches!(node.op, Op::Clip { high, .. } if high == threshold);
        let of = Value::Sample { operand: node.operands[0], batched };
        let (x, factor) = scaled?;
        let fits = clipped && same(&of, &choice.left) && same(&x, high) && factor == beta;
        (fits && threshold >= 15.0).then_some(beta)
    });
    let Some(beta) = found else { return Ok(None) };
    let curve =
        t.importer.apply(at, Op::Unary(Unary::Softplus), &choice.left.clone(), Vec::new())?;
    let beta = Value::float(Array::scalar(beta));
    t.importer.binary(at, Binary::Div, &curve, &beta).map(Some)
}

/// x and the number, of a value that is a function of both.
fn step(builder: &crate::Builder, value: &Value, by: Binary) -> Option<(Value, f64)> {
    let (node, batched) = node(builder, value)?;
    match node.operands[..] {
        [x @ Operand::Node(_), number] if node.op == Op::Binary(by) => {
            let number = builder.value(number).filter(|array| array.len() == 1)?.values()[0];
            Some((Value::Sample { operand: x, batched }, number))
        }
        _ => None,
    }
}

/// x, of a value that is a function of it.
fn behind(builder: &crate::Builder, value: &Value, of: Unary) -> Option<Value> {
    let (node, batched) = node(builder, value)?;
    (node.op == Op::Unary(of)).then(|| Value::Sample { operand: node.operands[0], batched })
}

fn node<'b>(builder: &'b crate::Builder, value: &Value) -> Option<(&'b Node, bool)> {
    match value {
        Value::Sample { operand, batched } => Some((builder.node(*operand)?, *batched)),
        _ => None,
    }
}

/// The one number that a value is.
fn single(value: &Value) -> Option<f64> {
    match value {
        Value::Constant { array, .. } if array.len() == 1 => Some(array.values()[0]),
        _ => None,
    }
}

/// Whether two values are one.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Sample { operand: a, .. }, Value::Sample { operand: b, .. }) => a == b,
        (Value::Constant { array: a, .. }, Value::Constant { array: b, .. }) => {
            a == b || (single(one).is_some() && single(one) == single(other))
        }
        _ => false,
    }
}
