//! Values put together.
use super::{Imported, Importer, Value, fold, normal, refuse};
use crate::{Array, Op};

impl Importer {
    /// Values one after the other along an axis of the source.
    pub(crate) fn joined(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        values: &[&Value],
        axis: i64,
    ) -> Imported<Value> {
        let first = values.iter().find(|value| matches!(value, Value::Sample { .. }));
        let Some(first) = first else { return constants(values, axis) };
        let (_, batched) = Self::sample(first)?;
        let rank = self.own_shape(first)?.len();
        let axis = self.axis(first, axis)?;
        let mut operands = Vec::with_capacity(values.len());
        for value in values {
            operands.push(match value {
                Value::Sample { operand, batched: other } if *other == batched => *operand,
                Value::Constant { array, .. } => {
                    let array = if batched { self.of_each(array, rank)? } else { array.clone() };
                    self.builder.constant(array)
                }
                _ => {
                    return refuse("the batch axis of one operand meets another axis of another");
                }
            });
        }
        let operand = self.builder.push(at.as_ref(), Op::Concat { axis }, operands)?;
        Ok(Value::Sample { operand, batched })
    }
}

fn constants(values: &[&Value], axis: i64) -> Imported<Value> {
    let mut arrays: Vec<&Array> = Vec::with_capacity(values.len());
    let mut kind = None;
    for value in values {
        let Value::Constant { array, element } = value else {
            return refuse("an operand is unknown");
        };
        kind.get_or_insert(*element);
        arrays.push(array);
    }
    let (Some(first), Some(element)) = (arrays.first(), kind) else {
        return refuse("no operand");
    };
    let axis = normal(axis, first.shape().len())?;
    let filled: Vec<&Array> = arrays.iter().copied().filter(|array| !array.is_empty()).collect();
    let array =
        if filled.is_empty() { (*first).clone() } else { fold(&Op::Concat { axis }, &filled)? };
    Ok(Value::Constant { array, element })
}
