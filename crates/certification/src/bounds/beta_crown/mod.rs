//! β-CROWN: bounds on the parts of an input set that the signs of some kinks' operands cut out.
//!
//! Wang et al., *Beta-CROWN: Efficient Bound Propagation with Per-neuron Split Constraints for Neural
//! Network Robustness Verification*, `NeurIPS` 2021, <https://arxiv.org/abs/2103.06624>, §3.2: slopes
//! (α) and the multipliers of the signs' constraints (β) are optimised together; any slopes in their
//! limits and any β ≥ 0 give a sound bound (see `backward` for what rounding costs). Intervals before
//! relaxations are those of the whole set, from α-CROWN, on all of its parts. On a part that is empty
//! the bound has no limit, and once it is above 0 the part is settled like any other.
//!
//! Many parts are bounded together: they are rows of one way back.
mod candidates;
mod leaf;
mod part;

use std::time::Instant;

use rayon::prelude::*;

use super::alpha_crown::{Adam, Slopes, gradient};
use super::analysis::{self, Way};
use super::backward::{Analysis, Rows, Trace, Until, trace_back};
use super::input::InputSet;
use super::network::{Network, Step};
use super::relaxation::is_loose;
use super::specification::Specification;
use super::{Options, Result};
pub(crate) use leaf::{Leaf, LinearFunction};
pub(crate) use part::{Bounded, Fixed, Part, Start};

/// Most rows that are bounded together: more no longer make it faster.
const TOGETHER: usize = 32;

/// Share of [`Options::step_size`] by which slopes move that begin where those of the whole were.
const WARM: f64 = 0.5;

/// A network on an input set, prepared to bound parts of the set.
#[derive(Clone, Debug)]
pub(crate) struct Whole<'a> {
    analysis: Analysis<'a>,
    kinks: Vec<Kink>,
    options: Options,
    deadline: Option<Instant>,
}

/// A kink that can be on both sides on the set.
#[derive(Clone, Copy, Debug)]
struct Kink {
    step: usize,
    at: usize,
    /// Slope and constant of the line above.
    above: (f64, f64),
    /// Interval of its operand.
    operand: (f64, f64),
    /// Slopes below and above 0.
    sides: (f64, f64),
}

impl<'a> Whole<'a> {
    /// Bounds what enters each relaxation: by CROWN, then by α-CROWN if `options` grant it steps.
    ///
    /// # Errors
    /// As [`Network::lower_bounds`].
    pub(crate) fn new(network: &'a Network, set: &'a InputSet, options: &Options) -> Result<Self> {
        options.check()?;
        let analysis = analysis::by_planes(network, set, options, Way::Planes)?;
        Ok(Self::of(analysis, options))
    }

    /// The same with tighter intervals, by as many steps of the optimiser.
    ///
    /// # Errors
    /// As [`Network::lower_bounds`].
    pub(crate) fn tightened(&self, iterations: usize) -> Result<Self> {
        let Analysis { network, set, .. } = self.analysis;
        let way = Way::Optimised(&self.analysis);
        let options = Options { intermediate_iterations: iterations, ..self.options.clone() };
        let analysis = analysis::by_planes(network, set, &options, way)?;
        Ok(Self { deadline: self.deadline, ..Self::of(analysis, &self.options) })
    }

    /// The same, but for an optimiser that stops at a deadline.
    pub(crate) fn until(self, deadline: Option<Instant>) -> Self {
        Self { deadline, ..self }
    }

    fn of(analysis: Analysis<'a>, options: &Options) -> Self {
        let network = analysis.network;
        let none = Rows {
            target: network.output,
            count: 1,
            coefficients: vec![0.0; network.outputs()],
            constants: vec![0.0],
        };
        let slopes = Slopes::new(&analysis, &none);
        let kink = |(step, at): (usize, usize)| {
            let source = network.sources(step)[0];
            let upper = analysis.planes[step][at].upper;
            let sides = slopes.limits_of(step, at);
            let operand = analysis.known[source].at(at);
            Kink { step, at, above: (upper.first, upper.constant), operand, sides }
        };
        let kinks = slopes.free_kinks().into_iter().map(kink).collect();
        Self { analysis, kinks, options: options.clone(), deadline: None }
    }

    /// Intervals and planes.
    pub(super) fn analysis(&self) -> &Analysis<'a> {
        &self.analysis
    }

    /// Whether a network whose kinks are all fixed is linear.
    pub(crate) fn is_linear_between_kinks(&self) -> bool {
        let Analysis { network, planes, .. } = &self.analysis;
        let free: std::collections::HashSet<(usize, usize)> =
            self.kinks.iter().map(|kink| (kink.step, kink.at)).collect();
        planes.iter().enumerate().all(|(step, planes)| {
            matches!(network.steps[step], Step::Input | Step::Affine { .. })
                || planes
                    .iter()
                    .enumerate()
                    .all(|(at, planes)| !is_loose(planes) || free.contains(&(step, at)))
        })
    }

    /// Bounds the rows of a specification on each part, with as many steps of the optimiser, and
    /// says which kinks to fix next.
    ///
    /// # Errors
    /// A network too large for the memory granted.
    pub(crate) fn bound(
        &self,
        specification: &Specification,
        parts: &[Part],
        iterations: usize,
    ) -> Result<Vec<Vec<Bounded>>> {
        let network = self.analysis.network;
        let copies = if iterations > 0 { super::alpha_crown::COPIES } else { 2 };
        let granted = Options {
            memory: self.options.memory / copies,
            rows: self.options.rows.min(TOGETHER),
            ..self.options.clone()
        };
        let most = granted.chunk(network, network.output)?;
        let width = specification.len().max(1);
        let even = parts.len().div_ceil(rayon::current_num_threads().max(1)).max(1);
        let together = (most / width).clamp(1, even);
        let chunks: Vec<Vec<Vec<Bounded>>> = parts
            .par_chunks(together)
            .map(|parts| self.optimise(specification, parts, iterations))
            .collect();
        Ok(chunks.into_iter().flatten().collect())
    }

    fn optimise(
        &self,
        specification: &Specification,
        parts: &[Part],
        iterations: usize,
    ) -> Vec<Vec<Bounded>> {
        let analysis = &self.analysis;
        let (width, outputs) = (specification.len(), specification.outputs());
        let count = parts.len() * width;
        if count == 0 {
            return parts.iter().map(|_| Vec::new()).collect();
        }
        let mut coefficients = vec![0.0; outputs * count];
        for (output, row) in coefficients.chunks_exact_mut(count).enumerate() {
            for (at, value) in row.iter_mut().enumerate() {
                *value = specification.row(at % width)[output];
            }
        }
        let constants = (0..count).map(|at| specification.offset(at % width)).collect();
        let target = analysis.network.output;
        let rows = Rows { target, count, coefficients, constants };
        let mut slopes = Slopes::new(analysis, &rows);
        let mut warm = false;
        for row in 0..count {
            let part = &parts[row / width];
            warm |= part.begin(&self.kinks, &mut slopes, row % width, row);
        }
        let mut adam = Adam::new(slopes.len());
        let mut best = vec![(f64::NEG_INFINITY, Start::default()); count];
        let mut rate = self.options.step_size * if warm { WARM } else { 1.0 };
        for step in 0..=iterations {
            let mut trace: Trace = vec![None; target + 1];
            let mut keep = |index: usize, coefficients| trace[index] = Some(coefficients);
            let bounds = trace_back(analysis, rows.clone(), Until::Input, Some(&slopes), &mut keep);
            for (row, (best, bound)) in best.iter_mut().zip(bounds).enumerate() {
                if bound > best.0 || step == 0 {
                    let start = || parts[row / width].end(&self.kinks, &slopes, row);
                    *best = (best.0.max(bound), start());
                }
            }
            // A conjunction is settled by one of its rows.
            let settled = best.chunks_exact(width).all(|rows| rows.iter().any(|(it, _)| *it > 0.0));
            let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if step == iterations || slopes.len() == 0 || settled || late {
                let bounded = best.into_iter().enumerate().map(|(row, (bound, start))| {
                    let part = &parts[row / width];
                    let candidates = self.candidates(&trace, &slopes, part, (row, count));
                    Bounded { bound, start, candidates, point: self.point(&trace, row, count) }
                });
                let all: Vec<Bounded> = bounded.collect();
                return all.chunks(width).map(<[Bounded]>::to_vec).collect();
            }
            if step == 0 {
                let sizes = Self::sizes(&trace, count);
                slopes.scale_multipliers(|kink, row| sizes[self.kinks[kink].step][row]);
            }
            let gradient = gradient(analysis, count, &slopes, &trace);
            slopes.moved(&adam.direction(&gradient), rate);
            rate *= self.options.decay;
        }
        Vec::new()
    }

    /// The input at which the last bound of a row is attained.
    fn point(&self, trace: &Trace, row: usize, count: usize) -> Vec<f64> {
        let Some(Some(input)) = trace.first() else {
            return self.analysis.set.minimiser(&vec![0.0; self.analysis.network.features()]);
        };
        let own: Vec<f64> = input.iter().skip(row).step_by(count).copied().collect();
        self.analysis.set.minimiser(&own)
    }

    /// For each step with kinks, the mean magnitude of each row's coefficients.
    fn sizes(trace: &Trace, count: usize) -> Vec<Vec<f64>> {
        let mean = |coefficients: &Option<Vec<f64>>| {
            let Some(coefficients) = coefficients else { return vec![0.0; count] };
            let (mut sums, mut used) = (vec![0.0; count], vec![0.0_f64; count]);
            for line in coefficients.chunks_exact(count) {
                for ((sum, used), a) in sums.iter_mut().zip(&mut used).zip(line) {
                    *sum += a.abs();
                    *used += f64::from(*a != 0.0);
                }
            }
            sums.iter().zip(used).map(|(sum, used)| sum / used.max(1.0)).collect()
        };
        trace.iter().map(mean).collect()
    }
}

#[cfg(test)]
mod tests;
