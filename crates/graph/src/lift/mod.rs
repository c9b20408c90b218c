//! From operations on batches to operations on one sample: what all front ends share.
//!
//! The batch is the first axis of most values of a network; a graph has none. Each operation is
//! translated with the batch taken off, and one that would work along it is refused. What does not
//! depend on the input is computed here.
mod join;
mod normalization;
mod pairs;
mod pooling;
mod product;
mod shapes;
mod value;

use crate::graph::Builder;
use crate::{Array, Op, Operand, Result, reference, shape};

pub(crate) use pooling::Padding;
pub(crate) use product::transposed;
pub(crate) use value::{Imported, Reason, Value, refuse};

/// Values of all constants that are made (not read): 1 GiB.
const MOST_FOLDED: usize = 1 << 27;

/// Builds a graph operation by operation. Its methods take the name of the operation in the source.
pub(crate) struct Importer {
    pub(crate) builder: Builder,
    /// The batch size of this translation.
    pub(crate) batch: usize,
    /// Values of constants that may still be made.
    left: usize,
}

impl Importer {
    /// A graph of nothing but its input, of samples of `shape` in batches of `batch`.
    pub(crate) fn new(input: &str, shape: Vec<usize>, batch: usize) -> Self {
        Self { builder: Builder::new(input, shape), batch, left: MOST_FOLDED }
    }

    /// Results, unless their constants are more than any network needs.
    pub(crate) fn count(&mut self, results: Vec<Value>) -> Imported {
        for result in &results {
            if let Value::Constant { array, .. } = result {
                match self.left.checked_sub(array.len()) {
                    Some(left) => self.left = left,
                    None => return refuse("constants of more than 2^27 values are asked for"),
                }
            }
        }
        Ok(results)
    }

    /// The shape of a value in the source: with the batch, if it has one.
    pub(crate) fn full_shape(&self, value: &Value) -> Imported<Vec<usize>> {
        match value {
            Value::Constant { array, .. } => Ok(array.shape().to_vec()),
            Value::Sample { operand, batched } => {
                let own = self.builder.shape(*operand);
                Ok(if *batched { [&[self.batch], own].concat() } else { own.to_vec() })
            }
            Value::Unknown => refuse("an operand is unknown"),
        }
    }

    /// An axis of a value in the graph, from its number in the source.
    pub(crate) fn axis(&self, value: &Value, axis: i64) -> Imported<usize> {
        let rank = self.full_shape(value)?.len();
        let place = normal(axis, rank)?;
        match value {
            Value::Sample { batched: true, .. } => match place.checked_sub(1) {
                Some(axis) => Ok(axis),
                None => refuse("it works along the batch axis, so samples would mix"),
            },
            _ => Ok(place),
        }
    }

    /// A value of each sample, and whether the source sees a batch axis before it.
    pub(crate) fn sample(value: &Value) -> Imported<(Operand, bool)> {
        match value {
            Value::Sample { operand, batched } => Ok((*operand, *batched)),
            _ => refuse("its first operand does not depend on the input"),
        }
    }

    /// The shape of a value in the graph, or of a constant.
    pub(crate) fn own_shape(&self, value: &Value) -> Imported<Vec<usize>> {
        match value {
            Value::Constant { array, .. } => Ok(array.shape().to_vec()),
            other => Ok(self.builder.shape(Self::sample(other)?.0).to_vec()),
        }
    }

    /// `op` of one value and constants: folded if the value is constant.
    pub(crate) fn apply(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        op: Op,
        x: &Value,
        more: Vec<Array>,
    ) -> Imported<Value> {
        match x {
            Value::Constant { array, element } => {
                let mut operands = vec![array];
                operands.extend(&more);
                Ok(Value::Constant { array: fold(&op, &operands)?, element: *element })
            }
            Value::Sample { operand, batched } => {
                let mut operands = vec![*operand];
                operands.extend(more.into_iter().map(|array| self.builder.constant(array)));
                let operand = self.builder.push(at.as_ref(), op, operands)?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            Value::Unknown => refuse("an operand is unknown"),
        }
    }

    /// A value in another shape: `op` is a reshape or an expansion. Of a sample the shape is given
    /// without the batch.
    pub(crate) fn shaped(
        &mut self,
        at: &(impl AsRef<str> + ?Sized),
        op: Op,
        x: &Value,
        shape: Vec<usize>,
    ) -> Imported<Value> {
        match x {
            Value::Constant { array, element } => {
                shape::check_target(&op, array.shape(), &shape)?;
                let array = reference::apply(&op, &[array], &shape)?;
                Ok(Value::Constant { array, element: *element })
            }
            Value::Sample { operand, batched } => {
                let operand = self.builder.shaped(at.as_ref(), op, *operand, shape)?;
                Ok(Value::Sample { operand, batched: *batched })
            }
            Value::Unknown => refuse("an operand is unknown"),
        }
    }

    /// The part of a constant that meets each sample: its batch axis, if any, taken off. It may
    /// have one of length 1, or one whose entries are all the same.
    pub(crate) fn of_each(&self, array: &Array, rank: usize) -> Imported<Array> {
        if array.shape().len() <= rank {
            return Ok(array.clone());
        }
        let (&batch, own) = array.shape().split_first().unwrap_or((&1, &[]));
        if own.len() > rank {
            return refuse("a constant with more axes than the value it meets");
        }
        let length = array.len() / batch.max(1);
        let first = array.values().get(..length).unwrap_or(&[]);
        let alike =
            batch == self.batch && array.values().chunks(length.max(1)).all(|row| row == first);
        if batch != 1 && !alike {
            return refuse("a constant that differs along the batch axis, so samples would differ");
        }
        Ok(Array::new(own.to_vec(), first.to_vec())?)
    }
}

/// `op` of constants.
pub(crate) fn fold(op: &Op, operands: &[&Array]) -> Result<Array> {
    let shapes: Vec<&[usize]> = operands.iter().map(|array| array.shape()).collect();
    let shape = shape::infer(op, &shapes)?;
    crate::array::checked(&shape)?;
    reference::apply(op, operands, &shape)
}

/// An axis counted from the front.
pub(crate) fn normal(axis: i64, rank: usize) -> Imported<usize> {
    let place = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    match usize::try_from(place) {
        Ok(place) if place < rank => Ok(place),
        _ => refuse(format!("no axis {axis} of {rank}")),
    }
}

/// One result.
#[expect(clippy::unnecessary_wraps, reason = "the last line of most handlers")]
pub(crate) fn one(value: Value) -> Imported {
    Ok(vec![value])
}
