//! Simultaneous perturbation stochastic approximation.
//!
//! Uesato, O'Donoghue, van den Oord, Kohli. *Adversarial Risk and the Dangers of Evaluating Against
//! Weak Attacks.* ICML 2018, algorithm 1. <https://arxiv.org/abs/1802.05666>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::probes::{sign, slope};
use super::{can_move, margin_loss};
use crate::table::{Entry, defaults, score};

/// Adam on gradients estimated along random signs, each step projected onto ball and box; the loss
/// is the margin of the logits.
///
/// A step takes two queries for each of `samples` directions, drawn for each image by itself, and
/// one that looks at the new point. A sample that meets its goal stops; a job that maximises the
/// loss goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spsa {
    /// Steps on each sample.
    pub steps: u32,
    /// Random directions of a step; the paper goes up to 8192.
    pub samples: usize,
    /// Length δ of a probe in each feature, in raw units.
    pub delta: f64,
    /// Adam's learning rate, in raw units.
    pub learning_rate: f64,
}

impl Spsa {
    /// 100 steps of 128 directions, δ = 0.01, learning rate 0.01.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 100, samples: 128, delta: 0.01, learning_rate: 0.01 }
    }
}

impl Default for Spsa {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "spsa",
    summary: "Adam on gradients estimated along random signs",
    reference: "arXiv:1802.05666",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<Spsa>,
    parse: score::<Spsa>,
};

impl Algorithm for Spsa {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", u64::from(self.steps))?;
        ENTRY.at_least_one("samples", self.samples as u64)?;
        ENTRY.positive("delta", self.delta)?;
        ENTRY.positive("learning_rate", self.learning_rate)
    }
}

impl ScoreAttack for Spsa {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for Spsa {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            if !can_move(asker) {
                return Ok(());
            }
            let mut rng = asker.generator(0);
            let mut row = asker.clean().to_vec();
            let mut adam = Adam::new(row.len());
            let mut least = f64::INFINITY;
            for _ in 0..self.steps {
                let sizes = (self.samples, self.delta);
                let at = slope(asker, &row, sizes, (&mut rng, sign), margin_loss).await?;
                for (feature, (value, slope)) in row.iter_mut().zip(at.gradient).enumerate() {
                    let step = self.learning_rate * adam.step(feature, slope);
                    *value = (f64::from(*value) + step) as f32;
                }
                asker.project(&mut row);
                let logits = asker.logits(row.clone()).await?;
                let loss = margin_loss(asker, &logits);
                if loss < least {
                    least = loss;
                    asker.settle(&row);
                }
            }
            Ok(())
        })
    }
}
