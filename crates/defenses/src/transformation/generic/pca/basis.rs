//! Principal components by subspace iteration.
use burn::prelude::*;
use duress_core::{Seed, Use};
use rand::RngExt;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use crate::transformation::TrainingRows;

/// Most training samples that are looked at, evenly spread over those there are.
const MOST_ROWS: usize = 5000;

/// Most rounds of the iteration.
const ROUNDS: usize = 100;

/// The share of a unit length by which the subspace may still turn in a round, squared.
const STILL: f64 = 1e-10;

/// A mean and orthonormal directions around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Basis {
    mean: Vec<f32>,
    /// `[components, F]`, row-major.
    directions: Vec<f32>,
}

impl Basis {
    /// The directions of most variation of the rows, as many as `components`.
    ///
    /// Orthogonal iteration (Golub, Van Loan, *Matrix Computations*, §8.2.4) in f64, from a fixed
    /// start, until the subspace stands still or for 100 rounds. Of more than 5000 rows, 5000
    /// evenly spread ones are taken.
    pub(super) fn fit(data: &TrainingRows<'_>, components: usize) -> Self {
        let (features, taken) = (data.domain().features(), data.len().min(MOST_ROWS));
        let row = |index: usize| data.row(index * data.len() / taken);
        let mut mean = vec![0.0_f64; features];
        for index in 0..taken {
            for (sum, &value) in mean.iter_mut().zip(row(index)) {
                *sum += f64::from(value);
            }
        }
        for sum in &mut mean {
            *sum /= taken as f64;
        }
        let centred: Vec<Vec<f64>> = (0..taken)
            .map(|index| row(index).iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect())
            .collect();

        let start = |index: usize| -> Vec<f64> {
            let mut generator = Seed(0).stream(index as u64, 0, 0, Use::Start);
            (0..features).map(|_| generator.sample(StandardNormal)).collect()
        };
        let mut directions: Vec<Vec<f64>> = (0..components).map(start).collect();
        orthonormalise(&mut directions);
        for _ in 0..ROUNDS {
            // Each direction by itself, so that the sums have one order.
            let pulled = |direction: &Vec<f64>| {
                let mut sum = vec![0.0; features];
                for row in &centred {
                    let along = dot(row, direction);
                    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += along * value);
                }
                sum
            };
            let mut turned: Vec<Vec<f64>> = directions.par_iter().map(pulled).collect();
            orthonormalise(&mut turned);
            let kept = |new: &Vec<f64>| directions.iter().map(|old| dot(old, new).powi(2)).sum();
            let least: f64 =
                turned.par_iter().map(kept).collect::<Vec<f64>>().into_iter().fold(1.0, f64::min);
            directions = turned;
            if least > 1.0 - STILL {
                break;
            }
        }
        Self {
            mean: mean.into_iter().map(|value| value as f32).collect(),
            directions: directions.into_iter().flatten().map(|value| value as f32).collect(),
        }
    }

    /// Number of features of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// The mean `[1, F]` and the directions `[components, F]`.
    pub(super) fn tensors(&self, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let features = self.features();
        let tensor = |values: &[f32]| {
            let shape = [values.len() / features, features];
            Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
        };
        (tensor(&self.mean), tensor(&self.directions))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gram-Schmidt, twice over for the digits that cancel. A vector that the others span gives way to
/// the first axis that they do not.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    let features = vectors.first().map_or(0, Vec::len);
    let longest = vectors.iter().map(|v| dot(v, v).sqrt()).fold(0.0, f64::max);
    let mut axes = 0..features;
    for index in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(index);
        let vector = &mut rest[0];
        let mut shortest = longest * 1e-12;
        loop {
            for _ in 0..2 {
                for other in before.iter() {
                    let along = dot(vector, other);
                    vector.iter_mut().zip(other).for_each(|(value, axis)| *value -= along * axis);
                }
            }
            let length = dot(vector, vector).sqrt();
            if length > shortest {
                for value in vector.iter_mut() {
                    *value /= length;
                }
                break;
            }
            let Some(place) = axes.next() else { break };
            vector.fill(0.0);
            vector[place] = 1.0;
            // An axis is independent of fewer than F vectors by at least this much for one of them.
            shortest = 0.5 / (features as f64).sqrt();
        }
    }
}
