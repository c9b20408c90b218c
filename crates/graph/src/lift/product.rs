//! Matrix products.
use super::{Imported, Importer, Value, fold, refuse};
use crate::{Array, Op};

impl Importer {
    /// The matrix product of two values over their last two axes, broadcast over the others; a
    /// vector is a row on the left and a column on the right.
    pub(crate) fn product(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        a: &Value,
        b: &Value,
    ) -> Imported<Value> {
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
                Ok(Value::Constant { array: product, element: *element })
            }
            (Value::Sample { operand, batched }, Value::Constant { array, .. }) => {
                let own = self.builder.shape(*operand).to_vec();
                if own.is_empty() {
                    return refuse("its first operand has no axis beside the batch");
                }
                match array.shape().len() {
                    1 => {
                        let column = array.clone().reshape(&[array.len(), 1])?;
                        let product = self.apply(at, Op::Linear, a, vec![column])?;
                        self.shaped(at, Op::Reshape, &product, own[..own.len() - 1].to_vec())
                    }
                    2 => self.apply(at, Op::Linear, a, vec![array.clone()]),
                    _ if own.len() < 2 => refuse("the batch axis would be a row of the product"),
                    _ => {
                        let mut array =
                            if *batched { self.of_each(array, own.len())? } else { array.clone() };
                        self.apply(at, flat(&mut array)?, a, vec![array])
                    }
                }
            }
            (Value::Constant { array, .. }, Value::Sample { operand, batched }) => {
                let own = self.builder.shape(*operand).to_vec();
                if own.len() == 1 && !batched && array.shape().len() == 2 {
                    return self.apply(at, Op::Linear, b, vec![transposed(array)?]);
                }
                if own.len() < 2 || array.shape().len() < 2 {
                    return refuse("the batch axis would be summed over, so samples would mix");
                }
                let array = if *batched { self.of_each(array, own.len())? } else { array.clone() };
                let left = self.builder.constant(array);
                let operand = self.builder.push(at.as_ref(), Op::MatMul, vec![left, *operand])?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            (
                Value::Sample { operand: x, batched },
                Value::Sample { operand: y, batched: other },
            ) => {
                let ranks = [*x, *y].map(|operand| self.builder.shape(operand).len());
                if batched != other || ranks[0] != ranks[1] || ranks[0] < 2 {
                    return refuse("the batch axis would take part in the product");
                }
                let operand = self.builder.push(at.as_ref(), Op::MatMul, vec![*x, *y])?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            _ => refuse("an operand is unknown"),
        }
    }
}

/// The same values, axes turned around.
pub(crate) fn transposed(matrix: &Array) -> Imported<Array> {
    Ok(fold(&Op::Transpose { axes: vec![1, 0] }, &[matrix])?)
}

/// A product with many matrices that is one with a single matrix.
fn flat(matrices: &mut Array) -> Imported<Op> {
    let shape = matrices.shape().to_vec();
    match shape.split_at(shape.len() - 2) {
        (others, own) if others.iter().all(|&side| side == 1) => {
            *matrices = matrices.clone().reshape(own)?;
            Ok(Op::Linear)
        }
        _ => Ok(Op::MatMul),
    }
}
