//! Linear bounds of what is not linear, on the intervals of its operands.
//!
//! For each result `y` of a step two planes hold, in real arithmetic and for the coefficients as
//! they stand in memory: `lower(x) ≤ y ≤ upper(x)` for all operands in their intervals. A slope is
//! chosen for tightness, with any rounding; then the constant is made sound for that slope.
mod curve;
pub(super) mod kink;
mod maximum;
mod piece;
mod product;
mod stairs;

use super::interval::Intervals;
use super::network::{Function, Network, Step};
use super::rounding::{TINY, gamma};

pub(super) use curve::{Curve, Line};
pub(super) use kink::is_free;

/// `first · x[index] + second · z + constant`, where z is the second operand's value at the same
/// place as the result, if there is a second operand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Plane {
    pub(super) index: u32,
    pub(super) first: f64,
    pub(super) second: f64,
    pub(super) constant: f64,
}

/// Both planes of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Planes {
    pub(super) lower: Plane,
    pub(super) upper: Plane,
}

impl Planes {
    /// `low ≤ y ≤ high`, whatever x is.
    fn flat(index: usize, low: f64, high: f64) -> Self {
        let plane = |constant| Plane { index: index as u32, constant, ..Plane::default() };
        Self { lower: plane(low), upper: plane(high) }
    }

    /// `y = slope · x`.
    fn line(index: usize, slope: f64) -> Self {
        let plane = Plane { index: index as u32, first: slope, ..Plane::default() };
        Self { lower: plane, upper: plane }
    }
}

/// What is known of a step that is not linear.
#[derive(Clone, Debug)]
pub(super) struct Relaxed {
    /// Bounds of its results.
    pub(super) intervals: Intervals,
    /// Planes of its results.
    pub(super) planes: Vec<Planes>,
}

/// Bounds of step `index`, which is not linear, from those of the steps before it.
pub(super) fn relax(network: &Network, index: usize, known: &[Intervals]) -> Relaxed {
    let size = network.sizes[index];
    let mut intervals = Intervals::unknown(size);
    let mut planes = Vec::with_capacity(size);
    let mut keep = |at: usize, (pair, (low, high)): (Planes, (f64, f64))| {
        intervals.tighten(at, low, high);
        planes.push(pair);
    };
    match &network.steps[index] {
        Step::Input | Step::Affine { .. } => {}
        Step::Curve { source, function } => {
            let x = &known[*source];
            (0..size).for_each(|at| keep(at, elementwise(function, at, x.at(at))));
        }
        Step::Maximum { source, groups } => {
            (0..size).for_each(|at| keep(at, maximum::relax(groups.at(at), &known[*source])));
        }
        Step::Product { left, right } => {
            let (left, right) = (&known[*left], &known[*right]);
            (0..size).for_each(|at| keep(at, product::relax(at, left.at(at), right.at(at))));
        }
    }
    Relaxed { intervals, planes }
}

/// Bounds of the results of step `index` alone.
pub(super) fn intervals(network: &Network, index: usize, known: &[Intervals]) -> Intervals {
    let Step::Curve { source, function: Function::Kink { negative, positive } } =
        &network.steps[index]
    else {
        return relax(network, index, known).intervals;
    };
    let x = &known[*source];
    let mut intervals = Intervals::unknown(x.len());
    for at in 0..x.len() {
        let (low, high) = kink::bounds([negative.at(at), *positive], x.at(at));
        intervals.tighten(at, low, high);
    }
    intervals
}

fn elementwise(function: &Function, at: usize, (low, high): (f64, f64)) -> (Planes, (f64, f64)) {
    match function {
        Function::Kink { negative, positive } => {
            kink::relax(at, [negative.at(at), *positive], (low, high))
        }
        Function::Stairs(stairs) => stairs::relax(at, *stairs, (low, high)),
        other => curve::relax(at, other, (low, high)),
    }
}

/// Whether the result of `value` of step `index` loses something by its relaxation, so that tighter
/// bounds of the operands would help.
pub(super) fn is_loose(planes: &Planes) -> bool {
    planes.lower != planes.upper
}

/// A line and constants: `slope · x[place] + low ≤ y ≤ slope · x[place] + high` for result `at` of
/// step `index`, for which planes are known; `None` where there is none but the interval.
pub(super) fn parallel(
    network: &Network,
    index: usize,
    at: usize,
    planes: &Planes,
    x: &Intervals,
) -> Option<(usize, f64, (f64, f64))> {
    let Planes { lower, upper } = planes;
    if lower == upper {
        return Some((lower.index as usize, lower.first, (lower.constant, lower.constant)));
    }
    match &network.steps[index] {
        // One of the planes is a chord, and the other side of a kink is a line through the origin:
        // with the slope of the chord it is still on that side.
        Step::Curve { function: Function::Kink { negative, positive }, .. } => {
            let (low, high) = x.at(at);
            if !(low.is_finite() && high.is_finite()) {
                None
            } else if negative.at(at) <= *positive {
                Some((at, upper.first, (0.0, upper.constant)))
            } else {
                Some((at, lower.first, (lower.constant, 0.0)))
            }
        }
        Step::Curve { function, .. } => {
            let (slope, bounds) = Curve::new(function, x.at(at))?.parallel();
            Some((at, slope, bounds))
        }
        _ => None,
    }
}

/// For each result, at most how much rounding can cost where it is multiplied by 1 on its way back:
/// `γ` times the magnitudes of the terms of its planes.
pub(super) fn weights(
    network: &Network,
    index: usize,
    planes: &[Planes],
    known: &[Intervals],
) -> Vec<f64> {
    let gamma = gamma(network.terms());
    let sources = network.sources(index);
    let Some(first) = sources.first().map(|&source| &known[source]) else { return Vec::new() };
    let second = sources.get(1).map(|&source| &known[source]);
    // Slopes of a kink may be chosen between its own.
    let slopes = match &network.steps[index] {
        Step::Curve { function: Function::Kink { negative, positive }, .. } => {
            Some((negative, positive.abs()))
        }
        _ => None,
    };
    let both = |(at, Planes { lower, upper }): (usize, &Planes)| {
        let free = slopes.map_or(0.0, |(negative, positive)| negative.at(at).abs().max(positive));
        let size = |plane: &Plane| {
            let slope = plane.first.abs().max(free);
            let mut size = plane.constant.abs();
            if slope != 0.0 {
                size += slope * first.magnitude(plane.index as usize);
            }
            if let Some(second) = second.filter(|_| plane.second != 0.0) {
                size += plane.second.abs() * second.magnitude(at);
            }
            size
        };
        gamma * (size(lower) + size(upper)) + TINY
    };
    planes.iter().enumerate().map(both).collect()
}
