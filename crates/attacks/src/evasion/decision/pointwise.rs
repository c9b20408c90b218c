//! The pointwise attack.
//!
//! Schott, Rauber, Bethge, Brendel. *Towards the First Adversarially Robust Neural Network Model on
//! MNIST.* ICLR 2019, the "pointwise attack". <https://arxiv.org/abs/1805.09190>
use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::probe::{Probe, Room};
use super::start::{Start, find};
use crate::table::{Entry, defaults, label};

/// From salt and pepper, changed features are put back to their clean values one by one, in random
/// order, as long as the goal is met; in L1 and L2 each that is left is then bisected.
///
/// A pass over the changed features follows another until none changes anything: no single feature
/// of the result can be put back. One query a changed feature of a pass, `bisections` more for each
/// that is bisected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pointwise {
    /// Runs on each sample, from other starts and in other orders; the nearest point counts.
    pub restarts: u32,
    /// Halvings of a feature's way to its clean value, in a pass.
    pub bisections: u32,
    /// Where it begins.
    pub start: Start,
    /// Rows tried to begin at, of each kind.
    pub initial_draws: u32,
}

impl Pointwise {
    /// The paper's: 10 runs from salt and pepper, 10 halvings.
    #[must_use]
    pub fn paper() -> Self {
        Self { restarts: 10, bisections: 10, start: Start::SaltAndPepper, initial_draws: 100 }
    }
}

impl Default for Pointwise {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "pointwise",
    summary: "puts changed features back one by one",
    reference: "arXiv:1805.09190",
    norms: &[Norm::L0, Norm::L1, Norm::L2],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Pointwise>,
    parse: label::<Pointwise>,
};

impl Algorithm for Pointwise {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        ENTRY.at_least_one("bisections", u64::from(self.bisections))?;
        ENTRY.at_least_one("initial_draws", u64::from(self.initial_draws))
    }
}

impl LabelAttack for Pointwise {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Pointwise {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move { self.put_back(&mut Probe::new(asker)).await })
    }
}

impl Pointwise {
    async fn put_back(&self, probe: &mut Probe<'_>) -> Result<(), Halt> {
        let Some(mut row) = find(probe, self.start, self.initial_draws).await? else {
            return Ok(());
        };
        let mut rng = probe.generator(0);
        while self.pass(probe, &mut row, &mut rng, false).await? {}
        if probe.room.norm != Norm::L0 {
            while self.pass(probe, &mut row, &mut rng, true).await? {}
        }
        Ok(())
    }

    /// One pass over the changed features; whether it brought any nearer.
    async fn pass(
        &self,
        probe: &mut Probe<'_>,
        row: &mut [f32],
        rng: &mut (impl Rng + Send),
        bisect: bool,
    ) -> Result<bool, Halt> {
        let mut order = changed(&probe.room, row);
        order.shuffle(rng);
        let mut nearer = false;
        for feature in order {
            let (clean, before) = (probe.room.clean[feature], row[feature]);
            row[feature] = clean;
            if probe.meets(row).await? {
                nearer = true;
            } else if bisect {
                row[feature] = self.bisect(probe, row, feature, (clean, before)).await?;
                nearer |= row[feature].to_bits() != before.to_bits();
            } else {
                row[feature] = before;
            }
        }
        Ok(nearer)
    }

    /// The value between `failing` and `meeting` of one feature with which the row meets the goal.
    async fn bisect(
        &self,
        probe: &mut Probe<'_>,
        row: &mut [f32],
        feature: usize,
        (mut failing, mut meeting): (f32, f32),
    ) -> Result<f32, Halt> {
        for _ in 0..self.bisections {
            let middle = (0.5 * (f64::from(failing) + f64::from(meeting))) as f32;
            if [failing, meeting].map(f32::to_bits).contains(&middle.to_bits()) {
                break;
            }
            row[feature] = middle;
            if probe.meets(row).await? {
                meeting = middle;
            } else {
                failing = middle;
            }
        }
        Ok(meeting)
    }
}

/// The features at which `row` is not clean.
#[expect(clippy::float_cmp, reason = "a feature that was put back has the clean value itself")]
fn changed(room: &Room, row: &[f32]) -> Vec<usize> {
    (0..row.len()).filter(|&feature| row[feature] != room.clean[feature]).collect()
}
