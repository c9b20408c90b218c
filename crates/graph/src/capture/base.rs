//! Operations that move values.
use burn_ir::BaseOperationIr as Base;

use super::choice;
use super::constants::{cast, element_of};
use super::translation::{Translator, sides};
use crate::lift::{Imported, Value, one, refuse};
use crate::{Array, Op};

pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Base) -> Imported {
    match operation {
        Base::Reshape(it) => {
            let x = t.value(&it.input)?;
            one(t.importer.with_shape(at, &x, &sides(&it.out))?)
        }
        Base::SwapDims(it) => {
            let x = t.value(&it.input)?;
            let mut order: Vec<usize> = (0..sides(&it.input).len()).collect();
            order.swap(it.dim1, it.dim2);
            one(t.importer.permuted(at, &x, &order)?)
        }
        Base::Permute(it) => {
            let x = t.value(&it.input)?;
            one(t.importer.permuted(at, &x, &it.axes)?)
        }
        Base::Expand(it) => {
            let x = t.value(&it.input)?;
            one(t.importer.expanded(at, &x, &sides(&it.out))?)
        }
        Base::Flip(it) => {
            let mut x = t.value(&it.input)?;
            for &axis in &it.axes {
                let indices = (0..sides(&it.input)[axis]).rev().collect();
                x = t.importer.picked(at, &x, axis as i64, indices)?;
            }
            one(x)
        }
        Base::Slice(it) => {
            let mut x = t.value(&it.tensor)?;
            for (axis, (slice, length)) in it.ranges.iter().zip(sides(&it.tensor)).enumerate() {
                let (range, step) = slice.to_range_and_step(length);
                let stride = step.unsigned_abs();
                let indices: Vec<usize> = if step < 0 {
                    range.rev().step_by(stride).collect()
                } else {
                    range.step_by(stride).collect()
                };
                x = t.importer.picked(at, &x, axis as i64, indices)?;
            }
            one(x)
        }
        Base::Select(it) => {
            let x = t.value(&it.tensor)?;
            let Value::Constant { array, .. } = t.value(&it.indices)? else {
                return refuse("indices that depend on the input");
            };
            let length = sides(&it.tensor)[it.dim];
            let indices = array.values().iter().map(|&index| {
                let index = if index < 0.0 { index + length as f64 } else { index };
                let inside = index >= 0.0 && index < length as f64;
                if inside { Ok(index as usize) } else { refuse(format!("no {index} of {length}")) }
            });
            let indices = indices.collect::<Imported<Vec<usize>>>()?;
            one(t.importer.picked(at, &x, it.dim as i64, indices)?)
        }
        Base::RepeatDim(it) => {
            let x = t.value(&it.tensor)?;
            let length = sides(&it.tensor)[it.dim];
            let indices = (0..length * it.times).map(|place| place % length.max(1)).collect();
            one(t.importer.picked(at, &x, it.dim as i64, indices)?)
        }
        Base::Cat(it) => {
            let values = it.tensors.iter().map(|tensor| t.value(tensor));
            let values = values.collect::<Imported<Vec<Value>>>()?;
            let values: Vec<&Value> = values.iter().collect();
            one(t.importer.joined(at, &values, it.dim as i64)?)
        }
        Base::Cast(it) => cast(t, it),
        Base::Ones(it) => one(Value::Constant {
            array: Array::full(&sides(&it.out), 1.0)?,
            element: element_of(it.out.dtype),
        }),
        Base::Zeros(it) => one(Value::Constant {
            array: Array::full(&sides(&it.out), 0.0)?,
            element: element_of(it.out.dtype),
        }),
        Base::MaskWhere(_)
        | Base::MaskFill(_)
        | Base::Equal(_)
        | Base::NotEqual(_)
        | Base::EqualElem(_)
        | Base::NotEqualElem(_) => choice::translate(t, at, operation),
        Base::Gather(_) | Base::GatherNd(_) => refuse("indices of their own for each value"),
        Base::SliceAssign(_) | Base::SelectAssign(_) | Base::Scatter(_) | Base::ScatterNd(_) => {
            refuse("values written into others")
        }
        Base::Unfold(_) => refuse("windows that overlap as an axis"),
        Base::Empty(_) => refuse("values that nobody has set"),
        Base::All(_) | Base::Any(_) | Base::AllDim(_) | Base::AnyDim(_) => {
            refuse("truth values that become one")
        }
    }
}

impl crate::lift::Importer {
    /// The values at `indices` of an axis.
    pub(super) fn picked(
        &mut self,
        at: &str,
        x: &Value,
        axis: i64,
        indices: Vec<usize>,
    ) -> Imported<Value> {
        let full = self.full_shape(x)?;
        let length = full[crate::lift::normal(axis, full.len())?];
        if indices.iter().copied().eq(0..length) {
            // All of an axis, the batch perhaps.
            return Ok(x.clone());
        }
        let axis = self.axis(x, axis)?;
        let (Some(&first), Some(&last)) = (indices.first(), indices.last()) else {
            return refuse("nothing is left of an axis");
        };
        let op = if indices.iter().copied().eq(first..=last) {
            Op::Slice { axis, start: first, end: last + 1 }
        } else {
            Op::Gather { axis, indices }
        };
        self.apply(at, op, x, Vec::new())
    }
}
