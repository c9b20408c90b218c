//! YOPO: full passes are few, moves of the perturbation pass the first layer only.
//!
//! Zhang, Zhang, Lu, Zhu, Dong. *You Only Propagate Once: Accelerating Adversarial Training via
//! Maximal Principle.* `NeurIPS` 2019, algorithm 1. <https://arxiv.org/abs/1905.00877>
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{Algorithm, Epsilon, Norm, Region, Threat, pull_back};
use duress_models::train::{Feedback, LossOutput, Memory, Step, Traced};
use duress_models::{Batch, FirstLayer, Network, Objective, Result};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{mean_cross_entropy, parameters};
use crate::table::{Entry, defaults, training};

/// YOPO-m-n. A step makes `full_passes` (m) passes through the whole network in training mode.
/// Each gives a gradient of the weights and `p`, the gradient by the first layer's output; with
/// `p` held, the perturbation then makes `moves` (n) steps up `⟨p, f₀(x + η)⟩`, which cost a
/// first layer each. The step goes against the mean of the m gradients.
///
/// (The paper adds the m gradients up: a mean keeps the learning rate that of other recipes.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Yopo {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius, in units of the raw input.
    pub epsilon: Epsilon,
    /// Full forward and backward passes `m` of a step.
    pub full_passes: u32,
    /// Moves `n` of the perturbation after each full pass.
    pub moves: usize,
    /// Length of a move, as a fraction of the radius.
    pub step_size: f64,
}

impl Default for Yopo {
    /// The paper's YOPO-5-3 on CIFAR-10: moves of 2/255 at 8/255.
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::EIGHT_255THS,
            full_passes: 5,
            moves: 3,
            step_size: 0.25,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "yopo",
    summary: "YOPO-m-n: adversarial training whose inner moves pass the first layer only",
    reference: "arXiv:1905.00877",
    defaults: defaults::<Yopo>,
    parse: training::<Yopo>,
};

/// Names in the memory: where the rows are, `[B, F]`, and `p`, `[B, hidden]`.
const POINT: &str = "point";
const ADJOINT: &str = "adjoint";

impl Yopo {
    fn ball(&self) -> Ball {
        Ball {
            norm: self.norm,
            epsilon: self.epsilon,
            steps: self.moves,
            step_size: self.step_size,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
        }
    }

    /// The point of the next full pass: a random start, or the last point moved along `p`.
    fn next<M: FirstLayer>(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &Memory<M>,
    ) -> Result<Tensor<2>> {
        let threat = self.ball().threat_at(step)?;
        let region = Region::new(batch.rows.clone().inner(), &threat, step.domain)?;
        let (Some(mut rows), Some(adjoint)) = (memory.tensor(POINT), memory.tensor(ADJOINT)) else {
            return Ok(region.sample(step.epoch_seed(), &batch.ids, 0, 0));
        };
        let frozen = network.valid();
        for _ in 0..self.moves {
            let first = |rows| frozen.first(rows).flatten::<2>(1, 3);
            let gradient = pull_back(rows.clone(), first, adjoint.clone())?;
            let length = region.radius() * self.step_size;
            rows = region.ascend(rows, gradient, length);
        }
        Ok(rows)
    }
}

impl<M: FirstLayer> Objective<M> for Yopo {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        Ok(self.loss_by(network, batch, step, &mut Memory::default())?.output)
    }

    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let rows = self.next(network, batch, step, memory)?;
        memory.keep_tensor(POINT, rows.clone());
        let hidden = network.first(rows.autodiff());
        let shape = hidden.dims();
        let width = shape[1..].iter().product();
        // The gradient by a summand is the gradient by the sum.
        let leaf = Tensor::<2>::zeros([shape[0], width], &step.passes.device().clone());
        let leaf = leaf.autodiff().require_grad();
        let logits = network.rest(hidden + leaf.clone().reshape(shape));
        let loss = mean_cross_entropy(logits.clone(), batch, step) / f64::from(self.full_passes);
        let output = LossOutput { loss, logits: Some(logits.inner()) };
        Ok(Traced { output, leaf: Some(leaf) })
    }

    fn remember(
        &self,
        memory: &mut Memory<M>,
        _: &Batch,
        _: &Step<'_>,
        feedback: Feedback,
    ) -> Result<()> {
        match feedback.slope {
            Some(adjoint) if feedback.pass + 1 < self.full_passes => {
                memory.keep_tensor(ADJOINT, adjoint);
            }
            // The next batch starts anew.
            _ => {
                memory.forget_tensor(POINT);
                memory.forget_tensor(ADJOINT);
            }
        }
        Ok(())
    }

    fn backward_passes(&self) -> u32 {
        self.full_passes
    }
}

impl TrainingDefense for Yopo {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball().threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.holds(self.full_passes >= 1, "full_passes", "at least 1", self.full_passes)?;
        check.holds(self.moves >= 1, "moves", "at least 1", self.moves)?;
        // Momentum is not for it, and the sparse steps of L1 are those of the attack itself.
        let norms: Vec<Norm> =
            Pgd::paper().norms().iter().copied().filter(|&norm| norm != Norm::L1).collect();
        self.ball().check(ENTRY.name, &norms)
    }
}
