//! Ensemble adversarial training: adversarial examples of networks that are not being trained.
//!
//! Tramèr, Kurakin, Papernot, Goodfellow, Boneh, `McDaniel`. *Ensemble Adversarial Training: Attacks
//! and Defenses.* ICLR 2018, §3.4. <https://arxiv.org/abs/1705.07204>
use duress_attacks::Pgd;
use duress_core::{Epsilon, Norm, Seed, Threat, Use};
use duress_models::train::{LossOutput, Memory, Preparation, Step, Traced, redrawn};
use duress_models::{Batch, Network, Objective, Recipe, Result, Standard, Trainable};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::check::Check;
use super::helper::needs;
use super::inner::{adversarial_rows, logits_at, mean_cross_entropy, parameters};
use crate::table::{Entry, defaults, training};

/// Minimises `½ CE(f(x), y) + ½ CE(f(x̃), y)`, where `x̃` is one full step up the loss of a network
/// drawn for each batch: the one in training, or one of `surrogates` static ones.
///
/// The surrogates have the network's own layers, weights and sample orders of their own, and are
/// trained first by the same recipe on clean samples; the checkpoint keeps them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnsembleAdversarialTraining {
    /// Radius of the Linf ball, in units of the raw input.
    pub epsilon: Epsilon,
    /// Static networks, at least 1.
    pub surrogates: u32,
}

impl Default for EnsembleAdversarialTraining {
    /// Three surrogates, the ensemble of the paper's model A.
    fn default() -> Self {
        Self { epsilon: Epsilon::EIGHT_255THS, surrogates: 3 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ensemble-adversarial-training",
    summary: "adversarial examples of static surrogates mixed into the training",
    reference: "arXiv:1705.07204",
    defaults: defaults::<EnsembleAdversarialTraining>,
    parse: training::<EnsembleAdversarialTraining>,
};

fn surrogate(number: u32) -> String {
    format!("surrogate-{number}")
}

impl<M: Trainable> Objective<M> for EnsembleAdversarialTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, _: &M, _: &Batch, _: &Step<'_>) -> Result<LossOutput> {
        Err(needs(ENTRY.name, "its surrogates"))
    }

    fn prepare(&self, now: &Preparation<'_, M>) -> Result<Memory<M>> {
        let mut memory = Memory::default();
        for number in 0..self.surrogates {
            let at = (u64::from(number), 0, 0, Use::Weights);
            let seed = Seed(now.recipe.seed.stream(at.0, at.1, at.2, at.3).next_u64());
            let recipe = Recipe { seed, ..now.recipe.clone() };
            let start = redrawn(now.network, seed);
            let name = surrogate(number);
            memory.keep_network(&name, &now.companion(&name, &start, &Standard, &recipe)?);
        }
        Ok(memory)
    }

    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let number = u64::from(step.epoch) * step.steps + step.step;
        let drawn = step.seed.stream(number, 0, 0, Use::Target).random_range(0..=self.surrogates);
        let name = surrogate(drawn);
        let source = match memory.network(&name) {
            Some(source) => source,
            None if drawn == self.surrogates => network,
            None => return Ok(self.loss(network, batch, step)?.into()),
        };
        let attack = Pgd { steps: 1, step_size: 1.0, random_start: false, ..Pgd::paper() };
        let threat = Threat::new(Norm::Linf, self.epsilon.get())?;
        let found = adversarial_rows(&attack, &threat, source, batch, step)?;
        let clean = logits_at(batch.rows.clone(), network);
        let moved = logits_at(found, network);
        let both =
            mean_cross_entropy(clean, batch, step) + mean_cross_entropy(moved.clone(), batch, step);
        Ok(LossOutput { loss: both * 0.5, logits: Some(moved.inner()) }.into())
    }
}

impl TrainingDefense for EnsembleAdversarialTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        Threat::new(Norm::Linf, self.epsilon.get()).ok()
    }

    fn check(&self) -> duress_core::Result<()> {
        let few = (1..=64).contains(&self.surrogates);
        Check(ENTRY.name).holds(few, "surrogates", "between 1 and 64", self.surrogates)
    }
}
