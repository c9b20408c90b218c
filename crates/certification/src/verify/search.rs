//! A search for a counterexample: steps along the sign of the gradient from many starts.
use burn::prelude::*;
use duress_core::{Seed, Use, host, pull_back};
use rand::RngExt;

use super::branch::value;
use super::{Task, Verdict};
use crate::bounds;
use crate::vnnlib::{LinearConstraint, Region};

impl Task<'_> {
    /// A counterexample of the region, if the search finds one that the plain pass confirms.
    pub(super) fn search(
        &self,
        region: &Region,
        (starts, steps): (usize, usize),
    ) -> bounds::Result<Option<Verdict>> {
        let (network, device) = self.device;
        for conjunction in &region.unsafe_outputs {
            let mut points = draws(region, starts);
            for step in 0..=steps {
                if self.is_late() {
                    return Ok(None);
                }
                let rows = self.rows(&points, device);
                let outputs = host::floats(network.forward(rows.clone()))?;
                let width = self.property.outputs;
                let outputs: Vec<Vec<f64>> = outputs
                    .chunks_exact(width)
                    .map(|row| row.iter().copied().map(f64::from).collect())
                    .collect();
                for (point, outputs) in points.iter().zip(&outputs) {
                    if region.is_unsafe(outputs)
                        && let Some(verdict) = self.checked(point)?
                    {
                        return Ok(Some(verdict));
                    }
                }
                if step == steps || conjunction.is_empty() {
                    break;
                }
                // Down along the constraint that is missed most, a step a row.
                let cotangent: Vec<f32> =
                    outputs.iter().flat_map(|outputs| worst(conjunction, outputs)).collect();
                let shape = [points.len(), width];
                let cotangent = Tensor::from_data(TensorData::new(cotangent, shape), device);
                let gradient = pull_back(rows, |rows| network.forward(rows), cotangent);
                let Ok(gradient) = gradient else { break };
                let gradient = host::floats(gradient)?;
                let length = 0.25 * (1.0 - step as f64 / steps as f64).max(0.02);
                let rows = gradient.chunks_exact(self.property.inputs);
                for (point, gradient) in points.iter_mut().zip(rows) {
                    for (input, value) in point.iter_mut().enumerate() {
                        let (low, high) = (region.lower[input], region.upper[input]);
                        let sign = f64::from(
                            gradient[input].partial_cmp(&0.0).map_or(0, |order| order as i8),
                        );
                        let next = *value - sign * length * (high - low);
                        *value = inside(next, low, high);
                    }
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
