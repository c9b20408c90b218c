//! Parseval networks: weights are pulled towards tight frames after each step.
//!
//! Cissé, Bojanowski, Grave, Dauphin, Usunier. *Parseval Networks: Improving Robustness to
//! Adversarial Examples.* ICML 2017, eq. (12). <https://arxiv.org/abs/1704.08847>
use burn::prelude::*;
use duress_core::Threat;
use duress_models::train::{LossOutput, Step, map_matrices};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::inner::parameters;
use super::{BaseRecipe, TrainingDefense};
use crate::table::{Entry, defaults, training};

/// Minimises the loss of another recipe and, after each step of the optimiser, retracts each weight
/// of rank two or more: `W ← (1 + β) W − β W Wᵀ W`, one step down `β/4 ‖WᵀW − I‖_F²`.
///
/// A convolution is the matrix `[out, in · height · width]`; the norm of the map it makes is at most
/// the root of `height · width` times that of the matrix. The whole matrix is used, not a sample of
/// its rows, and sums of branches are left as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParsevalTraining {
    /// What is minimised.
    pub inner: BaseRecipe,
    /// Strength β of the retraction, in `(0, 1)`. Singular values up to `√((2 + β) / β)` in length
    /// come nearer to 1; larger ones diverge.
    pub beta: f64,
}

impl Default for ParsevalTraining {
    /// Cross-entropy with the paper's β of its wide residual networks, 0.0003.
    fn default() -> Self {
        Self { inner: BaseRecipe::standard(), beta: 3e-4 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "parseval",
    summary: "Parseval networks: weights are retracted to tight frames after each step",
    reference: "arXiv:1704.08847",
    defaults: defaults::<ParsevalTraining>,
    parse: training::<ParsevalTraining>,
};

/// `(1 + β) W − β W Wᵀ W`, by way of the smaller of the two Gram matrices.
fn retract(matrix: Tensor<2>, beta: f64) -> Tensor<2> {
    let ([rows, columns], turned) = (matrix.dims(), matrix.clone().transpose());
    let cube = if rows <= columns {
        matrix.clone().matmul(turned).matmul(matrix.clone())
    } else {
        matrix.clone().matmul(turned.matmul(matrix.clone()))
    };
    matrix * (1.0 + beta) - cube * beta
}

impl<M: Trainable> Objective<M> for ParsevalTraining {
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
        Ok(map_matrices(network, |_, matrix| retract(matrix, self.beta)))
    }
}

impl TrainingDefense for ParsevalTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.inner.threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        self.inner.check()?;
        let inside = self.beta > 0.0 && self.beta < 1.0;
        Check(ENTRY.name).holds(inside, "beta", "between 0 and 1", self.beta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// Diagonal (2, ½): (1 + ¼)·2 − ¼·8 = ½ and (1 + ¼)·½ − ¼·⅛ = 0.59375, tall and wide.
    #[test]
    fn a_diagonal_is_retracted_by_hand_and_orthogonal_rows_stay() {
        let device = Device::flex();
        let wide = Tensor::<2>::from_data([[2.0, 0.0, 0.0], [0.0, 0.5, 0.0]], &device);
        let got = floats(retract(wide.clone(), 0.25)).unwrap();
        assert_eq!(got, [0.5, 0.0, 0.0, 0.0, 0.59375, 0.0]);
        let tall = floats(retract(wide.transpose(), 0.25)).unwrap();
        assert_eq!(tall, [0.5, 0.0, 0.0, 0.59375, 0.0, 0.0]);
        let frame = Tensor::<2>::from_data([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]], &device);
        assert_eq!(floats(retract(frame.clone(), 0.25)).unwrap(), floats(frame).unwrap());
    }
}
