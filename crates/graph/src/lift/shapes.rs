//! The same values in another shape or order.
use super::{Imported, Importer, Value, refuse};
use crate::{Op, product};

impl Importer {
    /// A value in another shape, the batch included: the batch must stay the first axis.
    pub(crate) fn with_shape(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        x: &Value,
        shape: &[usize],
    ) -> Imported<Value> {
        let Value::Sample { operand, batched } = x else {
            return self.shaped(at, Op::Reshape, x, shape.to_vec());
        };
        let own = product(self.builder.shape(*operand));
        let rest = shape
            .split_first()
            .filter(|(batch, rest)| **batch == self.batch && product(rest) == own);
        match rest {
            Some((_, rest)) => {
                let operand =
                    self.builder.shaped(at.as_ref(), Op::Reshape, *operand, rest.to_vec())?;
                Ok(Value::Sample { operand, batched: true })
            }
            // A single sample may lose its batch axis; where the batch is open, that shows.
            None if (self.batch == 1 || !batched) && product(shape) == own => {
                let operand =
                    self.builder.shaped(at.as_ref(), Op::Reshape, *operand, shape.to_vec())?;
                Ok(Value::Sample { operand, batched: false })
            }
            None => refuse(format!(
                "{:?} in the shape {shape:?} would mix samples",
                self.full_shape(x)?
            )),
        }
    }

    /// A value with its axes in another order: the batch must stay the first.
    pub(crate) fn permuted(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        x: &Value,
        order: &[usize],
    ) -> Imported<Value> {
        let axes = match x {
            Value::Sample { batched: true, .. } => match order.split_first() {
                Some((0, rest)) => rest.iter().map(|&axis| axis.saturating_sub(1)).collect(),
                _ => return refuse("the batch axis would move"),
            },
            _ => order.to_vec(),
        };
        if axes.iter().enumerate().all(|(place, &axis)| place == axis) {
            return Ok(x.clone());
        }
        self.apply(at, Op::Transpose { axes }, x, Vec::new())
    }
    /// A value repeated along axes of length 1, and along new first axes, to a shape that includes
    /// the batch.
    pub(crate) fn expanded(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        x: &Value,
        shape: &[usize],
    ) -> Imported<Value> {
        let Value::Sample { operand, batched: true } = x else {
            return self.shaped(at, Op::Expand, x, shape.to_vec());
        };
        let own = self.builder.shape(*operand).len();
        match shape.split_first() {
            Some((&batch, rest)) if rest.len() == own && batch == self.batch => {
                self.shaped(at, Op::Expand, x, rest.to_vec())
            }
            _ => refuse("the batch axis would be repeated"),
        }
    }
}
