//! Arithmetic and reductions.
use burn_ir::{NumericOperationIr as Numeric, PadModeIr, PadOpIr, TensorIr};

use super::choice::{self, Comparison};
use super::constants::{element_of, number, scalar};
use super::translation::{Translator, sides};
use crate::lift::{Imported, Value, one, refuse};
use crate::{Array, Binary, Op, Reduction, Unary};

pub(super) fn translate(t: &mut Translator<'_>, at: &str, operation: &Numeric) -> Imported {
    use Comparison::{Above, Below, NotAbove, NotBelow};
    match operation {
        Numeric::Add(it) => t.pair(at, Binary::Add, &it.lhs, &it.rhs),
        Numeric::Sub(it) => t.pair(at, Binary::Sub, &it.lhs, &it.rhs),
        Numeric::Mul(it) => t.pair(at, Binary::Mul, &it.lhs, &it.rhs),
        Numeric::Div(it) => t.pair(at, Binary::Div, &it.lhs, &it.rhs),
        Numeric::Powi(it) => t.pair(at, Binary::Pow, &it.lhs, &it.rhs),
        Numeric::AddScalar(it) => t.with(at, Binary::Add, it),
        Numeric::SubScalar(it) => t.with(at, Binary::Sub, it),
        Numeric::MulScalar(it) => t.with(at, Binary::Mul, it),
        Numeric::DivScalar(it) => t.with(at, Binary::Div, it),
        Numeric::PowiScalar(it) => t.with(at, Binary::Pow, it),
        Numeric::Abs(it) => t.unary(at, Unary::Abs, &it.input),
        Numeric::Neg(it) => t.unary(at, Unary::Neg, &it.input),
        Numeric::Sign(it) => t.unary(at, Unary::Sign, &it.input),
        Numeric::Full(it) => one(Value::Constant {
            array: Array::full(&sides(&it.out), number(&it.value))?,
            element: element_of(it.out.dtype),
        }),
        Numeric::Mean(it) => t.whole(at, Reduction::Mean, &it.input, &it.out),
        Numeric::Sum(it) => t.whole(at, Reduction::Sum, &it.input, &it.out),
        Numeric::Max(it) => t.whole(at, Reduction::Max, &it.input, &it.out),
        Numeric::Min(it) => t.whole(at, Reduction::Min, &it.input, &it.out),
        Numeric::MeanDim(it) => t.reduced(at, Reduction::Mean, &it.input, &[it.axis]),
        Numeric::SumDim(it) => t.reduced(at, Reduction::Sum, &it.input, &[it.axis]),
        Numeric::SumDims(it) => t.reduced(at, Reduction::Sum, &it.input, &it.axes),
        Numeric::MaxDim(it) => t.reduced(at, Reduction::Max, &it.input, &[it.axis]),
        Numeric::MinDim(it) => t.reduced(at, Reduction::Min, &it.input, &[it.axis]),
        // The places, their second result, are known to nobody.
        Numeric::MaxDimWithIndices(it) => t.reduced(at, Reduction::Max, &it.tensor, &[it.dim]),
        Numeric::MinDimWithIndices(it) => t.reduced(at, Reduction::Min, &it.tensor, &[it.dim]),
        Numeric::MaxAbsDim(it) => {
            let x = t.value(&it.input)?;
            let sizes = t.importer.apply(at, Op::Unary(Unary::Abs), &x, Vec::new())?;
            t.reduce(at, Reduction::Max, &sizes, &[it.axis])
        }
        Numeric::Clamp(it) => t.clip(at, &it.tensor, number(&it.min), number(&it.max)),
        Numeric::ClampMin(it) => t.clip(at, &it.lhs, number(&it.rhs), f64::INFINITY),
        Numeric::ClampMax(it) => t.clip(at, &it.lhs, f64::NEG_INFINITY, number(&it.rhs)),
        Numeric::Greater(it) => choice::compare(t, &it.lhs, &it.rhs, it.out.id, Above),
        Numeric::GreaterEqual(it) => choice::compare(t, &it.lhs, &it.rhs, it.out.id, NotBelow),
        Numeric::Lower(it) => choice::compare(t, &it.lhs, &it.rhs, it.out.id, Below),
        Numeric::LowerEqual(it) => choice::compare(t, &it.lhs, &it.rhs, it.out.id, NotAbove),
        Numeric::GreaterElem(it) => choice::compare_with(t, &it.lhs, &it.rhs, it.out.id, Above),
        Numeric::GreaterEqualElem(it) => {
            choice::compare_with(t, &it.lhs, &it.rhs, it.out.id, NotBelow)
        }
        Numeric::LowerElem(it) => choice::compare_with(t, &it.lhs, &it.rhs, it.out.id, Below),
        Numeric::LowerEqualElem(it) => {
            choice::compare_with(t, &it.lhs, &it.rhs, it.out.id, NotAbove)
        }
        Numeric::Pad(it) => pad(t, at, it),
        Numeric::IntRandom(_) => refuse("random numbers are no function of the input"),
        _ => refuse("no operation of a graph does this"),
    }
}

fn pad(t: &mut Translator<'_>, at: &str, it: &PadOpIr) -> Imported {
    let mut x = t.value(&it.input)?;
    let lengths = sides(&it.input);
    if let PadModeIr::Constant(value) = &it.mode {
        let inner = match (&x, it.padding.split_first()) {
            (Value::Sample { batched: true, .. }, Some((&(0, 0), inner))) => inner,
            (Value::Sample { batched: true, .. }, _) => return refuse("samples are added"),
            _ => &it.padding[..],
        };
        let op = Op::Pad { sides: inner.to_vec(), value: number(value) };
        return one(t.importer.apply(at, op, &x, Vec::new())?);
    }
    for (axis, (&(before, after), length)) in it.padding.iter().zip(lengths).enumerate() {
        let last = length.saturating_sub(1);
        let place = |at: usize| match it.mode {
            PadModeIr::Edge => at.saturating_sub(before).min(last),
            _ if at < before => before - at,
            _ if at - before > last => 2 * last - (at - before),
            _ => at - before,
        };
        if matches!(it.mode, PadModeIr::Reflect) && before.max(after) > last {
            return refuse(format!("{length} values mirrored {before} and {after} times"));
        }
        let indices = (0..before + length + after).map(place).collect();
        x = t.importer.picked(at, &x, axis as i64, indices)?;
    }
    one(x)
}

impl Translator<'_> {
    /// A function of one value.
    pub(super) fn unary(&mut self, at: &str, function: Unary, x: &TensorIr) -> Imported {
        let x = self.value(x)?;
        one(self.importer.apply(at, Op::Unary(function), &x, Vec::new())?)
    }

    /// A function of two values.
    pub(super) fn pair(&mut self, at: &str, by: Binary, x: &TensorIr, y: &TensorIr) -> Imported {
        let (x, y) = (self.value(x)?, self.value(y)?);
        one(self.importer.binary(at, by, &x, &y)?)
    }

    /// A function of a value and a number.
    pub(super) fn with(&mut self, at: &str, by: Binary, it: &burn_ir::ScalarOpIr) -> Imported {
        let x = self.value(&it.lhs)?;
        let number = scalar(&it.rhs, &x);
        one(self.importer.binary(at, by, &x, &number)?)
    }

    fn clip(&mut self, at: &str, x: &TensorIr, low: f64, high: f64) -> Imported {
        let x = self.value(x)?;
        let op = if low == 0.0 && high == f64::INFINITY {
            Op::Unary(Unary::Relu)
        } else {
            Op::Clip { low, high }
        };
        one(self.importer.apply(at, op, &x, Vec::new())?)
    }

    fn reduced(&mut self, at: &str, by: Reduction, x: &TensorIr, axes: &[usize]) -> Imported {
        let x = self.value(x)?;
        self.reduce(at, by, &x, axes)
    }

    /// A value reduced along axes that stay.
    pub(super) fn reduce(
        &mut self,
        at: &str,
        by: Reduction,
        x: &Value,
        axes: &[usize],
    ) -> Imported {
        let axes = axes.iter().map(|&axis| self.importer.axis(x, axis as i64));
        let mut axes = axes.collect::<Imported<Vec<usize>>>()?;
        axes.sort_unstable();
        axes.dedup();
        one(self.importer.apply(at, Op::Reduce { by, axes }, x, Vec::new())?)
    }

    /// All values reduced to one: a constant's only.
    fn whole(&mut self, at: &str, by: Reduction, x: &TensorIr, out: &TensorIr) -> Imported {
        let x = self.value(x)?;
        let axes: Vec<usize> = (0..self.importer.full_shape(&x)?.len()).collect();
        let all = self.reduce(at, by, &x, &axes)?;
        one(self.importer.shaped(at, Op::Reshape, &all[0], sides(out))?)
    }
}
