//! Training on ablated rows: the base classifier of randomized ablation.
//!
//! Levine, Feizi. *Robustness Certificates for Sparse Adversarial Attacks by Randomized Ablation.*
//! AAAI 2020, §4. <https://arxiv.org/abs/1911.09272>
use duress_core::{Ablating, Threat, Use};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, training};
use crate::training::check::Check;
use crate::training::{TrainingDefense, inner};

/// Minimises the cross-entropy at rows of which only `keep` positions are left, as the certifier
/// `ablation` shows them. Drawn afresh for each sample and epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AblationAugmentation {
    /// Positions that are kept: pixels, instants or columns. All, if there are no more.
    pub keep: usize,
    /// What stands in the others, in units of the raw input.
    pub fill: f64,
}

impl Default for AblationAugmentation {
    /// The paper's constant for MNIST: 45 of 784 pixels.
    fn default() -> Self {
        Self { keep: 45, fill: 0.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ablation-augmentation",
    summary: "training on a few kept pixels or columns, for randomized ablation",
    reference: "arXiv:1911.09272",
    defaults: defaults::<AblationAugmentation>,
    parse: training::<AblationAugmentation>,
};

impl<M: Trainable> Objective<M> for AblationAugmentation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        inner::parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let rows = batch.rows.clone().inner();
        let ablating = Ablating { keep: self.keep, planes: Ablating::planes(step.domain) };
        let (at, features, device) = ((0, 0, Use::Noise), rows.dims()[1], rows.device());
        let kept = step
            .epoch_seed()
            .rows(&batch.ids, at, features, &device, |rng, row| ablating.mask(rng, row));
        let ablated = rows.mask_fill(kept.lower_elem(0.5), self.fill);
        Ok(inner::loss_at(ablated, network, batch, step))
    }
}

impl TrainingDefense for AblationAugmentation {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        None
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.holds(self.keep >= 1, "keep", "at least 1", self.keep)?;
        check.holds((self.fill as f32).is_finite(), "fill", "a finite number", self.fill)
    }
}
