//! Which kinks are worth fixing.
//!
//! Bunel et al., *Branch and Bound for Piecewise Linear Neural Network Verification*, JMLR 2020,
//! <https://arxiv.org/abs/1909.06588>, §5.2.2 (`BaBSR`), in the form of De Palma et al., *Improved
//! Branch and Bound for Neural Network Verification via Lagrangian Decomposition*, 2021,
//! <https://arxiv.org/abs/2104.06718>, §4: what the relaxation of a kink costs the bound is its
//! coefficient times the constant of its line above. The few that cost most are then tried.
use super::{Part, Whole};
use crate::bounds::alpha_crown::Slopes;
use crate::bounds::backward::Trace;

/// Most kinks of a part that are tried.
const MOST_CANDIDATES: usize = 8;

/// Share of what a line below can cost: its slope was optimised, so that it costs less.
const BELOW: f64 = 0.25;

impl Whole<'_> {
    /// The kinks that cost a row most and are not fixed, the worst first.
    pub(super) fn candidates(
        &self,
        trace: &Trace,
        slopes: &Slopes,
        part: &Part,
        (row, count): (usize, usize),
    ) -> Vec<u32> {
        let mut fixed = vec![false; self.kinks.len()];
        for done in &part.fixed {
            fixed[done.kink as usize] = true;
        }
        let cost = |kink: usize| {
            let own = &self.kinks[kink];
            let a = trace[own.step].as_ref().map_or(0.0, |line| line[own.at * count + row]);
            if a < 0.0 {
                return -a * own.above.1;
            }
            let slope = slopes.slope(kink, row);
            let left = (slope - own.sides.0) * -own.operand.0;
            let right = (own.sides.1 - slope) * own.operand.1;
            a * BELOW * left.min(right).max(1e-3 * left.max(right))
        };
        let mut costs: Vec<(f64, u32)> = (0..self.kinks.len())
            .filter(|&kink| !fixed[kink])
            .map(|kink| (cost(kink), kink as u32))
            .collect();
        let most = MOST_CANDIDATES.min(costs.len());
        if most > 0 && most < costs.len() {
            costs.select_nth_unstable_by(most - 1, |a, b| b.0.total_cmp(&a.0));
        }
        costs.truncate(most);
        costs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        costs.into_iter().map(|(_, kink)| kink).collect()
    }
}
