//! The loss of 1-Lipschitz networks: cross-entropy that asks for a margin.
//!
//! Prach, Lampert. *Almost-Orthogonal Layers for Efficient General-Purpose Lipschitz Networks.*
//! ECCV 2022. <https://arxiv.org/abs/2208.03160>
use burn::prelude::*;
use duress_core::Threat;
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::inner::{logits_at, mean_cross_entropy, parameters};
use crate::table::{Entry, defaults, training};

/// Minimises `t · CE((z − u e_y) / t, y)`: the label has to lead by the offset `u` before the loss
/// is content, and a low temperature `t` keeps what logits that cannot grow have to say.
///
/// A margin of `√2 r` is a certified radius of `r` where the network is 1-Lipschitz. With an offset
/// of 0 and a temperature of 1 it is training on the clean samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LipschitzMarginTraining {
    /// Offset `u`, in units of the logits.
    pub offset: f64,
    /// Temperature `t`.
    pub temperature: f64,
}

impl Default for LipschitzMarginTraining {
    /// The paper's: offset √2, temperature 1/4.
    fn default() -> Self {
        Self { offset: 2.0_f64.sqrt(), temperature: 0.25 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "lipschitz-margin-training",
    summary: "cross-entropy that asks for a margin, for networks of 1-Lipschitz layers",
    reference: "arXiv:2208.03160",
    defaults: defaults::<LipschitzMarginTraining>,
    parse: training::<LipschitzMarginTraining>,
};

impl<M: Trainable> Objective<M> for LipschitzMarginTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let logits = logits_at(batch.rows.clone(), network);
        let plain = logits.clone().inner();
        let [rows, classes] = plain.dims();
        let own = Tensor::<1, Int>::arange(0..classes as i64, &plain.device())
            .unsqueeze::<2>()
            .expand([rows, classes])
            .equal(batch.targets().unsqueeze_dim::<2>(1).expand([rows, classes]));
        let lead = own.float() * self.offset;
        let asked = (logits - lead.autodiff()) / self.temperature;
        let loss = mean_cross_entropy(asked, batch, step) * self.temperature;
        Ok(LossOutput { loss, logits: Some(plain) })
    }
}

impl TrainingDefense for LipschitzMarginTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        Check(ENTRY.name).not_negative("offset", self.offset)?;
        Check(ENTRY.name).positive("temperature", self.temperature)
    }
}
