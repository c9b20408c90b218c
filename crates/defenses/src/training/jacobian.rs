//! Jacobian regularisation: no logit shall change much around a sample.
//!
//! Hoffman, Roberts, Yaida. *Robust Learning with Jacobian Regularization.* 2019, eq. (5) and
//! algorithm 1. <https://arxiv.org/abs/1908.02729>
use burn::prelude::*;
use duress_core::{Aim, Loss, Threat, Use};
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::difference::{directions, logits_together, slopes_of};
use super::inner::parameters;
use crate::table::{Entry, defaults, training};

/// Minimises `CE + λ/2 · mean ‖J‖_F²`, where `J` is the Jacobian of the logits by the input. Its
/// norm is estimated from random unit vectors `v` of the space of logits, `‖J‖_F² = K E ‖Jᵀv‖²`.
///
/// `‖Jᵀv‖` is taken as a finite difference of `⟨v, f⟩` along `Jᵀv / ‖Jᵀv‖`, over `2 · probe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FiniteDifferenceJacobian {
    /// Weight λ.
    pub lambda: f64,
    /// Random vectors a sample and step.
    pub projections: u32,
    /// Half of the distance over which a gradient is taken as a difference (Euclidean, raw units).
    pub probe: f64,
}

impl Default for FiniteDifferenceJacobian {
    /// The paper's: λ 0.01, one projection.
    fn default() -> Self {
        Self { lambda: 0.01, projections: 1, probe: 0.01 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "jacobian-finite-difference",
    summary: "Jacobian regularisation by random projections and finite differences",
    reference: "arXiv:1908.02729",
    defaults: defaults::<FiniteDifferenceJacobian>,
    parse: training::<FiniteDifferenceJacobian>,
};

/// `⟨v, z⟩`, with `v` in the aim's reference.
#[derive(Debug)]
struct Projection;

impl Loss for Projection {
    fn name(&self) -> &'static str {
        "projection"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        match aim.reference() {
            Some(vectors) => along(logits, vectors),
            None => logits.sum_dim(1).squeeze_dim(1),
        }
    }
}

/// `⟨v, z⟩` of each row, on the tape of the logits if they are on one.
fn along(logits: Tensor<2>, vectors: Tensor<2>) -> Tensor<1> {
    let vectors = if logits.is_autodiff() { vectors.autodiff() } else { vectors };
    (logits * vectors).sum_dim(1).squeeze_dim(1)
}

impl<M: Trainable> Objective<M> for FiniteDifferenceJacobian {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let rows = batch.rows.clone().inner();
        let (mut points, mut drawn) = (vec![rows.clone()], Vec::new());
        for projection in 0..self.projections {
            let at = (0, projection, Use::Noise);
            let vectors =
                step.epoch_seed().rows(&batch.ids, at, step.classes, &rows.device(), |rng, row| {
                    row.fill_with(|| rng.sample(StandardNormal));
                });
            let vectors = directions(vectors);
            let reference = Some(vectors.clone());
            let slope = slopes_of(&Projection, reference, rows.clone(), network, batch, step)?;
            let by = directions(slope) * self.probe;
            points.extend([rows.clone() + by.clone(), rows.clone() - by]);
            drawn.push(vectors);
        }
        let logits = logits_together(network, points);
        let mut total =
            cross_entropy(logits[0].clone(), batch.targets(), step.label_smoothing).mean();
        let factor = 0.5 * self.lambda * step.classes as f64 / f64::from(self.projections);
        for (index, vectors) in drawn.into_iter().enumerate() {
            let [ahead, behind] = [1, 2].map(|side| logits[2 * index + side].clone());
            let length = along(ahead - behind, vectors) / (2.0 * self.probe);
            total = total + length.square().mean() * factor;
        }
        Ok(LossOutput { loss: total, logits: Some(logits[0].clone().inner()) })
    }
}

impl TrainingDefense for FiniteDifferenceJacobian {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.not_negative("lambda", self.lambda)?;
        check.positive("probe", self.probe)?;
        let few = (1..=1024).contains(&self.projections);
        check.holds(few, "projections", "between 1 and 1024", self.projections)
    }
}
