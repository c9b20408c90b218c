//! Reductions and softmax.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Value, one, refuse};
use crate::{Array, Binary, Op, Reduction, Unary};

pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("LogSoftmax", |i, c| softmax(i, c, true)),
    ("ReduceL1", |i, c| {
        let x = i.apply(c, Op::Unary(Unary::Abs), c.operand(0)?, Vec::new())?;
        reduce(i, c, &x, Reduction::Sum)
    }),
    ("ReduceL2", |i, c| {
        let x = squared(i, c)?;
        let sum = reduce(i, c, &x, Reduction::Sum)?;
        one(i.apply(c, Op::Unary(Unary::Sqrt), &sum[0], Vec::new())?)
    }),
    ("ReduceMax", |i, c| reduce(i, c, c.operand(0)?, Reduction::Max)),
    ("ReduceMean", |i, c| reduce(i, c, c.operand(0)?, Reduction::Mean)),
    ("ReduceMin", |i, c| reduce(i, c, c.operand(0)?, Reduction::Min)),
    ("ReduceProd", product),
    ("ReduceSum", |i, c| reduce(i, c, c.operand(0)?, Reduction::Sum)),
    ("ReduceSumSquare", |i, c| {
        let x = squared(i, c)?;
        reduce(i, c, &x, Reduction::Sum)
    }),
    ("Softmax", |i, c| softmax(i, c, false)),
];

fn squared(importer: &mut Importer, call: &Call<'_>) -> Imported<Value> {
    let x = call.operand(0)?;
    importer.binary(call, Binary::Mul, x, x)
}

fn reduce(importer: &mut Importer, call: &Call<'_>, x: &Value, by: Reduction) -> Imported {
    let keep = call.int("keepdims", 1) != 0;
    let given = match call.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => call.optional_integers(1)?,
    };
    let nothing = call.int("noop_with_empty_axes", 0) != 0;
    let rank = importer.full_shape(x)?.len();
    let given = match given {
        Some(axes) if !axes.is_empty() => axes,
        _ if nothing => return one(x.clone()),
        _ => (0..rank as i64).collect(),
    };
    let mut axes =
        given.iter().map(|&axis| importer.axis(x, axis)).collect::<Imported<Vec<_>>>()?;
    axes.sort_unstable();
    axes.dedup();
    let reduced = importer.apply(call, Op::Reduce { by, axes: axes.clone() }, x, Vec::new())?;
    if keep {
        return one(reduced);
    }
    let own = importer.own_shape(&reduced)?;
    let kept = own.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    let shape = kept.map(|(_, &length)| length).collect();
    one(importer.shaped(call, Op::Reshape, &reduced, shape)?)
}

/// The product of constants: what shapes are computed with.
fn product(_: &mut Importer, call: &Call<'_>) -> Imported {
    let array = call.constant(0)?;
    let whole = call.ints("axes").is_none_or(|axes| axes.len() == array.shape().len());
    if !whole || call.optional(1).is_some() {
        return refuse("a product along some axes");
    }
    let product = array.values().iter().product();
    let shape =
        if call.int("keepdims", 1) != 0 { vec![1; array.shape().len()] } else { Vec::new() };
    let Value::Constant { element, .. } = call.operand(0)? else {
        return refuse("a product of samples");
    };
    one(Value::Constant { array: Array::new(shape, vec![product])?, element: *element })
}

fn softmax(importer: &mut Importer, call: &Call<'_>, log: bool) -> Imported {
    let x = call.operand(0)?;
    let op = |axis| if log { Op::LogSoftmax { axis } } else { Op::Softmax { axis } };
    if call.opset >= 13 {
        let axis = importer.axis(x, call.int("axis", -1))?;
        return one(importer.apply(call, op(axis), x, Vec::new())?);
    }
    // Before opset 13 all axes from the given one on are one.
    let axis = importer.axis(x, call.int("axis", 1))?;
    let own = importer.own_shape(x)?;
    let mut flat = own[..axis].to_vec();
    flat.push(own[axis..].iter().product());
    let joined = importer.shaped(call, Op::Reshape, x, flat)?;
    let result = importer.apply(call, op(axis), &joined, Vec::new())?;
    one(importer.shaped(call, Op::Reshape, &result, own)?)
}
