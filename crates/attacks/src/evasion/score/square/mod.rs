//! Square: random search over squares at the edge of the ball.
//!
//! Andriushchenko, Croce, Flammarion, Hein. *Square Attack: a query-efficient black-box adversarial
//! attack via random search.* ECCV 2020, algorithms 1 to 3. <https://arxiv.org/abs/1912.00049>
//!
//! L1: Croce, Hein. *Mind the box: ℓ1-APGD for sparse adversarial attacks on image classifiers.*
//! ICML 2021, §4. <https://arxiv.org/abs/2103.01208>
mod bumps;
mod moves;
mod schedule;

use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::{can_move, search_loss};
use crate::table::{Entry, defaults, score};
use bumps::Power;
use moves::{Flips, Transfers};

/// One square a step, at a place of each sample's own; a step stays if the loss falls.
///
/// The loss is the margin `z_y − max_{i≠y} z_i`, or the cross-entropy of a target. A sample that
/// meets its goal stops there; a job that maximises the loss goes on to the last query. Squares
/// reach the last line and column too, which those of the official code do not. Rows that are no
/// images are one line high, and segments take the place of squares; so does a rectangle where the
/// square is larger than the shorter side of the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Square {
    /// Queries on each sample and restart, the starting point's included.
    pub queries: u64,
    /// Share of the places that the first squares cover. The paper's experiments on `ImageNet`
    /// start at 0.05 in Linf and at 0.1 in L2.
    pub p_init: f64,
    /// Whether the schedule of sizes, written for 10,000 steps, is stretched to `queries`.
    pub rescale_schedule: bool,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
}

impl Square {
    /// The paper's: 10,000 queries, the schedule stretched to any other number.
    #[must_use]
    pub fn paper() -> Self {
        Self { queries: 10_000, p_init: 0.8, rescale_schedule: true, restarts: 1 }
    }

    /// `AutoAttack`'s: 5000 queries on the first half of the schedule.
    #[must_use]
    pub fn autoattack() -> Self {
        Self { queries: 5000, rescale_schedule: false, ..Self::paper() }
    }
}

impl Default for Square {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "square",
    summary: "random search over squares",
    reference: "arXiv:1912.00049",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<Square>,
    parse: score::<Square>,
};

impl Algorithm for Square {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("queries", self.queries)?;
        ENTRY.positive("p_init", self.p_init)?;
        ENTRY.share("p_init", self.p_init)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))
    }
}

impl ScoreAttack for Square {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for Square {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            if !can_move(asker) {
                return Ok(());
            }
            let mut rng = asker.generator(0);
            let mut moves = Moves::new(asker);
            let mut best = moves.start(asker, &mut rng);
            asker.settle(&best);
            let logits = asker.logits(best.clone()).await?;
            let mut least = search_loss(asker, &logits);
            let of = self.rescale_schedule.then_some(self.queries);
            for step in 0..self.queries - 1 {
                let share = schedule::share(self.p_init, step, of);
                let candidate = moves.step(asker, &best, share, &mut rng);
                let logits = asker.logits(candidate.clone()).await?;
                let reached = search_loss(asker, &logits);
                if reached < least {
                    (best, least) = (candidate, reached);
                    asker.settle(&best);
                }
            }
            Ok(())
        })
    }
}

/// How a norm starts and moves.
enum Moves {
    Flips(Flips),
    Transfers(Transfers),
}

impl Moves {
    fn new(asker: &Asker<Scores>) -> Self {
        let grid = Grid::of(asker.domain());
        match asker.norm() {
            Norm::Linf | Norm::L0 => Moves::Flips(Flips { grid }),
            Norm::L1 => Moves::Transfers(Transfers::new(grid, Power::One)),
            Norm::L2 => Moves::Transfers(Transfers::new(grid, Power::Two)),
        }
    }

    fn start(&self, asker: &Asker<Scores>, rng: &mut impl Rng) -> Vec<f32> {
        match self {
            Moves::Flips(flips) => flips.start(asker, rng),
            Moves::Transfers(transfers) => transfers.start(asker, rng),
        }
    }

    fn step(
        &mut self,
        asker: &Asker<Scores>,
        row: &[f32],
        share: f64,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        match self {
            Moves::Flips(flips) => flips.step(asker, row, share, rng),
            Moves::Transfers(transfers) => transfers.step(asker, row, share, rng),
        }
    }
}
