//! Intervals forward, by centre and radius.
//!
//! A linear operation takes the centre through its weights and the radius through their absolute
//! values; a monotone one takes both ends. Gowal et al. 2018, eq. (5) to (7).
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::operation::{Operation, as_maps, as_rows, average, reshaped};
use crate::max_pool2d;

/// Values `[N, C, H, W]` of which only `|x − centre| ≤ radius` is known.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Middle.
    pub centre: Tensor<4>,
    /// Half the width, at least 0.
    pub radius: Tensor<4>,
}

impl Interval {
    /// The lower ends.
    #[must_use]
    pub fn lower(&self) -> Tensor<4> {
        self.centre.clone() - self.radius.clone()
    }

    /// The upper ends.
    #[must_use]
    pub fn upper(&self) -> Tensor<4> {
        self.centre.clone() + self.radius.clone()
    }

    fn through(self, monotone: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        let (lower, upper) = (monotone(self.lower()), monotone(self.upper()));
        Self { centre: (lower.clone() + upper.clone()) * 0.5, radius: (upper - lower) * 0.5 }
    }

    fn each(self, linear: impl Fn(Tensor<4>) -> Tensor<4>) -> Self {
        Self { centre: linear(self.centre), radius: linear(self.radius) }
    }
}

/// What entered an operation, and what happened inside a sum of branches.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) before: Interval,
    pub(super) branches: Option<[Vec<Passed>; 2]>,
}

/// Takes `interval` through `operations`; the trail has one entry an operation. Radii are
/// multiplied by `shrink` before each rectifier.
pub(super) fn propagate(
    operations: &[Operation],
    interval: Interval,
    shrink: f64,
) -> (Vec<Passed>, Interval) {
    let mut trail = Vec::with_capacity(operations.len());
    let mut now = interval;
    for operation in operations {
        if matches!(operation, Operation::Relu) && shrink < 1.0 {
            now.radius = now.radius * shrink;
        }
        let before = now.clone();
        let mut branches = None;
        now = match operation {
            Operation::Scale { scale, shift } => Interval {
                centre: now.centre * scale.clone() + shift.clone(),
                radius: now.radius * scale.clone().abs(),
            },
            Operation::Linear(layer) => {
                let radius = as_rows(now.radius).matmul(layer.weight.clone().abs());
                let centre = layer.forward(as_rows(now.centre));
                Interval { centre: as_maps(centre), radius: as_maps(radius) }
            }
            Operation::Convolution(layer) => {
                Interval { centre: layer.forward(now.centre), radius: layer.spread(now.radius) }
            }
            Operation::Relu => now.through(relu),
            Operation::MaxPool(side) => {
                now.through(|maps| max_pool2d(maps, [*side; 2], [*side; 2]))
            }
            Operation::GlobalAverage => now.each(average),
            Operation::Reshape(shape) => now.each(|maps| reshaped(maps, *shape)),
            Operation::Residual { body, shortcut } => {
                let (inner, sum) = propagate(body, now.clone(), shrink);
                let (outer, other) = propagate(shortcut, now, shrink);
                branches = Some([inner, outer]);
                Interval { centre: sum.centre + other.centre, radius: sum.radius + other.radius }
            }
        };
        trail.push(Passed { before, branches });
    }
    (trail, now)
}

/// The intervals before the rectifiers of `operations`, in the order of the forward pass.
pub(super) fn before_relus<'a>(
    operations: &'a [Operation],
    trail: &'a [Passed],
    found: &mut Vec<&'a Interval>,
) {
    for (operation, passed) in operations.iter().zip(trail) {
        match (operation, &passed.branches) {
            (Operation::Relu, _) => found.push(&passed.before),
            (Operation::Residual { body, shortcut }, Some([inner, outer])) => {
                before_relus(body, inner, found);
                before_relus(shortcut, outer, found);
            }
            _ => {}
        }
    }
}
