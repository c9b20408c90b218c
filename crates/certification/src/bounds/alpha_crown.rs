//! α-CROWN: the lower slopes of ReLUs and their kin, optimised row by row.
//!
//! Xu et al., *Fast and Complete: Enabling Complete Verification with Massively Parallel Incomplete
//! Verifiers*, ICLR 2021, <https://arxiv.org/abs/2011.13824>, §3.1. Any slope between the two of a
//! kink is sound, so that nothing depends on the optimiser: slopes are clamped after each step, and
//! each row keeps the best bound it had. The values before each kink are bounded in the same way,
//! each with slopes of its own, one layer after the other; nothing goes back to a layer before.
//!
//! The gradient needs no tape. A bound is linear in the coefficients of a row at each step; what
//! multiplies them is the value of the step where the input is the one that minimises the row and
//! each relaxation is replaced by the plane the row has taken. One pass forward gives it.
use rayon::prelude::*;

use super::backward::{Analysis, FIXED, Rows, Slopes, Trace, Until, kink, trace_back};
use super::crown::chunks;
use super::network::{Network, Step};
use super::relaxation::{Planes, is_free};
use super::specification::Specification;
use super::{Options, Result};

/// Buffers of the size of the coefficients that are alive together.
pub(super) const COPIES: usize = 4;

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
    let (mut slopes, limits) = start(analysis, rows);
    let count = slopes.values.len();
    let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
    let mut best = vec![f64::NEG_INFINITY; rows.count];
    let mut rate = options.step_size;
    for step in 1..=options.iterations.saturating_add(1) {
        let mut trace: Trace = vec![None; rows.target + 1];
        let mut keep = |index: usize, coefficients| trace[index] = Some(coefficients);
        let bounds = trace_back(analysis, rows.clone(), Until::Input, Some(&slopes), &mut keep);
        for (best, bound) in best.iter_mut().zip(bounds) {
            *best = best.max(bound);
        }
        if step > options.iterations || count == 0 {
            break;
        }
        let gradient = gradient(analysis, rows.count, &slopes, &trace);
        let power = step.min(1 << 20) as i32;
        for at in 0..count {
            let slope = gradient[at];
            if !slope.is_finite() {
                continue;
            }
            first[at] = MOMENTS.0 * first[at] + (1.0 - MOMENTS.0) * slope;
            second[at] = MOMENTS.1 * second[at] + (1.0 - MOMENTS.1) * slope * slope;
            let mean = first[at] / (1.0 - MOMENTS.0.powi(power));
            let spread = (second[at] / (1.0 - MOMENTS.1.powi(power))).sqrt();
            let (low, high) = limits[at / rows.count];
            let moved = slopes.values[at] + rate * mean / (spread + 1e-8);
            slopes.values[at] = if moved.is_finite() { moved.clamp(low, high) } else { low };
        }
        rate *= options.decay;
    }
    best
}

/// The slopes that the planes have, for each row, and the limits of each.
fn start(analysis: &Analysis<'_>, rows: &Rows) -> (Slopes, Vec<(f64, f64)>) {
    let network = analysis.network;
    let mut slopes = Slopes::default();
    let mut limits = Vec::new();
    for (index, step) in network.steps.iter().enumerate().take(rows.target + 1) {
        let Step::Curve { source, .. } = step else {
            slopes.places.push(Vec::new());
            continue;
        };
        let mut places = vec![FIXED; network.sizes[index]];
        for (at, place) in places.iter_mut().enumerate() {
            let Some(sides) = kink(network, index, at) else { break };
            if is_free(sides, analysis.known[*source].at(at)) {
                *place = limits.len() as u32;
                limits.push((sides[0], sides[1]));
                let slope = analysis.planes[index][at].lower.first;
                slopes.values.extend(std::iter::repeat_n(slope, rows.count));
            }
        }
        let fixed = places.iter().all(|&place| place == FIXED);
        slopes.places.push(if fixed { Vec::new() } else { places });
    }
    (slopes, limits)
}

/// How the bound of each row changes with each of its slopes.
fn gradient(analysis: &Analysis<'_>, rows: usize, slopes: &Slopes, trace: &Trace) -> Vec<f64> {
    let Analysis { network, set, .. } = analysis;
    let mut gradient = vec![0.0; slopes.values.len()];
    let Some(Some(input)) = trace.first() else { return gradient };
    let last = trace.iter().rposition(Option::is_some).unwrap_or(0);
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); last + 1];
    values[0] = vec![0.0; network.features() * rows];
    for row in 0..rows {
        let own: Vec<f64> = input.iter().skip(row).step_by(rows).copied().collect();
        for (at, value) in set.minimiser(&own).into_iter().enumerate() {
            values[0][at * rows + row] = value;
        }
    }
    let needed = needed(network, trace, last);
    for index in 1..=last {
        let Some(coefficients) = &trace[index] else {
            if needed[index] && network.is_affine(index) {
                values[index] = affine(network, index, &values, rows);
            }
            continue;
        };
        let sources = network.sources(index);
        let places = &slopes.places[index];
        let mut own = vec![0.0; network.sizes[index] * rows];
        for (at, Planes { lower, upper }) in analysis.planes[index].iter().enumerate() {
            let free = places.get(at).copied().filter(|&place| place != FIXED);
            for row in 0..rows {
                let a = coefficients[at * rows + row];
                let plane = if a > 0.0 { lower } else { upper };
                let x = values[sources[0]][plane.index as usize * rows + row];
                let mut slope = plane.first;
                if let (Some(free), true) = (free, a > 0.0) {
                    slope = slopes.values[free as usize * rows + row];
                    gradient[free as usize * rows + row] = a * x;
                }
                let other = sources.get(1).map_or(0.0, |&source| values[source][at * rows + row]);
                own[at * rows + row] = slope * x + plane.second * other + plane.constant;
            }
        }
        values[index] = own;
    }
    gradient
}

/// The steps whose values steps of the trace depend on.
fn needed(network: &Network, trace: &Trace, last: usize) -> Vec<bool> {
    let mut needed: Vec<bool> = trace[..=last].iter().map(Option::is_some).collect();
    for index in (1..=last).rev() {
        if needed[index] {
            network.sources(index).into_iter().for_each(|source| needed[source] = true);
        }
    }
    needed
}

/// Values `[size, rows]` of a linear step.
fn affine(network: &Network, index: usize, values: &[Vec<f64>], rows: usize) -> Vec<f64> {
    let mut own = vec![0.0; network.sizes[index] * rows];
    let Step::Affine { parts, bias } = &network.steps[index] else { return own };
    let mut terms = Vec::new();
    for (at, own) in own.chunks_exact_mut(rows).enumerate() {
        own.fill(bias.get(at).copied().unwrap_or(0.0));
        for (source, map) in parts {
            map.row(at, &mut terms);
            for &(place, weight) in &terms {
                let from = &values[*source][place * rows..][..rows];
                own.iter_mut().zip(from).for_each(|(own, from)| *own += weight * from);
            }
        }
    }
    own
}
