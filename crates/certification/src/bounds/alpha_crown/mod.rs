//! α-CROWN: the slopes of relaxations, optimised row by row.
//!
//! Xu et al., *Fast and Complete: Enabling Complete Verification with Massively Parallel Incomplete
//! Verifiers*, ICLR 2021, <https://arxiv.org/abs/2011.13824>, §3.1. Any slope between the two of a
//! kink is sound, and any slope of a curve is with the constant that belongs to it, so that nothing
//! depends on the optimiser: slopes are clamped after each step, and each row keeps the best bound
//! it had. The values before each relaxation are bounded in the same way, each with slopes of its
//! own, one layer after the other; nothing goes back to a layer before.
mod gradient;
mod slopes;
mod splits;

use rayon::prelude::*;

use super::backward::{Analysis, Rows, Trace, Until, trace_back};
use super::crown::chunks;
use super::specification::Specification;
use super::{Options, Result};
pub(super) use gradient::gradient;
pub(super) use slopes::{Bend, Slopes};

/// Buffers of the size of the coefficients that are alive together.
pub(super) const COPIES: usize = 8;

/// Adam's constants, Kingma and Ba 2015.
const MOMENTS: (f64, f64) = (0.9, 0.999);

/// Lower bounds of the rows of a specification.
pub(super) fn bound(
    analysis: &Analysis<'_>,
    specification: &Specification,
    options: &Options,
) -> Result<Vec<f64>> {
    let bounds: Vec<Vec<f64>> = chunks(analysis, specification, options, COPIES)?
        .into_par_iter()
        .map(|rows| optimise(analysis, &rows, options))
        .collect();
    Ok(bounds.into_iter().flatten().collect())
}

/// Lower bounds of the rows, each with slopes of its own.
pub(super) fn optimise(analysis: &Analysis<'_>, rows: &Rows, options: &Options) -> Vec<f64> {
    let mut slopes = Slopes::new(analysis, rows);
    let mut adam = Adam::new(slopes.len());
    let mut best = vec![f64::NEG_INFINITY; rows.count];
    let mut rate = options.step_size;
    for step in 0..=options.iterations {
        let mut trace: Trace = vec![None; rows.target + 1];
        let mut keep = |index: usize, coefficients| trace[index] = Some(coefficients);
        let bounds = trace_back(analysis, rows.clone(), Until::Input, Some(&slopes), &mut keep);
        for (best, bound) in best.iter_mut().zip(bounds) {
            *best = best.max(bound);
        }
        if step == options.iterations || slopes.len() == 0 {
            break;
        }
        let gradient = gradient(analysis, rows.count, &slopes, &trace);
        slopes.moved(&adam.direction(&gradient), rate);
        rate *= options.decay;
    }
    best
}

/// Adam's moments.
pub(super) struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    powers: (f64, f64),
}

impl Adam {
    pub(super) fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count], powers: (1.0, 1.0) }
    }

    /// Steps of about 1 uphill.
    pub(super) fn direction(&mut self, gradient: &[f64]) -> Vec<f64> {
        self.powers = (self.powers.0 * MOMENTS.0, self.powers.1 * MOMENTS.1);
        let moments = self.first.iter_mut().zip(&mut self.second);
        let step = |((first, second), &slope): ((&mut f64, &mut f64), &f64)| {
            if slope.is_finite() {
                *first = MOMENTS.0 * *first + (1.0 - MOMENTS.0) * slope;
                *second = MOMENTS.1 * *second + (1.0 - MOMENTS.1) * slope * slope;
            }
            let mean = *first / (1.0 - self.powers.0);
            mean / ((*second / (1.0 - self.powers.1)).sqrt() + 1e-12)
        };
        moments.zip(gradient).map(step).collect()
    }
}
