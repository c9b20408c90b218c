//! Reductions, and values that move. An axis of a sample has one more in front of it, the batch.
use super::{ENDS, Place, Writer, message};
use crate::{Op, Operand, Reduction, Result};

impl Writer<'_> {
    pub(super) fn shape(&mut self, place: &mut Place<'_>) -> Result<()> {
        if let Op::Concat { axis } = place.node.op {
            return self.concat(place, axis);
        }
        let x = self.operand(place, 0)?;
        match &place.node.op {
            Op::Reduce { by, axes } => self.reduce(place, &x, *by, axes),
            Op::Softmax { axis } => {
                self.last(place, "Softmax", &[&x], vec![message::int("axis", axis + 1)]);
            }
            Op::LogSoftmax { axis } => {
                self.last(place, "LogSoftmax", &[&x], vec![message::int("axis", axis + 1)]);
            }
            Op::Reshape => {
                let mut shape = vec![0];
                shape.extend(lengths(&place.node.shape));
                let shape = self.integers(&shape);
                self.last(place, "Reshape", &[&x, &shape], Vec::new());
            }
            Op::Transpose { axes } => {
                let order = std::iter::once(0).chain(axes.iter().map(|axis| axis + 1));
                self.last(place, "Transpose", &[&x], vec![message::ints("perm", order)]);
            }
            Op::Slice { axis, start, end } => {
                let parts = [*start, *end, axis + 1].map(|value| self.integers(&[value as i64]));
                let [start, end, axis] = parts.each_ref().map(String::as_str);
                self.last(place, "Slice", &[&x, start, end, axis], Vec::new());
            }
            Op::Gather { axis, indices } => {
                let indices = self.integers(&lengths(indices).collect::<Vec<_>>());
                let axis = message::int("axis", axis + 1);
                self.last(place, "Gather", &[&x, &indices], vec![axis]);
            }
            Op::Pad { sides, value } => {
                let inputs = self.pad(place, &x, sides, *value)?;
                self.last(place, "Pad", &inputs.each_ref().map(String::as_str), Vec::new());
            }
            Op::Expand => {
                let x = self.aligned(place, 0, place.node.shape.len())?;
                // A length of 1 leaves the batch as it is.
                let mut shape = vec![1];
                shape.extend(lengths(&place.node.shape));
                let shape = self.integers(&shape);
                self.last(place, "Expand", &[&x, &shape], Vec::new());
            }
            _ => {}
        }
        Ok(())
    }

    fn reduce(&mut self, place: &mut Place<'_>, x: &str, by: Reduction, axes: &[usize]) {
        let axes = axes.iter().map(|axis| axis + 1);
        let keep = message::int("keepdims", 1);
        if by == Reduction::Sum {
            // Of this version only the sum takes its axes as an operand.
            let axes = self.integers(&axes.map(|axis| axis as i64).collect::<Vec<_>>());
            let whole = message::int("noop_with_empty_axes", 1);
            self.last(place, by.name(), &[x, &axes], vec![keep, whole]);
        } else if axes.len() == 0 {
            // No axes would stand for all of them.
            self.last(place, "Identity", &[x], Vec::new());
        } else {
            self.last(place, by.name(), &[x], vec![message::ints("axes", axes), keep]);
        }
    }

    /// Operands of a padding; `sides` are those of a sample.
    pub(super) fn pad(
        &mut self,
        place: &Place<'_>,
        x: &str,
        sides: &[(usize, usize)],
        value: f64,
    ) -> Result<[String; 3]> {
        let mut all = vec![0];
        all.extend(sides.iter().map(|sides| sides.0 as i64));
        all.push(0);
        all.extend(sides.iter().map(|sides| sides.1 as i64));
        Ok([x.into(), self.integers(&all), self.number(place, value)?])
    }

    fn concat(&mut self, place: &mut Place<'_>, axis: usize) -> Result<()> {
        let mut operands = Vec::with_capacity(place.node.operands.len());
        for (index, operand) in place.node.operands.iter().enumerate() {
            operands.push(match *operand {
                Operand::Node(_) => self.operand(place, index)?,
                Operand::Constant(constant) => self.repeated(place, constant)?,
            });
        }
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        self.last(place, "Concat", &operands, vec![message::int("axis", axis + 1)]);
        Ok(())
    }

    /// A constant once for each sample.
    fn repeated(&mut self, place: &mut Place<'_>, constant: usize) -> Result<String> {
        let array = &self.graph.constants()[constant];
        let mut shape = vec![1];
        shape.extend(array.shape());
        let single = self.floats(place, &array.clone().reshape(&shape)?)?;
        let whole = self.part(place, "Shape", &[ENDS[0]], Vec::new());
        let first = self.integers(&[0]);
        let batch = self.part(place, "Gather", &[&whole, &first], vec![message::int("axis", 0)]);
        let rest = self.integers(&lengths(array.shape()).collect::<Vec<_>>());
        let axis = vec![message::int("axis", 0)];
        let shape = self.part(place, "Concat", &[&batch, &rest], axis);
        Ok(self.part(place, "Expand", &[&single, &shape], Vec::new()))
    }
}

fn lengths(shape: &[usize]) -> impl Iterator<Item = i64> {
    shape.iter().map(|&side| side as i64)
}
