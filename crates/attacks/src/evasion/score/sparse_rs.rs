//! Sparse-RS: random search over sets of pixels.
//!
//! Croce, Andriushchenko, Singh, Flammarion, Hein. *Sparse-RS: a versatile framework for
//! query-efficient sparse black-box adversarial attacks.* AAAI 2022, algorithms 1 and 2.
//! <https://arxiv.org/abs/2006.12834>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use rand::seq::SliceRandom;
use rand::seq::index::sample;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::{may_change, search_loss};
use crate::table::{Entry, defaults, score};

/// `k` pixels in the corners of the colour cube; each step moves a few of them elsewhere, with new
/// colours, and stays if the loss falls.
///
/// A pixel is all channels of a place: of a radius, which counts features, the search spends
/// `channels` on each, `k = ⌊radius / channels⌋`. The loss is the margin, or the cross-entropy of a
/// target. A sample that meets its goal stops there; a job that maximises the loss goes on to the
/// last query. Rows that are no images are one line high.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseRs {
    /// Queries on each sample and restart, the starting point's included. The schedule, written for
    /// 10,000, is stretched to it.
    pub queries: u64,
    /// Share of the pixels that the first steps move, before the schedule divides it.
    pub alpha_init: f64,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
}

impl SparseRs {
    /// The paper's: 10,000 queries, `α` = 0.3.
    #[must_use]
    pub fn paper() -> Self {
        Self { queries: 10_000, alpha_init: 0.3, restarts: 1 }
    }
}

impl Default for SparseRs {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "sparse-rs",
    summary: "random search over sets of pixels",
    reference: "arXiv:2006.12834",
    norms: &[Norm::L0],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<SparseRs>,
    parse: score::<SparseRs>,
};

impl Algorithm for SparseRs {
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
        ENTRY.positive("alpha_init", self.alpha_init)?;
        ENTRY.share("alpha_init", self.alpha_init)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))
    }
}

impl ScoreAttack for SparseRs {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for SparseRs {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            let mut rng = asker.generator(0);
            let Some(mut pixels) = Pixels::start(asker, &mut rng) else { return Ok(()) };
            let mut best = asker.clean().to_vec();
            pixels.colour_all(asker, &mut best, &mut rng);
            asker.settle(&best);
            let logits = asker.logits(best.clone()).await?;
            let mut least = search_loss(asker, &logits);
            for step in 1..self.queries {
                let alpha = self.alpha_init / divisor(step, self.queries);
                let swap = pixels.draw(alpha, &mut rng);
                let mut candidate = best.clone();
                pixels.try_out(asker, &mut candidate, &swap, &mut rng);
                let logits = asker.logits(candidate.clone()).await?;
                let loss = search_loss(asker, &logits);
                if loss < least {
                    (best, least) = (candidate, loss);
                    pixels.accept(&swap);
                    asker.settle(&best);
                }
            }
            Ok(())
        })
    }
}

/// What divides `α` after so many of 10,000 steps.
const DIVISORS: [(u64, f64); 9] = [
    (0, 2.0),
    (50, 4.0),
    (200, 5.0),
    (500, 6.0),
    (1000, 8.0),
    (2000, 10.0),
    (4000, 12.0),
    (6000, 15.0),
    (8000, 20.0),
];

fn divisor(step: u64, of: u64) -> f64 {
    scheduled(&DIVISORS, step, of)
}

/// The value of the last entry that `step`, as a part of 10,000, lies behind; 1 before the first.
pub(super) fn scheduled(schedule: &[(u64, f64)], step: u64, of: u64) -> f64 {
    let step = (u128::from(step) * 10_000 / u128::from(of.max(1))) as u64;
    schedule.iter().rev().find(|&&(after, _)| step > after).map_or(1.0, |&(_, value)| value)
}

/// Which places are changed, and which could be.
struct Pixels {
    grid: Grid,
    chosen: Vec<usize>,
    rest: Vec<usize>,
}

/// Positions in the two lists that change sides.
struct Swap {
    leave: Vec<usize>,
    enter: Vec<usize>,
}

impl Pixels {
    /// A uniform set of as many places as the radius pays for; `None` if that is none.
    fn start(asker: &Asker<Scores>, rng: &mut impl Rng) -> Option<Self> {
        let grid = Grid::of(asker.domain());
        let mut places: Vec<usize> = (0..grid.places())
            .filter(|place| {
                let mut channels = 0..grid.channels;
                channels.any(|channel| may_change(asker, channel * grid.places() + place))
            })
            .collect();
        places.shuffle(rng);
        let count = (asker.radius() / grid.channels as f64) as usize;
        let rest = places.split_off(count.min(places.len()));
        if places.is_empty() { None } else { Some(Self { grid, chosen: places, rest }) }
    }

    fn draw(&self, alpha: f64, rng: &mut impl Rng) -> Swap {
        let (chosen, rest) = (self.chosen.len(), self.rest.len());
        let count = ((alpha * chosen as f64) as usize).clamp(1, chosen);
        let enter = sample(rng, rest, count.min(rest)).into_vec();
        let leave = sample(rng, chosen, if rest == 0 { count } else { enter.len() }).into_vec();
        Swap { leave, enter }
    }

    /// Restores the places that leave and colours those that enter. Where every place is changed
    /// already, those that would leave get a new colour instead.
    fn try_out(&self, asker: &Asker<Scores>, row: &mut [f32], swap: &Swap, rng: &mut impl Rng) {
        for &at in &swap.leave {
            let place = self.chosen[at];
            if self.rest.is_empty() {
                self.colour(asker, row, place, rng);
            } else {
                for feature in self.features(place) {
                    row[feature] = asker.clean()[feature];
                }
            }
        }
        for &at in &swap.enter {
            self.colour(asker, row, self.rest[at], rng);
        }
    }

    fn accept(&mut self, swap: &Swap) {
        for (&leave, &enter) in swap.leave.iter().zip(&swap.enter) {
            std::mem::swap(&mut self.chosen[leave], &mut self.rest[enter]);
        }
    }

    fn colour_all(&self, asker: &Asker<Scores>, row: &mut [f32], rng: &mut impl Rng) {
        for &place in &self.chosen {
            self.colour(asker, row, place, rng);
        }
    }

    /// A random corner of the box.
    fn colour(&self, asker: &Asker<Scores>, row: &mut [f32], place: usize, rng: &mut impl Rng) {
        for feature in self.features(place) {
            let side = if rng.random() { asker.upper() } else { asker.lower() };
            row[feature] = side[feature];
        }
    }

    fn features(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let (channels, places) = (self.grid.channels, self.grid.places());
        (0..channels).map(move |channel| channel * places + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are written down")]
    fn alpha_is_divided_after_the_listed_steps_of_ten_thousand() {
        assert_eq!(divisor(0, 10_000), 1.0);
        let mut before = 1.0;
        for (after, value) in DIVISORS {
            assert_eq!(divisor(after, 10_000), before);
            assert_eq!(divisor(after + 1, 10_000), value);
            before = value;
        }
        assert_eq!((divisor(5, 1000), divisor(6, 1000), divisor(999, 1000)), (2.0, 4.0, 20.0));
    }
}
