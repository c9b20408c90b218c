//! A bound on the largest singular value of each weight.
//!
//! Gouk, Frank, Pfahringer, Cree. *Regularisation of Neural Networks by Enforcing Lipschitz
//! Continuity.* Machine Learning 110 (2021), eq. (9) and algorithm 2.
//! <https://arxiv.org/abs/1804.04368>
use burn::prelude::*;
use duress_core::{Seed, Threat, Use};
use duress_models::train::{LossOutput, Step, map_matrices};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::inner::parameters;
use super::{BaseRecipe, TrainingDefense};
use crate::table::{Entry, defaults, training};

/// Minimises the loss of another recipe and, after each step of the optimiser, scales each weight of
/// rank two or more down to the bound: `W ← W / max(1, σ(W) / bound)`.
///
/// `σ` comes from a fixed number of power iterations from a start that belongs to the weight, and is
/// a bound from below. A convolution is the matrix `[out, in · height · width]`, whose `σ` is not
/// the norm of the map it makes. This is a constraint for training: it certifies nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpectralNormConstraint {
    /// What is minimised.
    pub inner: BaseRecipe,
    /// Largest singular value allowed.
    pub bound: f64,
    /// Power iterations after each step.
    pub iterations: u32,
}

impl Default for SpectralNormConstraint {
    /// Cross-entropy, each layer at most 1, 10 iterations.
    fn default() -> Self {
        Self { inner: BaseRecipe::standard(), bound: 1.0, iterations: 10 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "spectral-norm",
    summary: "a bound on the largest singular value of each weight",
    reference: "arXiv:1804.04368",
    defaults: defaults::<SpectralNormConstraint>,
    parse: training::<SpectralNormConstraint>,
};

/// The largest singular value of `matrix` `[n, m]`, from below: `[1, 1]`.
fn largest_singular_value(matrix: &Tensor<2>, iterations: u32, number: u64) -> Tensor<2> {
    let columns = matrix.dims()[1];
    let at = (0, 0, Use::Weights);
    let start = Seed(0).rows(&[number], at, columns, &matrix.device(), |rng, row| {
        row.fill_with(|| rng.sample(StandardNormal));
    });
    let unit = |vector: Tensor<2>| {
        let length = vector.clone().square().sum().sqrt().clamp_min(1e-20);
        vector / length.reshape([1, 1])
    };
    let mut vector = unit(start.transpose());
    for _ in 0..iterations {
        vector = unit(matrix.clone().transpose().matmul(matrix.clone().matmul(vector)));
    }
    matrix.clone().matmul(vector).square().sum().sqrt().reshape([1, 1])
}

impl<M: Trainable> Objective<M> for SpectralNormConstraint {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        self.inner.loss(network, batch, step)
    }

    fn after_step(&self, network: M, _: &Step<'_>) -> Result<M> {
        Ok(map_matrices(network, |number, matrix| {
            let largest = largest_singular_value(&matrix, self.iterations, number);
            matrix / (largest / self.bound).clamp_min(1.0)
        }))
    }
}

impl TrainingDefense for SpectralNormConstraint {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.inner.threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.inner.check()?;
        let check = Check(ENTRY.name);
        check.positive("bound", self.bound)?;
        check.holds(self.iterations >= 1, "iterations", "at least 1", self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// Singular values 3 and 1, turned by an angle.
    #[test]
    fn power_iterations_find_the_largest_singular_value() {
        let device = Device::flex();
        let matrix = Tensor::<2>::from_data([[1.8, -0.8, 0.0], [2.4, 0.6, 0.0]], &device);
        for matrix in [matrix.clone(), matrix.transpose()] {
            let got = floats(largest_singular_value(&matrix, 20, 3)).unwrap()[0];
            assert!((got - 3.0).abs() < 1e-5, "{got}");
        }
        let zero = Tensor::<2>::zeros([2, 2], &device);
        assert_eq!(floats(largest_singular_value(&zero, 5, 0)).unwrap(), [0.0]);
    }
}
