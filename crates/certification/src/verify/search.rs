//! A search for a counterexample: steps along the sign of the gradient from many starts.
use std::time::Duration;

use burn::prelude::*;
use duress_core::{Seed, Use, host, pull_back};
use rand::RngExt;

use super::{Task, Verdict};
use crate::bounds;
use crate::vnnlib::{Conjunction, LinearConstraint, Region};

/// What came of points that were tried.
pub(super) enum Tried {
    /// One is a counterexample.
    Found(Verdict),
    /// None is; what the network answers to each.
    Answers(Vec<Vec<f64>>),
}

impl Task<'_> {
    /// A counterexample of the region, if a search down to each of some conjunctions finds one that
    /// the plain pass confirms in a share of the time.
    pub(super) fn search<'b>(
        &self,
        region: &Region,
        conjunctions: impl IntoIterator<Item = &'b Conjunction>,
        ((starts, steps), share): ((usize, usize), f64),
    ) -> bounds::Result<Option<Verdict>> {
        let until = self.begun.elapsed().saturating_add(self.share(share));
        for conjunction in conjunctions {
            let points = draws(region, starts);
            let found = self.descend((region, conjunction), points, steps, until)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The counterexample, if one of the points is one that the plain pass confirms.
    pub(super) fn tried(
        &self,
        region: &Region,
        points: Vec<Vec<f64>>,
    ) -> bounds::Result<Option<Verdict>> {
        let points: Vec<Vec<f64>> =
            points.into_iter().map(|point| region.nearest_inside(point)).collect();
        match self.answers(region, &points)?.1 {
            Tried::Found(verdict) => Ok(Some(verdict)),
            Tried::Answers(_) => Ok(None),
        }
    }

    /// What the network answers to points of the region, as rows on the device.
    pub(super) fn answers(
        &self,
        region: &Region,
        points: &[Vec<f64>],
    ) -> bounds::Result<(Tensor<2>, Tried)> {
        let (network, device) = self.device;
        let rows = self.rows(points, device);
        let outputs = host::floats(network.forward(rows.clone()))?;
        let outputs: Vec<Vec<f64>> = outputs
            .chunks_exact(self.property.outputs)
            .map(|row| row.iter().copied().map(f64::from).collect())
            .collect();
        for (point, outputs) in points.iter().zip(&outputs) {
            if region.is_unsafe(outputs)
                && let Some(verdict) = self.checked(point)?
            {
                return Ok((rows, Tried::Found(verdict)));
            }
        }
        Ok((rows, Tried::Answers(outputs)))
    }

    /// A counterexample, if one is on the way down from one of the points along the constraint of the
    /// conjunction that is missed most, found before `until` after the beginning.
    pub(super) fn descend(
        &self,
        (region, conjunction): (&Region, &Conjunction),
        mut points: Vec<Vec<f64>>,
        steps: usize,
        until: Duration,
    ) -> bounds::Result<Option<Verdict>> {
        let (network, device) = self.device;
        for point in &mut points {
            *point = region.nearest_inside(std::mem::take(point));
        }
        for step in 0..=steps {
            if self.is_late() || self.begun.elapsed() >= until {
                return Ok(None);
            }
            let (rows, outputs) = match self.answers(region, &points)? {
                (_, Tried::Found(verdict)) => return Ok(Some(verdict)),
                (rows, Tried::Answers(outputs)) => (rows, outputs),
            };
            if step == steps || conjunction.is_empty() {
                break;
            }
            let cotangent: Vec<f32> =
                outputs.iter().flat_map(|outputs| worst(conjunction, outputs)).collect();
            let shape = [points.len(), self.property.outputs];
            let cotangent = Tensor::from_data(TensorData::new(cotangent, shape), device);
            let gradient = pull_back(rows, |rows| network.forward(rows), cotangent);
            let Ok(gradient) = gradient else { break };
            let gradient = host::floats(gradient)?;
            let length = 0.25 * (1.0 - step as f64 / steps as f64).max(0.02);
            let rows = gradient.chunks_exact(self.property.inputs);
            for (point, gradient) in points.iter_mut().zip(rows) {
                for (input, value) in point.iter_mut().enumerate() {
                    let (low, high) = (region.lower[input], region.upper[input]);
                    let sign = gradient[input].partial_cmp(&0.0).map_or(0, |order| order as i8);
                    *value = inside(*value - f64::from(sign) * length * (high - low), low, high);
                }
            }
        }
        Ok(None)
    }

    fn rows(&self, points: &[Vec<f64>], device: &Device) -> Tensor<2> {
        let values: Vec<f32> = points.iter().flatten().map(|&value| value as f32).collect();
        let shape = [points.len(), self.property.inputs];
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

impl Region {
    /// The point moved to values of f32 inside.
    fn nearest_inside(&self, mut point: Vec<f64>) -> Vec<f64> {
        for (input, value) in point.iter_mut().enumerate() {
            *value = inside(*value, self.lower[input], self.upper[input]);
        }
        point
    }
}

/// The centre, and draws from the box.
fn draws(region: &Region, count: usize) -> Vec<Vec<f64>> {
    let sides = || region.lower.iter().zip(&region.upper);
    let mut points =
        vec![sides().map(|(&low, &high)| inside(low / 2.0 + high / 2.0, low, high)).collect()];
    for start in 1..count.max(1) {
        let mut stream = Seed(0).stream(start as u64, 0, 0, Use::Start);
        let point = sides().map(|(&low, &high)| {
            let share: f64 = stream.random();
            inside(low + share * (high - low), low, high)
        });
        points.push(point.collect());
    }
    points
}

/// An f32 in the interval; its nearest point where none is.
fn inside(value: f64, low: f64, high: f64) -> f64 {
    let near = value.clamp(low, high) as f32;
    let candidates = [near, near.next_up(), near.next_down()].map(f64::from);
    let held = candidates.into_iter().find(|value| (low..=high).contains(value));
    held.unwrap_or_else(|| value.clamp(low, high))
}

/// By how much a constraint is missed; not above 0 where it holds.
fn value(constraint: &LinearConstraint, outputs: &[f64]) -> f64 {
    let terms = constraint.coefficients.iter().map(|&(output, weight)| weight * outputs[output]);
    terms.sum::<f64>() - constraint.bound
}

/// By how much the constraint of a conjunction that is missed most is missed.
pub(super) fn missed(conjunction: &[LinearConstraint], outputs: &[f64]) -> f64 {
    let values = conjunction.iter().map(|constraint| value(constraint, outputs));
    values.reduce(f64::max).unwrap_or(f64::INFINITY)
}

/// The coefficients of the constraint that is missed most.
fn worst(conjunction: &[LinearConstraint], outputs: &[f64]) -> Vec<f32> {
    let by = |constraint: &&LinearConstraint| value(constraint, outputs);
    let worst = conjunction.iter().max_by(|a, b| by(a).total_cmp(&by(b)));
    let mut row = vec![0.0; outputs.len()];
    for &(output, coefficient) in worst.iter().flat_map(|one| &one.coefficients) {
        row[output] = coefficient as f32;
    }
    row
}
