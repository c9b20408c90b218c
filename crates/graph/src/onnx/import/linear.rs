//! Matrix products.
use super::call::Call;
use super::value::{Imported, Value, refuse};
use super::{Handler, Importer, fold, one};
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

fn transposed(matrix: &Array) -> Imported<Array> {
    Ok(fold(&Op::Transpose { axes: vec![1, 0] }, &[matrix])?)
}

fn mat_mul(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    match (a, b) {
        (Value::Constant { array, element }, Value::Constant { array: other, .. }) => {
            let (a, b) = (array.clone(), other.clone());
            // A vector is a row on the left and a column on the right.
            let (row, column) = (a.shape().len() == 1, b.shape().len() == 1);
            let a = if row {
                let n = a.len();
                a.reshape(&[1, n])?
            } else {
                a
            };
            let b = if column {
                let n = b.len();
                b.reshape(&[n, 1])?
            } else {
                b
            };
            let mut product = fold(&Op::MatMul, &[&a, &b])?;
            let mut shape = product.shape().to_vec();
            if column {
                shape.pop();
            }
            if row {
                shape.remove(shape.len() - 1 - usize::from(!column));
            }
            product = product.reshape(&shape)?;
            one(Value::Constant { array: product, element: *element })
        }
        (Value::Sample { operand, batched }, Value::Constant { array, .. }) => {
            let own = importer.builder.shape(*operand).to_vec();
            if own.is_empty() {
                return refuse("its first operand has no axis beside the batch");
            }
            match array.shape().len() {
                1 => {
                    let column = array.clone().reshape(&[array.len(), 1])?;
                    let product = importer.apply(call, Op::Linear, a, vec![column])?;
                    one(importer.shaped(
                        call,
                        Op::Reshape,
                        &product,
                        own[..own.len() - 1].to_vec(),
                    )?)
                }
                2 => one(importer.apply(call, Op::Linear, a, vec![array.clone()])?),
                _ if own.len() < 2 => refuse("the batch axis would be a row of the product"),
                _ => {
                    let array =
                        if *batched { importer.of_each(array, own.len())? } else { array.clone() };
                    one(importer.apply(call, Op::MatMul, a, vec![array])?)
                }
            }
        }
        (Value::Constant { array, .. }, Value::Sample { operand, batched }) => {
            let own = importer.builder.shape(*operand).to_vec();
            if own.len() == 1 && !batched && array.shape().len() == 2 {
                return one(importer.apply(call, Op::Linear, b, vec![transposed(array)?])?);
            }
            if own.len() < 2 || array.shape().len() < 2 {
                return refuse("the batch axis would be summed over, so samples would mix");
            }
            let array = if *batched { importer.of_each(array, own.len())? } else { array.clone() };
            let left = importer.builder.constant(array);
            let operand = importer.builder.push(&call.name, Op::MatMul, vec![left, *operand])?;
            one(Value::Sample { operand, batched: *batched })
        }
        (Value::Sample { operand: x, batched }, Value::Sample { operand: y, batched: other }) => {
            let ranks = [*x, *y].map(|operand| importer.builder.shape(operand).len());
            if batched != other || ranks[0] != ranks[1] || ranks[0] < 2 {
                return refuse("the batch axis would take part in the product");
            }
            let operand = importer.builder.push(&call.name, Op::MatMul, vec![*x, *y])?;
            one(Value::Sample { operand, batched: *batched })
        }
        _ => refuse("an operand is unknown"),
    }
}
