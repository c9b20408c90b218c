//! Sparse-RS for patches: random search over a patch and its place.
//!
//! Croce, Andriushchenko, Singh, Flammarion, Hein. *Sparse-RS: a versatile framework for
//! query-efficient sparse black-box adversarial attacks.* AAAI 2022, §5.
//! <https://arxiv.org/abs/2006.12834>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Reach, Result, ScoreAttack, ScoreJob, Search, Searching,
    Setting,
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::grid::{Grid, Window};
use super::search_loss;
use super::sparse_rs::scheduled;
use crate::table::{Entry, defaults, score};

/// A square patch for each image, its values in the corners of the colour cube. Most steps set a
/// square of the patch to one colour, every fifth (later every tenth, and so on) moves the patch.
///
/// The patch may lie anywhere, the last line and column included, which the start of the official
/// code leaves out. The loss is the margin, or the cross-entropy of a target. A sample that meets
/// its goal stops there; a job that maximises the loss goes on to the last query, and so does one
/// that asks for the nearest point, which returns the nearest of the patches that met the goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseRsPatch {
    /// Side of the patch, in pixels.
    pub size: usize,
    /// Queries on each sample and restart, the starting point's included. The schedules are
    /// stretched to it.
    pub queries: u64,
    /// Share of the patch that the first steps set to one colour.
    pub alpha_init: f64,
    /// Attempts on each sample, each from a start of its own.
    pub restarts: u32,
}

impl SparseRsPatch {
    /// The paper's: a patch of 20 × 20 (of 224 × 224), 10,000 queries, `α` = 0.4.
    #[must_use]
    pub fn paper() -> Self {
        Self { size: 20, queries: 10_000, alpha_init: 0.4, restarts: 1 }
    }
}

impl Default for SparseRsPatch {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "sparse-rs-patch",
    summary: "random search over a patch and its place",
    reference: "arXiv:2006.12834",
    norms: &Norm::ALL,
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<SparseRsPatch>,
    parse: score::<SparseRsPatch>,
};

impl Algorithm for SparseRsPatch {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Box
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        let [_, height, width] = setting.domain.image_shape()?;
        ENTRY.at_least_one("size", self.size as u64)?;
        let fits = self.size <= height.min(width);
        ENTRY.expect(fits, "size", "at most the shorter side of the image", self.size)?;
        ENTRY.at_least_one("queries", self.queries)?;
        ENTRY.positive("alpha_init", self.alpha_init)?;
        ENTRY.share("alpha_init", self.alpha_init)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))
    }
}

impl ScoreAttack for SparseRsPatch {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for SparseRsPatch {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            let mut rng = asker.generator(0);
            let mut best = Patch::start(Grid::of(asker.domain()), self.size, &mut rng);
            let row = best.laid_on(asker);
            asker.settle(&row);
            let logits = asker.logits(row).await?;
            let mut least = search_loss(asker, &logits);
            for step in 1..self.queries {
                let mut candidate = best.clone();
                match self.shift(step, best.grid) {
                    Some(farthest) => candidate.shift(farthest, &mut rng),
                    None => candidate.repaint(self.side(step), &mut rng),
                }
                let row = candidate.laid_on(asker);
                let logits = asker.logits(row.clone()).await?;
                let loss = search_loss(asker, &logits);
                if loss < least {
                    (best, least) = (candidate, loss);
                    asker.settle(&row);
                }
            }
            Ok(())
        })
    }
}

/// What divides `α` after so many of 10,000 steps.
const DIVISORS: [(u64, f64); 9] = [
    (10, 2.0),
    (50, 4.0),
    (200, 8.0),
    (500, 16.0),
    (1000, 32.0),
    (2000, 32.0),
    (4000, 64.0),
    (6000, 64.0),
    (8000, 128.0),
];

/// Share of the image by which the first moves may shift the patch.
const FIRST_SHIFT: f64 = 0.75;

/// Steps from one move of the patch to the next, at first.
const PERIOD: u64 = 5;

/// Steps after which the period has grown by its first value.
const PERIOD_GROWS: u64 = 1000;

impl SparseRsPatch {
    /// Side of the square that a step repaints: `√α` of the patch's.
    fn side(&self, step: u64) -> usize {
        let alpha = self.alpha_init / scheduled(&DIVISORS, step, self.queries);
        ((alpha.sqrt() * self.size as f64) as usize).clamp(1, self.size)
    }

    /// How far a step may move the patch, if it moves it.
    fn shift(&self, step: u64, grid: Grid) -> Option<usize> {
        let left = (self.queries - step) as f64 / self.queries as f64;
        let farthest = (FIRST_SHIFT * left * grid.height as f64) as usize;
        let period = PERIOD * (1 + step / PERIOD_GROWS);
        (step.is_multiple_of(period) && farthest > 0).then_some(farthest)
    }
}

/// A patch: for each channel and place, whether it is at the upper side of the box.
#[derive(Clone, Debug)]
struct Patch {
    grid: Grid,
    window: Window,
    high: Vec<bool>,
}

impl Patch {
    /// Vertical stripes anywhere.
    fn start(grid: Grid, size: usize, rng: &mut impl Rng) -> Self {
        let window = grid.draw([size, size], rng);
        let stripes: Vec<bool> = (0..grid.channels * size).map(|_| rng.random()).collect();
        let high = stripes.chunks_exact(size).flat_map(|stripes| stripes.repeat(size)).collect();
        Self { grid, window, high }
    }

    /// Moves it by up to `farthest` places in each direction, inside the image.
    fn shift(&mut self, farthest: usize, rng: &mut impl Rng) {
        let Window { height, width, .. } = self.window;
        let mut moved = |from: usize, most: usize| {
            (from + rng.random_range(0..=2 * farthest)).saturating_sub(farthest).min(most)
        };
        self.window.top = moved(self.window.top, self.grid.height - height);
        self.window.left = moved(self.window.left, self.grid.width - width);
    }

    /// Sets a square of it to one colour.
    fn repaint(&mut self, side: usize, rng: &mut impl Rng) {
        let own = Grid { height: self.window.height, width: self.window.width, ..self.grid };
        let square = own.draw([side, side], rng);
        for channel in 0..own.channels {
            let high: bool = rng.random();
            for line in own.lines(channel, square) {
                self.high[line].fill(high);
            }
        }
    }

    fn laid_on(&self, asker: &Asker<Scores>) -> Vec<f32> {
        let mut row = asker.clean().to_vec();
        let channels = 0..self.grid.channels;
        let features = channels.flat_map(|channel| self.grid.features(channel, self.window));
        for (feature, &high) in features.zip(&self.high) {
            row[feature] = if high { asker.upper()[feature] } else { asker.lower()[feature] };
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_shrink_and_moves_become_rare_and_short() {
        let attack = SparseRsPatch::paper();
        // √0.4 · 20 = 12.6; √0.2 · 20 = 8.9; √0.1 · 20 = 6.3; at the end √(0.4/128) · 20 = 1.1.
        let sides = [10, 11, 51, 9999].map(|step| attack.side(step));
        assert_eq!(sides, [12, 8, 6, 1]);
        let grid = Grid { channels: 3, height: 224, width: 224 };
        let shifts = [1, 5, 995, 1005, 1010, 5000, 9930, 9950].map(|step| attack.shift(step, grid));
        let expected = [None, Some(167), Some(151), None, Some(151), None, None, Some(0)]
            .map(|shift| shift.filter(|&farthest| farthest > 0));
        assert_eq!(shifts, expected);
        assert_eq!(attack.shift(5010, grid), Some(83));
    }
}
