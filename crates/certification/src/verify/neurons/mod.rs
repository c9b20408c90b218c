//! Branch and bound over the kinks of a network.
//!
//! A part of the input set on which every kink is fixed on one side is a polytope on which a network of
//! kinks is linear. Parts are bounded by β-CROWN, the least settled first; what is not settled is cut
//! at the kink whose two halves look best when each is bounded once (De Palma et al., *Improved
//! Branch and Bound for Neural Network Verification via Lagrangian Decomposition*, 2021,
//! <https://arxiv.org/abs/2104.06718>, §4: filtered smart branching), or at several kinks at once
//! while there are few parts. A part is dropped by a bound above 0 and by nothing else; one that is
//! empty gets such a bound in time. Each conjunction of unsafe outputs is a problem of its own.
mod choice;
mod frontier;

use std::time::{Duration, Instant};

use super::inputs::settles;
use super::{Task, Verdict};
use crate::bounds::beta_crown::{Bounded, Part, Whole};
use crate::bounds::{self, InputSet, Specification};
use crate::vnnlib::{Conjunction, LinearConstraint, Region};
use frontier::{Frontier, Open};

/// Parts that are bounded in a round, a thread.
const TOGETHER: usize = 16;

/// Starts and steps of the search from the points where bounds are attained.
const NEARBY: (usize, usize) = (8, 20);

/// Rounds between two such searches.
const EVERY: usize = 16;

/// Share of the time that is left in which intervals before relaxations may be tightened.
const SHARE: f64 = 0.3;

/// How many times as long as CROWN one step of that takes.
const STEP_COST: f64 = 2.5;

/// The problem of one conjunction.
struct Problem<'a> {
    region: &'a Region,
    conjunction: &'a Conjunction,
    specification: Specification,
    whole: &'a Whole<'a>,
}

impl Task<'_> {
    /// Whether the region holds no counterexample, and the number of parts bounded.
    pub(super) fn branch_on_neurons(&self, region: &Region) -> bounds::Result<(Verdict, u64)> {
        let set = InputSet::sides(region.lower.clone(), region.upper.clone())?;
        let network = self.network.by_kinks();
        let begun = Instant::now();
        let first = Whole::new(&network, &set, &self.options.bounds)?;
        let first = first.until(self.begun.checked_add(self.limit));
        let cost = begun.elapsed().as_secs_f64();
        let mut parts = 1;
        let mut open = Vec::new();
        for conjunction in &region.unsafe_outputs {
            let specification = self.specification(conjunction)?;
            let bounded = first.bound(&specification, &[Part::default()], 0)?;
            if !is_settled(conjunction, bounded.first().map_or(&[], Vec::as_slice)) {
                open.push(conjunction);
            }
        }
        if open.is_empty() {
            return Ok((Verdict::Holds, parts));
        }
        if let Some(found) = self.searched(region, open.iter().copied())? {
            return Ok((found, parts));
        }
        if self.is_late() {
            return Ok((Verdict::Timeout, parts));
        }
        // A step goes back and forth where CROWN went back.
        let left = self.limit.saturating_sub(self.begun.elapsed()).as_secs_f64();
        let most = (SHARE * left / (STEP_COST * cost).max(1e-9)) as usize;
        let whole = match self.options.bounds.intermediate_iterations.min(most) {
            0 => first,
            iterations => first.tightened(iterations)?,
        };
        let mut problems = Vec::new();
        for conjunction in open {
            let specification = self.specification(conjunction)?;
            let problem = Problem { region, conjunction, specification, whole: &whole };
            let iterations = self.options.bounds.iterations;
            let bounded = whole.bound(&problem.specification, &[Part::default()], iterations)?;
            parts += 1;
            let Some(root) = bounded.into_iter().next() else { continue };
            if let Some(found) = self.attained(&problem, &root)? {
                return Ok((found, parts));
            }
            if !is_settled(conjunction, &root) {
                problems.push((problem, Open::new(Part::default(), root, f64::NEG_INFINITY)));
            }
        }
        // What is furthest from settled is where a counterexample may be.
        problems.sort_by(|a, b| a.1.bound.total_cmp(&b.1.bound));
        let mut unknown = false;
        for (problem, root) in problems {
            let (verdict, bounded) = self.cut(&problem, root)?;
            parts += bounded;
            match verdict {
                Verdict::Holds => {}
                Verdict::Unknown => unknown = true,
                other => return Ok((other, parts)),
            }
        }
        Ok((if unknown { Verdict::Unknown } else { Verdict::Holds }, parts))
    }

    /// Branch and bound for one conjunction.
    fn cut(&self, problem: &Problem<'_>, root: Open) -> bounds::Result<(Verdict, u64)> {
        let mut frontier = Frontier::new(root, self.options.bounds.memory);
        let (mut parts, mut unknown) = (0, false);
        let together = TOGETHER * rayon::current_num_threads().max(1);
        for round in 1.. {
            let taken = frontier.take(together / 2);
            if taken.is_empty() {
                break;
            }
            if self.is_late() {
                return Ok((Verdict::Timeout, parts));
            }
            let (cut, leaves) = problem.choose(taken, together)?;
            for leaf in leaves {
                match self.leaf(problem, &leaf)? {
                    Verdict::Holds => {}
                    Verdict::Violated { inputs, outputs } => {
                        return Ok((Verdict::Violated { inputs, outputs }, parts));
                    }
                    _ => unknown = true,
                }
            }
            let children: Vec<Part> = cut.iter().map(|(part, _)| part.clone()).collect();
            parts += children.len() as u64;
            let iterations = self.options.iterations;
            let bounded = problem.whole.bound(&problem.specification, &children, iterations)?;
            let mut points = Vec::new();
            for ((part, floor), mut rows) in cut.into_iter().zip(bounded) {
                if is_settled(problem.conjunction, &rows) {
                    continue;
                }
                let point = rows.iter_mut().map(|row| std::mem::take(&mut row.point)).next_back();
                let child = Open::new(part, rows, floor);
                points.extend(point.map(|point| (child.bound, point)));
                frontier.push(child);
            }
            if let Some(found) = self.nearby(problem, points, round)? {
                return Ok((found, parts));
            }
        }
        Ok((if unknown { Verdict::Unknown } else { Verdict::Holds }, parts))
    }

    /// What is known of a part whose kinks are all fixed and which no bound settled.
    fn leaf(&self, problem: &Problem<'_>, open: &Open) -> bounds::Result<Verdict> {
        if !problem.whole.is_linear_between_kinks() {
            return Ok(Verdict::Unknown);
        }
        let of = (problem.region, &problem.specification);
        self.by_linear_programs(of, problem.whole, &open.part)
    }

    /// Tries the points where the bounds of a part are attained.
    fn attained(&self, problem: &Problem<'_>, rows: &[Bounded]) -> bounds::Result<Option<Verdict>> {
        let points: Vec<Vec<f64>> = rows.iter().map(|row| row.point.clone()).collect();
        self.tried(problem.region, points)
    }

    /// Tries points where bounds are attained; now and then a search begins at the worst.
    fn nearby(
        &self,
        problem: &Problem<'_>,
        mut points: Vec<(f64, Vec<f64>)>,
        round: usize,
    ) -> bounds::Result<Option<Verdict>> {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.truncate(NEARBY.0);
        let points: Vec<Vec<f64>> = points.into_iter().map(|(_, point)| point).collect();
        if points.is_empty() {
            return Ok(None);
        }
        if self.options.steps > 0 && (round.is_power_of_two() || round.is_multiple_of(EVERY)) {
            let of = (problem.region, problem.conjunction);
            return self.descend(of, points, NEARBY.1, Duration::MAX);
        }
        self.tried(problem.region, points)
    }
}

/// Whether one constraint of a conjunction cannot be met.
pub(super) fn is_settled(conjunction: &[LinearConstraint], rows: &[Bounded]) -> bool {
    conjunction.iter().zip(rows).any(|(constraint, row)| settles(row.bound, constraint))
}
