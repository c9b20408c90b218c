//! Matrix products.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Value, fold, one, refuse, transposed};
use crate::{Array, Binary, Op};

pub(super) const OPERATORS: &[(&str, Handler)] = &[("Gemm", gemm), ("MatMul", mat_mul)];

/// `alpha · A' · B' + beta · C`.
fn gemm(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (alpha, beta) = (call.float("alpha", 1.0), call.float("beta", 1.0));
    let (turn_a, turn_b) = (call.int("transA", 0) != 0, call.int("transB", 0) != 0);
    if call.opset < 7 {
        let _ = call.int("broadcast", 0);
    }
    let a = call.operand(0)?;
    if let (Value::Constant { array, element }, true) = (a, turn_a) {
        let array = transposed(array)?;
        return gemm_of(
            importer,
            call,
            &Value::Constant { array, element: *element },
            turn_b,
            [alpha, beta],
        );
    }
    if turn_a {
        return refuse("`transA` puts the batch axis last");
    }
    gemm_of(importer, call, a, turn_b, [alpha, beta])
}

fn gemm_of(
    importer: &mut Importer,
    call: &Call<'_>,
    a: &Value,
    turn_b: bool,
    [alpha, beta]: [f64; 2],
) -> Imported {
    if importer.full_shape(a)?.len() != 2 {
        return refuse("its first operand must have two axes");
    }
    let b = call.constant(1)?;
    let b = if turn_b { transposed(b)? } else { b.clone() };
    let &[_, outputs] = b.shape() else { return refuse("its second operand must have two axes") };
    let mut more = vec![b.map(|weight| alpha * weight)];
    let mut extra = None;
    match call.optional(2) {
        None => {}
        Some(Value::Constant { array, .. }) => {
            let bias = match a {
                Value::Constant { .. } => array.clone(),
                _ => importer.of_each(array, 1)?,
            };
            let scaled = bias.map(|bias| beta * bias);
            if scaled.shape().len() <= 1 {
                let zeros = Array::full(&[outputs], 0.0)?;
                more.push(fold(&Op::Binary(Binary::Add), &[&zeros, &scaled])?);
            } else {
                extra = Some(Value::float(scaled));
            }
        }
        Some(other) => {
            let scale = Value::float(Array::scalar(beta));
            extra = Some(importer.binary(call, Binary::Mul, other, &scale)?);
        }
    }
    let product = importer.apply(call, Op::Linear, a, more)?;
    match extra {
        None => one(product),
        Some(extra) => one(importer.binary(call, Binary::Add, &product, &extra)?),
    }
}

fn mat_mul(importer: &mut Importer, call: &Call<'_>) -> Imported {
    one(importer.product(call, call.operand(0)?, call.operand(1)?)?)
}
