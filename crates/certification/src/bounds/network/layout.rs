//! Which value of the operand each value of a result is, for operations that only move values.
use duress_graph::{Array, Builder, Op, Operand};

use crate::bounds::Result;

/// No value of the operand: padding, or a part of a concatenation that came from elsewhere.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Where each value of `op`'s result comes from, for an operand of `shape`.
///
/// The operation itself is applied to the numbers of the places, so there is one definition of what
/// it does. Numbers of places are below 2²⁶ and exact.
pub(super) fn sources(op: &Op, shape: &[usize], result: &[usize]) -> Result<Vec<u32>> {
    let op = match op {
        Op::Pad { sides, .. } => Op::Pad { sides: sides.clone(), value: -1.0 },
        other => other.clone(),
    };
    let mut builder = Builder::new("places", shape.to_vec());
    let x = builder.input();
    let y = match op {
        Op::Reshape | Op::Expand => builder.shaped("places", op, x, result.to_vec())?,
        _ => builder.push("places", op, vec![x])?,
    };
    places(builder, y, shape)
}

/// The values of an operand of `shape` broadcast to `result`.
pub(super) fn broadcast(shape: &[usize], result: &[usize]) -> Result<Vec<u32>> {
    sources(&Op::Expand, shape, result)
}

/// Which values of operand `part` stand where in a concatenation of operands of `shapes`.
pub(super) fn part(axis: usize, shapes: &[&[usize]], part: usize) -> Result<Vec<u32>> {
    let mut builder = Builder::new("places", shapes[part].to_vec());
    let mut operands = Vec::with_capacity(shapes.len());
    for (position, shape) in shapes.iter().enumerate() {
        operands.push(if position == part {
            builder.input()
        } else {
            builder.constant(Array::full(shape, -1.0)?)
        });
    }
    let y = builder.push("places", Op::Concat { axis }, operands)?;
    places(builder, y, shapes[part])
}

fn places(builder: Builder, y: Operand, shape: &[usize]) -> Result<Vec<u32>> {
    let count = shape.iter().product::<usize>();
    let numbers: Vec<f64> = (0..count).map(|place| place as f64).collect();
    let moved = builder.finish(y)?.evaluate(&numbers)?;
    let place = |&value: &f64| if value < 0.0 { NOWHERE } else { value as u32 };
    Ok(moved.values().iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_values_know_where_they_came_from() {
        let turned = Op::Transpose { axes: vec![1, 0] };
        assert_eq!(sources(&turned, &[2, 3], &[3, 2]).unwrap(), [0, 3, 1, 4, 2, 5]);
        let padded = Op::Pad { sides: vec![(1, 0)], value: 7.0 };
        assert_eq!(sources(&padded, &[2], &[3]).unwrap(), [NOWHERE, 0, 1]);
        assert_eq!(broadcast(&[2, 1], &[2, 2]).unwrap(), [0, 0, 1, 1]);
        assert_eq!(broadcast(&[2], &[2]).unwrap(), [0, 1]);
        assert_eq!(part(0, &[&[1], &[2]], 1).unwrap(), [NOWHERE, 0, 1]);
    }
}
