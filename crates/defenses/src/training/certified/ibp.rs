//! Training with interval bound propagation.
//!
//! Gowal, Dvijotham, Stanforth, Bunel, Qin, Uesato, Arandjelović, Mann, Kohli. *On the
//! Effectiveness of Interval Bound Propagation for Training Verifiably Robust Models.* 2018.
//! <https://arxiv.org/abs/1810.12715>
use duress_core::{Epsilon, Threat};
use duress_models::train::{LossOutput, Step};
use duress_models::{Batch, Layered, Network, Objective, Recipe, Result};
use serde::{Deserialize, Serialize};

use super::loss::{Bounded, between, mix, threat};
use super::schedule::{Ramp, Schedule, fits};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;

/// Minimises `κ L(z) + (1 − κ) L(ẑ)`: the cross-entropy of the clean logits and that of the worst
/// logits by intervals on the Linf ball, cut to the input box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IbpTraining {
    /// Radius of the Linf ball, in units of the raw input. The paper trains at a larger radius than
    /// it certifies: 0.2 for 0.1 and 0.4 for 0.3 on MNIST.
    pub epsilon: Epsilon,
    /// Epochs of clean training first.
    pub warmup_epochs: u32,
    /// Epochs over which the radius rises to `epsilon`.
    pub ramp_epochs: u32,
    /// How it rises.
    pub ramp: Ramp,
    /// κ at radius 0.
    pub kappa_start: f64,
    /// κ at the full radius; in between it goes with the radius.
    pub kappa_end: f64,
    /// Weight of the sum of absolute weights of linear layers and convolutions.
    pub l1: f64,
}

impl Default for IbpTraining {
    /// The paper's recipe for CIFAR-10: 5000 steps of warm-up and 50 000 of ramp, of 50 samples each,
    /// are 5 and 50 epochs.
    fn default() -> Self {
        Self {
            epsilon: Epsilon::EIGHT_255THS,
            warmup_epochs: 5,
            ramp_epochs: 50,
            ramp: Ramp::Linear,
            kappa_start: 1.0,
            kappa_end: 0.5,
            l1: 0.0,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ibp-training",
    summary: "certified training: the worst case by intervals",
    reference: "arXiv:1810.12715",
    defaults: defaults::<IbpTraining>,
    parse: training::<IbpTraining>,
};

impl IbpTraining {
    fn schedule(&self) -> Schedule {
        let Self { warmup_epochs, ramp_epochs, ramp, .. } = *self;
        Schedule { warmup_epochs, ramp_epochs, ramp }
    }
}

impl<M: Layered> Objective<M> for IbpTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let share = self.schedule().share(ENTRY.name, step)?;
        let radius = self.epsilon.get() * share;
        let bounded = Bounded::new(network, batch, step)?;
        let loss = if radius == 0.0 {
            bounded.clean()
        } else {
            let kappa = between(self.kappa_start, self.kappa_end, share);
            let robust = || {
                let on_box = bounded.on_box(bounded.rows.clone(), radius, 1.0);
                bounded.robust(bounded.margins(&on_box))
            };
            mix(kappa, || bounded.clean(), robust)
        };
        Ok(bounded.output(loss, None, self.l1))
    }
}

impl TrainingDefense for IbpTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        threat(self.epsilon)
    }

    fn fits(&self, recipe: &Recipe, network: &Network) -> Result<()> {
        fits(ENTRY.name, self.schedule(), recipe, network)
    }

    fn propagates_bounds(&self) -> bool {
        true
    }

    fn check(&self) -> duress_core::Result<()> {
        let check = Check(ENTRY.name);
        check.share("kappa_start", self.kappa_start)?;
        check.share("kappa_end", self.kappa_end)?;
        check.not_negative("l1", self.l1)
    }
}
