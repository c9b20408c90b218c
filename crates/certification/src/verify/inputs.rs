//! Branch and bound over the input.
//!
//! A box that its bound does not settle is cut along the input whose width times its coefficient in
//! the linear lower bound is largest (Wang et al., *Formal Security Analysis of Neural Networks using
//! Symbolic Intervals*, USENIX Security 2018, §5, by the coefficients of CROWN instead of
//! gradients), or along several inputs at once while there are few boxes.
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;

use super::search::{Tried, missed};
use super::{Task, Verdict};
use crate::bounds::{self, Chain, InputSet, Intervals, LowerLine, Method, Specification};
use crate::vnnlib::{LinearConstraint, Region};

/// Boxes that are bounded in a round, a thread.
const TOGETHER: usize = 64;

/// Steps of the searches on the way, how many of the best points so far each begins at, and after how
/// many rounds.
const NEARBY: (usize, usize, usize) = (30, 16, 32);

/// What a coefficient counts for at least where a cut is chosen, as a share of the largest.
const LEAST: f64 = 0.5;

/// A box that is not settled, the least settled first.
struct Open {
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// How far below 0 the bound of its least settled conjunction is.
    lack: f64,
    /// How much the bound may gain by a cut along each input.
    gains: Vec<f64>,
    /// Intervals of all steps, which hold on its parts too.
    known: Arc<Vec<Intervals>>,
    /// Where the bounds of conjunctions that are not settled are attained.
    points: Vec<Vec<f64>>,
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
        self.lack.total_cmp(&other.lack)
    }
}

/// The points that came nearest to a counterexample, each with by how much it was missed.
#[derive(Default)]
struct Nearest(Vec<(f64, Vec<f64>)>);

/// Lower and upper sides, and intervals that hold.
type Child = (Vec<f64>, Vec<f64>, Option<Arc<Vec<Intervals>>>);

impl Task<'_> {
    /// Whether the region holds no counterexample, and the number of boxes bounded.
    pub(super) fn branch_on_inputs(&self, region: &Region) -> bounds::Result<(Verdict, u64)> {
        let constraints: Vec<LinearConstraint> =
            region.unsafe_outputs.iter().flatten().cloned().collect();
        let specification = self.specification(&constraints)?;
        let chain = (self.options.method == Method::Crown).then(|| Chain::new(self.network));
        let of = (region, &specification, chain.flatten());
        let mut boxes = 1;
        let mut open = BinaryHeap::new();
        let root = (region.lower.clone(), region.upper.clone(), None);
        open.extend(self.bound(&of, root)?);
        if !open.is_empty()
            && let Some(found) = self.searched(region, &region.unsafe_outputs)?
        {
            return Ok((found, boxes));
        }
        let mut nearest = Nearest::default();
        let together = TOGETHER * rayon::current_num_threads().max(1);
        for round in 1.. {
            let taken: Vec<Open> = (0..together / 2).map_while(|_| open.pop()).collect();
            if taken.is_empty() {
                break;
            }
            if self.is_late() {
                return Ok((Verdict::Timeout, boxes));
            }
            if let Some(verdict) = self.near_points(region, &taken, &mut nearest, round)? {
                return Ok((verdict, boxes));
            }
            let cuts = (together / taken.len()).max(2).ilog2().clamp(1, 4) as usize;
            let mut children: Vec<Child> = Vec::new();
            for parent in taken {
                let Some(parts) = cut(&parent, cuts) else {
                    // It is as small as f64 allows, and not settled.
                    return Ok((Verdict::Unknown, boxes));
                };
                children.extend(parts);
            }
            boxes += children.len() as u64;
            let settled: Vec<Option<Open>> = children
                .into_par_iter()
                .map(|child| self.bound(&of, child))
                .collect::<bounds::Result<_>>()?;
            open.extend(settled.into_iter().flatten());
        }
        Ok((Verdict::Holds, boxes))
    }

    /// The rows of constraints, of which a bound above 0 says that one cannot be met.
    pub(super) fn specification(
        &self,
        constraints: &[LinearConstraint],
    ) -> bounds::Result<Specification> {
        let outputs = self.network.outputs();
        let mut rows = vec![0.0; outputs * constraints.len()];
        for (row, constraint) in rows.chunks_exact_mut(outputs.max(1)).zip(constraints) {
            for &(output, coefficient) in &constraint.coefficients {
                row[output] = coefficient;
            }
        }
        let offsets = constraints.iter().map(|constraint| -constraint.bound).collect();
        Specification::new(outputs, rows, offsets)
    }

    /// Bounds a box; `None` if that settles it.
    fn bound(
        &self,
        (region, specification, chain): &(&Region, &Specification, Option<Chain>),
        (lower, upper, known): Child,
    ) -> bounds::Result<Option<Open>> {
        let set = InputSet::sides(lower.clone(), upper.clone())?;
        let known = known.as_ref().map(|known| known.as_slice());
        let (lines, known) = if let Some(chain) = chain {
            chain.lower_lines(&set, specification, known)
        } else {
            let way = (self.options.method, known);
            self.network.lower_lines(&set, specification, way, &self.options.bounds)?
        };
        let (mut least, mut rest) = (f64::INFINITY, lines.as_slice());
        let (mut gains, mut points) = (vec![0.0; lower.len()], Vec::new());
        // What is left of the box where only one conjunction is open; nothing may be.
        let (mut open, mut clipped) = (0, None);
        for conjunction in &region.unsafe_outputs {
            let (own, others) = rest.split_at(conjunction.len());
            rest = others;
            // One constraint that cannot be met is enough; what is no number settles nothing.
            let mut pairs = own.iter().zip(conjunction);
            if pairs.any(|(line, constraint)| settles(line.bound, constraint)) {
                continue;
            }
            let sum = LowerLine::below_largest(own, &set);
            if sum.as_ref().is_some_and(|sum| sum.bound > 0.0) {
                continue;
            }
            open += 1;
            if open == 1 {
                clipped = clip(own.iter().chain(&sum), &lower, &upper);
            }
            let Some(LowerLine { bound, coefficients, point }) = &sum else {
                least = f64::NEG_INFINITY;
                continue;
            };
            least = least.min(*bound);
            let widths = lower.iter().zip(&upper).map(|(low, high)| high - low);
            // A coefficient near 0 may be one of a relaxation, not of the network.
            let largest = coefficients.iter().fold(0.0_f64, |most, a| most.max(a.abs()));
            for ((gain, a), width) in gains.iter_mut().zip(coefficients).zip(widths) {
                let own = width * a.abs().max(LEAST * largest);
                // A width that changes nothing yet may do so in a half.
                *gain += if own.is_finite() { own } else { f64::MAX / 1e9 } + 1e-9 * width;
            }
            points.push(point.clone());
        }
        let (lower, upper) = match (open, clipped) {
            (0, _) | (1, None) => return Ok(None),
            (1, Some(sides)) => sides,
            _ => (lower, upper),
        };
        let center = lower.iter().zip(&upper).map(|(low, high)| middle(*low, *high));
        points.push(center.collect());
        Ok(Some(Open { lower, upper, lack: -least, gains, known: Arc::new(known), points }))
    }

    /// Tries the points of boxes; now and then a search begins at the best so far.
    fn near_points(
        &self,
        region: &Region,
        boxes: &[Open],
        nearest: &mut Nearest,
        round: usize,
    ) -> bounds::Result<Option<Verdict>> {
        let points: Vec<Vec<f64>> = boxes.iter().flat_map(|one| one.points.clone()).collect();
        let answers = match self.answers(region, &points)?.1 {
            Tried::Found(verdict) => return Ok(Some(verdict)),
            Tried::Answers(answers) => answers,
        };
        let missed = |outputs: &[f64]| {
            let each = region.unsafe_outputs.iter().map(|all| missed(all, outputs));
            each.fold(f64::INFINITY, f64::min)
        };
        let tried = answers.iter().map(|outputs| missed(outputs)).zip(points);
        nearest.0.extend(tried);
        nearest.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        nearest.0.dedup_by(|a, b| a.1 == b.1);
        nearest.0.truncate(8 * NEARBY.1);
        if self.options.steps == 0 || !(round.is_multiple_of(NEARBY.2) || round.is_power_of_two()) {
            return Ok(None);
        }
        let starts = nearest.0.len().min(NEARBY.1);
        // The same points are not begun at twice.
        let starts: Vec<Vec<f64>> = nearest.0.drain(..starts).map(|(_, point)| point).collect();
        for conjunction in &region.unsafe_outputs {
            if let Some(verdict) =
                self.descend((region, conjunction), starts.clone(), NEARBY.0, Duration::MAX)?
            {
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }
}

/// What is left of a box if each line is at most 0 on it, `None` if nothing is.
///
/// A line is `bound + Σ |a| d`, where `d` is how far an input is from the line's corner: no input is
/// further than `−bound / |a|`.
fn clip<'a>(
    lines: impl Iterator<Item = &'a LowerLine>,
    lower: &[f64],
    upper: &[f64],
) -> Option<Sides> {
    let (mut low, mut high) = (lower.to_vec(), upper.to_vec());
    for line in lines.filter(|line| line.bound.is_finite()) {
        for (at, &a) in line.coefficients.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            let room = (-line.bound / a.abs()).next_up();
            if a > 0.0 {
                high[at] = high[at].min((lower[at] + room).next_up());
            } else {
                low[at] = low[at].max((upper[at] - room).next_down());
            }
        }
    }
    low.iter().zip(&high).all(|(low, high)| low <= high).then_some((low, high))
}

/// Lower and upper sides.
type Sides = (Vec<f64>, Vec<f64>);

/// A box cut in the middle of the inputs that gain most; `None` if no f64 lies between its sides.
fn cut(parent: &Open, cuts: usize) -> Option<Vec<Child>> {
    let mut parts = vec![(parent.lower.clone(), parent.upper.clone())];
    let mut gains = parent.gains.clone();
    for made in 0..cuts {
        let (lower, upper) = parts.first()?;
        let center = |input: usize| middle(lower[input], upper[input]);
        let able = |&input: &usize| lower[input] < center(input) && center(input) < upper[input];
        let inputs = (0..gains.len()).filter(able);
        let Some(input) = inputs.max_by(|&a, &b| gains[a].total_cmp(&gains[b])) else {
            return (made > 0).then(|| finish(parts, parent));
        };
        gains[input] /= 2.0;
        parts = parts
            .into_iter()
            .flat_map(|(lower, upper)| {
                let at = middle(lower[input], upper[input]);
                let (mut left, mut right) = (upper.clone(), lower.clone());
                (left[input], right[input]) = (at, at);
                [(lower, left), (right, upper)]
            })
            .collect();
    }
    Some(finish(parts, parent))
}

fn finish(parts: Vec<Sides>, parent: &Open) -> Vec<Child> {
    let known = |(lower, upper)| (lower, upper, Some(Arc::clone(&parent.known)));
    parts.into_iter().map(known).collect()
}

fn middle(low: f64, high: f64) -> f64 {
    (low / 2.0 + high / 2.0).clamp(low, high)
}

/// Whether a lower bound says that a constraint cannot be met. NaN says nothing.
pub(super) fn settles(bound: f64, constraint: &LinearConstraint) -> bool {
    bound > 0.0 || (constraint.strict && bound >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x − 2 y ≤ 0` holds nowhere on `[3, 5] × [0, 1]`, and on `[1, 5] × [0, 1]` where x ≤ 2 and
    /// y ≥ 1/2.
    #[test]
    fn a_box_is_clipped_to_where_a_line_is_not_above_zero() {
        let line = |low: f64| LowerLine {
            bound: low - 2.0,
            coefficients: vec![1.0, -2.0],
            point: vec![low, 1.0],
        };
        assert_eq!(clip([line(3.0)].iter(), &[3.0, 0.0], &[5.0, 1.0]), None);
        let (low, high) = clip([line(1.0)].iter(), &[1.0, 0.0], &[5.0, 1.0]).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(low[0], 1.0) && near(high[1], 1.0) && near(high[0], 2.0) && near(low[1], 0.5));
        assert!(high[0] >= 2.0 && low[1] <= 0.5);
    }
}
