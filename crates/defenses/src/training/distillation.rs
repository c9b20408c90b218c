//! Defensive distillation: a student learns a teacher's probabilities at a high temperature.
//!
//! Papernot, `McDaniel`, Wu, Jha, Swami. *Distillation as a Defense to Adversarial Perturbations
//! against Deep Neural Networks.* S&P 2016, §IV. <https://arxiv.org/abs/1511.04508>
use burn::tensor::activation::{log_softmax, softmax};
use duress_core::Threat;
use duress_models::train::{
    LossOutput, Memory, Preparation, Step, Traced, cross_entropy, snapshot,
};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::helper::needs;
use super::inner::{logits_at, parameters};
use crate::table::{Entry, defaults, training};

/// Trains a teacher on the labels, then the network on the teacher's probabilities, both with
/// `softmax(z / T)`; deployed is `softmax(z)`.
///
/// At `T = 1` the logits are about `T` times too sure, so that gradients of the softmax vanish: it
/// masks gradients and does not make a network robust (Carlini, Wagner 2017, §VIII,
/// <https://arxiv.org/abs/1608.04644>). Margin losses see through it.
///
/// The teacher has the network's layers, first weights and recipe; the checkpoint keeps it. Label
/// smoothing acts on the teacher. Gradients are `T` times smaller than at `T = 1`: raise the
/// learning rate or take Adam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefensiveDistillation {
    /// The temperature `T`, at least 1.
    pub temperature: f64,
}

impl Default for DefensiveDistillation {
    /// The paper's largest temperature, 100.
    fn default() -> Self {
        Self { temperature: 100.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "defensive-distillation",
    summary: "defensive distillation: masks gradients, does not make robust",
    reference: "arXiv:1511.04508",
    defaults: defaults::<DefensiveDistillation>,
    parse: training::<DefensiveDistillation>,
};

/// The companion's name in the memory.
const TEACHER: &str = "teacher";

/// Cross-entropy of `softmax(z / T)` with the labels: what the teacher minimises.
#[derive(Clone, Copy, Debug)]
struct Tempered(f64);

impl<M: Trainable> Objective<M> for Tempered {
    fn name(&self) -> &'static str {
        "tempered"
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "temperature": self.0 })
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let logits = logits_at(batch.rows.clone(), network);
        let tempered = logits.clone() / self.0;
        let loss = cross_entropy(tempered, batch.targets(), step.label_smoothing).mean();
        Ok(LossOutput { loss, logits: Some(logits.inner()) })
    }
}

impl<M: Trainable> Objective<M> for DefensiveDistillation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, _: &M, _: &Batch, _: &Step<'_>) -> Result<LossOutput> {
        Err(needs(ENTRY.name, "its teacher"))
    }

    fn prepare(&self, now: &Preparation<'_, M>) -> Result<Memory<M>> {
        let mut memory = Memory::default();
        let tempered = Tempered(self.temperature);
        let teacher = now.companion(TEACHER, now.network, &tempered, now.recipe)?;
        memory.keep_network(TEACHER, &teacher);
        Ok(memory)
    }

    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let Some(teacher) = memory.network(TEACHER) else {
            return Ok(self.loss(network, batch, step)?.into());
        };
        let rows = batch.rows.clone().inner();
        let taught = step.passes.logits(&snapshot(teacher, step.domain)?, rows.clone())?;
        let soft = softmax(taught / self.temperature, 1).autodiff();
        let logits = logits_at(rows, network);
        let learnt = log_softmax(logits.clone() / self.temperature, 1);
        let loss = -(soft * learnt).sum_dim(1).mean();
        Ok(LossOutput { loss, logits: Some(logits.inner()) }.into())
    }
}

impl TrainingDefense for DefensiveDistillation {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let warm = self.temperature.is_finite() && self.temperature >= 1.0;
        Check(ENTRY.name).holds(warm, "temperature", "finite and at least 1", self.temperature)
    }
}
