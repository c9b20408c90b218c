//! How bounds change with slopes.
//!
//! The gradient needs no tape. A bound is linear in the coefficients of a row at each step; what
//! multiplies them is the value of the step where the input is the one that minimises the row and
//! each relaxation is replaced by the line the row has taken. One pass forward gives it. A line
//! `slope · x + constant` of a curve turns about its point of contact, so that there the derivative
//! is `coefficient · (x − contact)`; that of a kink is the origin.
use super::slopes::{Bend, Slopes};
use crate::bounds::backward::{Analysis, Trace, gather};
use crate::bounds::network::{Network, Step};
use crate::bounds::relaxation::Planes;

/// The derivative of the bound of each row by each of its slopes.
pub(in crate::bounds) fn gradient(
    analysis: &Analysis<'_>,
    rows: usize,
    slopes: &Slopes,
    trace: &Trace,
) -> Vec<f64> {
    let Analysis { network, set, .. } = analysis;
    let mut gradient = vec![0.0; slopes.len()];
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
        let mut own = vec![0.0; network.sizes[index] * rows];
        for (at, Planes { lower, upper }) in analysis.planes[index].iter().enumerate() {
            let bend = slopes.at(index, at);
            for row in 0..rows {
                let a = coefficients[at * rows + row];
                let plane = if a > 0.0 { lower } else { upper };
                let x = values[sources[0]][plane.index as usize * rows + row];
                own[at * rows + row] = match bend {
                    Bend::Kink { first, slopes } if a > 0.0 => {
                        gradient[first + row] = a * x;
                        slopes[row] * x
                    }
                    Bend::Split { first, slopes, split } => {
                        let sign = split.signs[row];
                        if sign != 0.0 {
                            gradient[split.first + row] = -sign * x;
                        } else if a > 0.0 {
                            gradient[first + row] = a * x;
                        }
                        if a > 0.0 || sign != 0.0 {
                            slopes[row] * x
                        } else {
                            let (slope, constant) = split.above[row];
                            slope * x + constant
                        }
                    }
                    Bend::Curve { first, lines } => {
                        let side = usize::from(a <= 0.0);
                        let line = lines[row][side];
                        gradient[first + 2 * row + side] = a * (x - line.contact);
                        line.slope * x + line.constant
                    }
                    _ => {
                        let second = sources.get(1);
                        let other = second.map_or(0.0, |&it| values[it][at * rows + row]);
                        plane.first * x + plane.second * other + plane.constant
                    }
                };
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
            gather(own, &values[*source], &terms);
        }
    }
    own
}
