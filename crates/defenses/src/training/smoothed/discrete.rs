//! Training under discrete noise: the base classifier of discrete smoothing.
//!
//! Lee, Yuan, Chang, Jaakkola. *Tight Certificates of Adversarial Robustness for Randomly Smoothed
//! Classifiers.* `NeurIPS` 2019, §5. <https://arxiv.org/abs/1906.04948>
use duress_core::{Resampling, Threat, Use};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, training};
use crate::training::check::Check;
use crate::training::{TrainingDefense, inner};

/// Minimises the cross-entropy at rows whose features were rounded to the nearest of their levels
/// and, each with probability `1 − keep`, replaced by another: what the certifier
/// `smoothing-discrete` does to a row. Drawn afresh for each sample and epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscreteAugmentation {
    /// Probability that a feature keeps its level.
    pub keep: f64,
    /// Levels of a feature, both ends of its box included.
    pub levels: u32,
}

impl Default for DiscreteAugmentation {
    /// The paper's recipe for binarised MNIST.
    fn default() -> Self {
        Self { keep: 0.8, levels: 2 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "discrete-augmentation",
    summary: "training under discrete noise, for smoothing of tables",
    reference: "arXiv:1906.04948",
    defaults: defaults::<DiscreteAugmentation>,
    parse: training::<DiscreteAugmentation>,
};

impl<M: Trainable> Objective<M> for DiscreteAugmentation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        inner::parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let rows = batch.rows.clone().inner();
        let noise = Resampling { keep: self.keep, levels: self.levels };
        let (at, features, device) = ((0, 0, Use::Noise), rows.dims()[1], rows.device());
        let shifts = step
            .epoch_seed()
            .rows(&batch.ids, at, features, &device, |rng, row| noise.shifts(rng, row));
        let moved = noise.shifted_rows(rows, shifts, step.domain);
        Ok(inner::loss_at(moved, network, batch, step))
    }
}

impl TrainingDefense for DiscreteAugmentation {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let (check, levels) = (Check(ENTRY.name), self.levels);
        let enough = (2..=65_536).contains(&levels);
        check.holds(enough, "levels", "between 2 and 65536", levels)?;
        check.share("keep", self.keep)
    }
}
