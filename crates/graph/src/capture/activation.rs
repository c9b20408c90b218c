//! Activations that burn records as one operation.
use burn_ir::ActivationOperationIr as Activation;

use super::constants::number;
use super::translation::Translator;
use crate::lift::{Imported, Value, one, refuse};
use crate::{Array, Op, Unary};

pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Activation) -> Imported {
    match operation {
        Activation::Relu(it) => t.unary(at, Unary::Relu, &it.input),
        Activation::Gelu(it) => t.unary(at, Unary::Gelu, &it.input),
        Activation::Sigmoid(it) => t.unary(at, Unary::Sigmoid, &it.input),
        Activation::HardSigmoid(it) => {
            let (alpha, beta) = (number(&it.alpha), number(&it.beta));
            t.unary(at, Unary::HardSigmoid { alpha, beta }, &it.tensor)
        }
        Activation::LeakyRelu(it) => {
            let (x, slope) = (t.value(&it.lhs)?, Array::scalar(number(&it.rhs)));
            one(t.importer.apply(at, Op::ParametricRelu, &x, vec![slope])?)
        }
        Activation::PRelu(it) => {
            let x = t.value(&it.lhs)?;
            let Value::Constant { array, .. } = t.value(&it.rhs)? else {
                return refuse("a slope that depends on the input");
            };
            let slope = match x {
                Value::Sample { batched: true, .. } => {
                    t.importer.of_each(&array, t.importer.own_shape(&x)?.len())?
                }
                _ => array,
            };
            one(t.importer.apply(at, Op::ParametricRelu, &x, vec![slope])?)
        }
        // `ln sigmoid(x) = −softplus(−x)`.
        Activation::LogSigmoid(it) => {
            let mut x = t.value(&it.input)?;
            for function in [Unary::Neg, Unary::Softplus, Unary::Neg] {
                x = t.importer.apply(at, Op::Unary(function), &x, Vec::new())?;
            }
            one(x)
        }
        Activation::Softmax(it) => {
            let x = t.value(&it.input)?;
            let axis = t.importer.axis(&x, it.axis as i64)?;
            one(t.importer.apply(at, Op::Softmax { axis }, &x, Vec::new())?)
        }
        Activation::LogSoftmax(it) => {
            let x = t.value(&it.input)?;
            let axis = t.importer.axis(&x, it.axis as i64)?;
            one(t.importer.apply(at, Op::LogSoftmax { axis }, &x, Vec::new())?)
        }
        Activation::Softmin(it) => {
            let x = t.value(&it.input)?;
            let axis = t.importer.axis(&x, it.axis as i64)?;
            let turned = t.importer.apply(at, Op::Unary(Unary::Neg), &x, Vec::new())?;
            one(t.importer.apply(at, Op::Softmax { axis }, &turned, Vec::new())?)
        }
        Activation::ReluBackward(_)
        | Activation::GeluBackward(_)
        | Activation::SigmoidBackward(_)
        | Activation::LogSigmoidBackward(_) => refuse("a derivative is no part of a forward pass"),
    }
}
