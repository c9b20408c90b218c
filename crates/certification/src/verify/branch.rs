//! Branch and bound over the input.
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::{Task, Verdict};
use crate::bounds::{self, InputSet, Method, Specification};
use crate::vnnlib::{LinearConstraint, Region};

/// Boxes that are cut at a time.
const TOGETHER: usize = 64;

/// Starts and steps of the search in the least settled box of each round.
const NEARBY: (usize, usize) = (16, 20);

/// A box that is not settled, the least settled first.
struct Open {
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// How far below 0 the bound of its least settled conjunction is.
    lack: f64,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.lack.total_cmp(&other.lack).then_with(|| other.lower.len().cmp(&self.lower.len()))
    }
}

/// What became of a box.
enum Settled {
    Safe,
    Open(Open),
    Violated(Verdict),
}

impl Task<'_> {
    /// Whether the region holds no counterexample, and the number of boxes bounded.
    pub(super) fn branch(&self, region: &Region) -> bounds::Result<(Verdict, u64)> {
        if region.unsafe_outputs.is_empty() {
            return Ok((Verdict::Holds, 0));
        }
        let cut = region.lower.len() <= self.options.most_inputs;
        let method = if cut { self.options.method } else { Method::AlphaCrown };
        let mut boxes = 1;
        let root = self.bound(region, region.lower.clone(), region.upper.clone(), method)?;
        let mut open = BinaryHeap::new();
        match root {
            Settled::Safe => return Ok((Verdict::Holds, boxes)),
            Settled::Violated(verdict) => return Ok((verdict, boxes)),
            Settled::Open(_) if !cut => return Ok((Verdict::Unknown, boxes)),
            Settled::Open(root) => open.push(root),
        }
        while !open.is_empty() {
            if self.is_late() {
                return Ok((Verdict::Timeout, boxes));
            }
            if let Some(worst) = open.peek()
                && self.options.steps > 0
            {
                let (lower, upper) = (worst.lower.clone(), worst.upper.clone());
                let inside = Region { lower, upper, unsafe_outputs: region.unsafe_outputs.clone() };
                if let Some(verdict) = self.search(&inside, NEARBY)? {
                    return Ok((verdict, boxes));
                }
            }
            let taken: Vec<Open> = (0..TOGETHER).map_while(|_| open.pop()).collect();
            let halves: Vec<Option<[Sides; 2]>> = taken
                .par_iter()
                .map(|parent| self.halves(region, parent))
                .collect::<bounds::Result<_>>()?;
            let count = halves.len();
            let halves: Vec<Sides> = halves.into_iter().flatten().flatten().collect();
            if halves.len() < 2 * count {
                // One is as small as f64 allows, and not settled.
                return Ok((Verdict::Unknown, boxes));
            }
            boxes += halves.len() as u64;
            let settled: Vec<Settled> = halves
                .into_par_iter()
                .map(|(lower, upper)| self.bound(region, lower, upper, method))
                .collect::<bounds::Result<_>>()?;
            for half in settled {
                match half {
                    Settled::Safe => {}
                    Settled::Open(half) => open.push(half),
                    Settled::Violated(verdict) => return Ok((verdict, boxes)),
                }
            }
        }
        Ok((Verdict::Holds, boxes))
    }

    /// Bounds a box; its centre is tried as a counterexample.
    fn bound(
        &self,
        region: &Region,
        lower: Vec<f64>,
        upper: Vec<f64>,
        method: Method,
    ) -> bounds::Result<Settled> {
        let constraints: Vec<&LinearConstraint> = region.unsafe_outputs.iter().flatten().collect();
        let outputs = self.network.outputs();
        let mut rows = vec![0.0; outputs * constraints.len()];
        for (row, constraint) in rows.chunks_exact_mut(outputs).zip(&constraints) {
            for &(output, coefficient) in &constraint.coefficients {
                row[output] = coefficient;
            }
        }
        let offsets = constraints.iter().map(|constraint| -constraint.bound).collect();
        let specification = Specification::new(outputs, rows, offsets)?;
        let set = InputSet::sides(lower.clone(), upper.clone())?;
        let options = bounds::Options::default();
        let found = self.network.lower_bounds(&set, &specification, method, &options)?;
        let mut least = f64::INFINITY;
        let (mut rest, mut safe) = (found.as_slice(), true);
        for conjunction in &region.unsafe_outputs {
            let (own, others) = rest.split_at(conjunction.len());
            rest = others;
            // One constraint that cannot be met is enough; what is no number settles nothing.
            let settles = |(bound, constraint): (&f64, &LinearConstraint)| {
                *bound > 0.0 || (constraint.strict && *bound >= 0.0)
            };
            safe &= own.iter().zip(conjunction).any(settles);
            let best = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            least = least.min(best);
        }
        if safe {
            return Ok(Settled::Safe);
        }
        let center: Vec<f64> =
            lower.iter().zip(&upper).map(|(low, high)| middle(*low, *high)).collect();
        let outputs = self.graph.evaluate(&center).map_err(bounds::Error::from)?;
        if region.is_unsafe(outputs.values())
            && let Some(verdict) = self.checked(&center)?
        {
            return Ok(Settled::Violated(verdict));
        }
        Ok(Settled::Open(Open { lower, upper, lack: -least }))
    }

    /// The box cut in the middle of the input along which the constraints change most; `None` if no
    /// f64 lies between its sides.
    fn halves(&self, region: &Region, parent: &Open) -> bounds::Result<Option<[Sides; 2]>> {
        let Open { lower, upper, .. } = parent;
        let center: Vec<f64> =
            lower.iter().zip(upper).map(|(low, high)| middle(*low, *high)).collect();
        let (mut best, mut most) = (None, -1.0);
        for input in 0..lower.len() {
            let at = center[input];
            if !(lower[input] < at && at < upper[input]) {
                continue;
            }
            let mut moved = center.clone();
            moved[input] = lower[input];
            let low = self.graph.evaluate(&moved).map_err(bounds::Error::from)?;
            moved[input] = upper[input];
            let high = self.graph.evaluate(&moved).map_err(bounds::Error::from)?;
            let change: f64 = region
                .unsafe_outputs
                .iter()
                .flatten()
                .map(|constraint| {
                    (value(constraint, high.values()) - value(constraint, low.values())).abs()
                })
                .sum();
            // A width that changes nothing yet may do so in a half.
            let change = if change.is_finite() { change } else { f64::MAX };
            let change = change + 1e-9 * (upper[input] - lower[input]);
            if change > most {
                (best, most) = (Some(input), change);
            }
        }
        let Some(input) = best else { return Ok(None) };
        let (mut left, mut right) = (upper.clone(), lower.clone());
        (left[input], right[input]) = (center[input], center[input]);
        Ok(Some([(lower.clone(), left), (right, upper.clone())]))
    }
}

/// Lower and upper sides.
type Sides = (Vec<f64>, Vec<f64>);

fn middle(low: f64, high: f64) -> f64 {
    (low / 2.0 + high / 2.0).clamp(low, high)
}

/// By how much a constraint is missed; not above 0 where it holds.
pub(super) fn value(constraint: &LinearConstraint, outputs: &[f64]) -> f64 {
    let terms = constraint.coefficients.iter().map(|&(output, weight)| weight * outputs[output]);
    terms.sum::<f64>() - constraint.bound
}
