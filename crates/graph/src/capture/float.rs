//! Functions of floats.
use burn_ir::FloatOperationIr as Float;

use super::constants::cast;
use super::translation::Translator;
use crate::lift::{Imported, Value, one, refuse};
use crate::{Array, Binary, Op, Unary};

pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Float) -> Imported {
    match operation {
        Float::Exp(it) => t.unary(at, Unary::Exp, &it.input),
        Float::Log(it) => t.unary(at, Unary::Log, &it.input),
        Float::Log1p(it) => {
            let x = t.value(&it.input)?;
            if let Value::Sample { operand, batched } = x
                && let Some(node) = t.importer.builder.node(operand)
                && node.op == Op::Unary(Unary::Exp)
            {
                // `ln(1 + exp(x))`, which overflows nowhere in one piece.
                let inner = Value::Sample { operand: node.operands[0], batched };
                let op = Op::Unary(Unary::Softplus);
                return one(t.importer.apply(at, op, &inner, Vec::new())?);
            }
            let one_more = Value::float(Array::scalar(1.0));
            let sum = t.importer.binary(at, Binary::Add, &x, &one_more)?;
            one(t.importer.apply(at, Op::Unary(Unary::Log), &sum, Vec::new())?)
        }
        Float::Erf(it) => t.unary(at, Unary::Erf, &it.input),
        Float::Sqrt(it) => t.unary(at, Unary::Sqrt, &it.input),
        Float::Sin(it) => t.unary(at, Unary::Sin, &it.input),
        Float::Cos(it) => t.unary(at, Unary::Cos, &it.input),
        Float::Tanh(it) => t.unary(at, Unary::Tanh, &it.input),
        Float::Round(it) => t.unary(at, Unary::Round, &it.input),
        Float::Floor(it) => t.unary(at, Unary::Floor, &it.input),
        Float::Ceil(it) => t.unary(at, Unary::Ceil, &it.input),
        Float::Recip(it) => t.unary(at, Unary::Reciprocal, &it.input),
        Float::PowfScalar(it) => t.with(at, Binary::Pow, it),
        Float::Powf(it) => t.pair(at, Binary::Pow, &it.lhs, &it.rhs),
        Float::Matmul(it) => {
            let (a, b) = (t.value(&it.lhs)?, t.value(&it.rhs)?);
            one(t.importer.product(at, &a, &b)?)
        }
        Float::IntoInt(it) => cast(t, it),
        Float::Random(_) => refuse("random numbers are no function of the input"),
        Float::Quantize(_) | Float::Dequantize(_) => {
            refuse("quantised values: dequantise the module first")
        }
        _ => refuse("no operation of a graph does this"),
    }
}
