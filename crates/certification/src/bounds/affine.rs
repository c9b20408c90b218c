//! Intervals through linear steps.
//!
//! `b + Σ w x` lies between the sums that take the lower or the upper bound of each x by the sign
//! of its weight. Rounding costs at most `γ (|b| + Σ |w| max|x|)` in either; the same number, per
//! unit of a coefficient, is what going back through the step can lose (see `backward`).
use rayon::prelude::*;

use super::interval::Intervals;
use super::network::{Network, Step};
use super::rounding::{TINY, down, gamma, up};

/// What is known of a linear step.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    /// Bounds of its results.
    pub(super) intervals: Intervals,
    /// What rounding can cost, for each result, where it is multiplied by 1 on its way back.
    pub(super) weights: Vec<f64>,
    /// What underflow can cost on the way back, whatever the coefficients.
    pub(super) underflow: f64,
}

/// Bounds of step `index`, which is linear, from those of the steps before it.
pub(super) fn forward(network: &Network, index: usize, known: &[Intervals]) -> Forward {
    let Step::Affine { parts, bias } = &network.steps[index] else {
        let intervals = Intervals::unknown(network.sizes[index]);
        let weights = vec![f64::INFINITY; intervals.len()];
        return Forward { intervals, weights, underflow: f64::INFINITY };
    };
    let gamma = gamma(network.terms());
    let result = |terms: &mut Vec<(usize, f64)>, at: usize| {
        let bias = bias.get(at).copied().unwrap_or(0.0);
        let (mut low, mut high, mut size, mut reach) = (bias, bias, bias.abs(), 0.0);
        for (source, map) in parts {
            let x = &known[*source];
            map.row(at, terms);
            for &(place, weight) in terms.iter() {
                let (lower, upper) = x.at(place);
                let (first, last) = if weight > 0.0 { (lower, upper) } else { (upper, lower) };
                low += weight * first;
                high += weight * last;
                let magnitude = x.magnitude(place);
                size += weight.abs() * magnitude;
                reach += magnitude + 1.0;
            }
        }
        let error = gamma * size + TINY * reach;
        let exact = parts.len() == 1 && terms.len() <= 1 && bias == 0.0;
        let exact = exact && terms.first().is_none_or(|(_, weight)| weight.abs() == 1.0);
        let (low, high) = if exact { (low, high) } else { (down(low, error), up(high, error)) };
        (low, high, gamma * size + TINY, reach)
    };
    let results: Vec<(f64, f64, f64, f64)> = (0..network.sizes[index])
        .into_par_iter()
        .with_min_len(64)
        .map_init(Vec::new, result)
        .collect();
    let mut intervals = Intervals::unknown(results.len());
    let mut weights = Vec::with_capacity(results.len());
    let mut underflow = 0.0;
    for (at, (low, high, weight, reach)) in results.into_iter().enumerate() {
        intervals.tighten(at, low, high);
        weights.push(weight);
        underflow += TINY * reach;
    }
    Forward { intervals, weights, underflow }
}
