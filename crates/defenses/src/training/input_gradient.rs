//! Input-gradient regularisation: the loss shall not change much around a sample.
//!
//! Ross, Doshi-Velez. *Improving the Adversarial Robustness and Interpretability of Deep Neural
//! Networks by Regularizing their Input Gradients.* AAAI 2018, eq. (4).
//! <https://arxiv.org/abs/1711.09404>
//!
//! In the finite-difference form of Finlay, Oberman. *Scaleable Input Gradient Regularization for
//! Adversarial Robustness.* 2019, §4. <https://arxiv.org/abs/1905.11468>
use duress_core::{Norm, Threat};
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::difference::{logits_together, slopes};
use super::inner::parameters;
use crate::table::{Entry, defaults, training};

/// Minimises `CE + λ · mean ((CE(x + h d) − CE(x)) / h)²`, a finite difference in place of
/// `‖∇ₓ CE‖*²`, the dual norm of `norm`: `d` is the unit vector of `norm` along which the loss of the
/// network in evaluation mode rises fastest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FiniteDifferenceInputGradient {
    /// The norm that perturbations would be measured in: L2 penalises `‖∇‖₂`, Linf `‖∇‖₁`.
    pub norm: Norm,
    /// Weight λ.
    pub lambda: f64,
    /// Length `h` of the difference, in raw units.
    pub distance: f64,
}

impl Default for FiniteDifferenceInputGradient {
    /// The form and distance of Finlay and Oberman with their smaller weight: L2, λ 0.1, h 0.01.
    fn default() -> Self {
        Self { norm: Norm::L2, lambda: 0.1, distance: 0.01 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "input-gradient-finite-difference",
    summary: "input-gradient regularisation by a finite difference",
    reference: "arXiv:1711.09404, arXiv:1905.11468",
    defaults: defaults::<FiniteDifferenceInputGradient>,
    parse: training::<FiniteDifferenceInputGradient>,
};

impl<M: Trainable> Objective<M> for FiniteDifferenceInputGradient {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let rows = batch.rows.clone().inner();
        let slope = slopes(rows.clone(), network, batch, step)?;
        let ahead = rows.clone() + self.norm.steepest(slope) * self.distance;
        let logits = logits_together(network, vec![rows, ahead]);
        let loss = |part: usize, smoothing| {
            cross_entropy(logits[part].clone(), batch.targets(), smoothing)
        };
        let rise = (loss(1, 0.0) - loss(0, 0.0)) / self.distance;
        let total = loss(0, step.label_smoothing).mean() + rise.square().mean() * self.lambda;
        Ok(LossOutput { loss: total, logits: Some(logits[0].clone().inner()) })
    }
}

impl TrainingDefense for FiniteDifferenceInputGradient {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        let defined = matches!(self.norm, Norm::L2 | Norm::Linf);
        check.holds(defined, "norm", "l2 or linf", self.norm)?;
        check.not_negative("lambda", self.lambda)?;
        check.positive("distance", self.distance)
    }
}
