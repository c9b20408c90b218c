//! CURE: the loss surface shall be flat along the direction that an adversary takes.
//!
//! Moosavi-Dezfooli, Fawzi, Uesato, Frossard. *Robustness via Curvature Regularization, and Vice
//! Versa.* CVPR 2019, eq. (5). <https://arxiv.org/abs/1811.09716>
use duress_core::Threat;
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::difference::{directions, logits_together, slopes};
use super::inner::{parameters, ramp};
use crate::table::{Entry, defaults, training};

/// Minimises `CE + λ · mean ‖∇ℓ(x + h z) − ∇ℓ(x)‖₂²` with `z = sign ∇ℓ(x) / ‖sign ∇ℓ(x)‖₂`.
///
/// The length of the change `v` of the gradient is taken as a finite difference along `v / ‖v‖`,
/// over `2 · probe`: `v` itself comes from the network in evaluation mode, the difference from one
/// pass in training mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FiniteDifferenceCurvature {
    /// Weight λ.
    pub lambda: f64,
    /// Distance `h` between the two gradients (Euclidean, raw units).
    pub distance: f64,
    /// Half of the distance over which a gradient is taken as a difference (Euclidean, raw units).
    pub probe: f64,
    /// Epochs over which `h` rises linearly from 0.
    pub warmup_epochs: u32,
}

impl Default for FiniteDifferenceCurvature {
    /// The paper's weight and distance on CIFAR-10: λ 4, h 1.5, reached over five epochs.
    fn default() -> Self {
        Self { lambda: 4.0, distance: 1.5, probe: 0.01, warmup_epochs: 5 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "curvature-finite-difference",
    summary: "curvature regularisation (CURE) by finite differences",
    reference: "arXiv:1811.09716",
    defaults: defaults::<FiniteDifferenceCurvature>,
    parse: training::<FiniteDifferenceCurvature>,
};

impl<M: Trainable> Objective<M> for FiniteDifferenceCurvature {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let (rows, probe) = (batch.rows.clone().inner(), self.probe);
        let here = slopes(rows.clone(), network, batch, step)?;
        let far = self.distance * ramp(step, self.warmup_epochs);
        let moved = rows.clone() + directions(here.clone().sign()) * far;
        let there = slopes(moved.clone(), network, batch, step)?;
        let by = directions(there - here) * probe;
        let points = vec![
            rows.clone(),
            moved.clone() + by.clone(),
            moved - by.clone(),
            rows.clone() + by.clone(),
            rows - by,
        ];
        let logits = logits_together(network, points);
        let loss = |part: usize| cross_entropy(logits[part].clone(), batch.targets(), 0.0);
        let change = (loss(1) - loss(2) - loss(3) + loss(4)) / (2.0 * probe);
        let natural = cross_entropy(logits[0].clone(), batch.targets(), step.label_smoothing);
        let total = natural.mean() + change.square().mean() * self.lambda;
        Ok(LossOutput { loss: total, logits: Some(logits[0].clone().inner()) })
    }
}

impl TrainingDefense for FiniteDifferenceCurvature {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.not_negative("lambda", self.lambda)?;
        check.positive("distance", self.distance)?;
        check.positive("probe", self.probe)
    }
}
