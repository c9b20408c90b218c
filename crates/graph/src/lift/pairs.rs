//! Functions of pairs of values.
use super::{Imported, Importer, Value, fold, refuse};
use crate::onnx::element;
use crate::{Array, Binary, Op, Operand};

impl Importer {
    /// A function of two values, broadcast with their last axes aligned.
    pub(crate) fn binary(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        function: Binary,
        x: &Value,
        y: &Value,
    ) -> Imported<Value> {
        let op = Op::Binary(function);
        match (x, y) {
            (Value::Constant { array: a, element }, Value::Constant { array: b, .. }) => {
                let whole = function == Binary::Div && !element::is_float(*element);
                if whole && b.values().contains(&0.0) {
                    return refuse("a division of integers by 0");
                }
                let array = fold(&op, &[a, b])?;
                let array = if whole { array.map(f64::trunc) } else { array };
                Ok(Value::Constant { array, element: *element })
            }
            (
                Value::Sample { operand: a, batched },
                Value::Sample { operand: b, batched: other },
            ) => {
                let ranks = [*a, *b].map(|operand| self.builder.shape(operand).len());
                if batched != other || (*batched && ranks[0] != ranks[1]) {
                    return refuse("the batch axis of one operand meets another axis of the other");
                }
                let operand = self.builder.push(at.as_ref(), op, vec![*a, *b])?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            (Value::Sample { operand, batched }, Value::Constant { array, .. }) => {
                let constant = self.meeting(*operand, *batched, array)?;
                let constant = self.builder.constant(constant);
                let operand = self.builder.push(at.as_ref(), op, vec![*operand, constant])?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            (Value::Constant { array, .. }, Value::Sample { operand, batched }) => {
                let constant = self.meeting(*operand, *batched, array)?;
                let constant = self.builder.constant(constant);
                let operand = self.builder.push(at.as_ref(), op, vec![constant, *operand])?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            _ => refuse("an operand is unknown"),
        }
    }

    /// A constant as it broadcasts with each sample.
    pub(crate) fn meeting(
        &self,
        operand: Operand,
        batched: bool,
        array: &Array,
    ) -> Imported<Array> {
        if batched {
            self.of_each(array, self.builder.shape(operand).len())
        } else {
            Ok(array.clone())
        }
    }
}
