//! Bandits with time and data priors.
//!
//! Ilyas, Engstrom, Madry. *Prior Convictions: Black-Box Adversarial Attacks with Bandits and
//! Priors.* ICLR 2019, algorithms 1 to 3. <https://arxiv.org/abs/1807.07978>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::probes::descend;
use super::{can_move, log_probability_loss, may_change};
use crate::table::{Entry, defaults, score};

/// Keeps a guess of the gradient between steps (the prior over time), constant on tiles of the image
/// (the prior over data), improves it with one pair of probes a step and follows it.
///
/// The loss is the cross-entropy. A step takes two queries and one that looks at the new point. A
/// sample that meets its goal stops; a job that maximises the loss goes on. Rows that are no images
/// are one line high.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bandits {
    /// Most queries on each sample.
    pub queries: u64,
    /// Tiles along each side of a channel, at most one a place.
    pub tiles: usize,
    /// Length `h` of a step of the image in Linf, as a fraction of the radius.
    pub linf_step_size: f64,
    /// Learning rate `η` of the prior in Linf.
    pub linf_prior_rate: f64,
    /// Exploration `δ` around the prior in Linf.
    pub linf_exploration: f64,
    /// Length of a probe under a threat in Linf, in raw units of L2.
    pub linf_probe: f64,
    /// Length `h` of a step of the image in L2, as a fraction of the radius.
    pub l2_step_size: f64,
    /// Learning rate `η` of the prior in L2.
    pub l2_prior_rate: f64,
    /// Exploration `δ` around the prior in L2.
    pub l2_exploration: f64,
    /// Length of a probe under a threat in L2, in raw units.
    pub l2_probe: f64,
}

impl Bandits {
    /// The paper's, of its appendix: 10,000 queries, 50 tiles a side (of 299 pixels); in Linf steps
    /// of 0.01 at ε = 0.05, `η` 100, `δ` 1, probes of 0.1; in L2 steps of 0.5 at ε = 5, `η` 0.1,
    /// `δ` 0.01, probes of 0.01.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            queries: 10_000,
            tiles: 50,
            linf_step_size: 0.2,
            linf_prior_rate: 100.0,
            linf_exploration: 1.0,
            linf_probe: 0.1,
            l2_step_size: 0.1,
            l2_prior_rate: 0.1,
            l2_exploration: 0.01,
            l2_probe: 0.01,
        }
    }
}

impl Default for Bandits {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "bandits",
    summary: "bandits with priors over time and data",
    reference: "arXiv:1807.07978",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<Bandits>,
    parse: score::<Bandits>,
};

impl Algorithm for Bandits {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("queries", self.queries)?;
        ENTRY.at_least_one("tiles", self.tiles as u64)?;
        for (field, value) in [
            ("linf_step_size", self.linf_step_size),
            ("linf_prior_rate", self.linf_prior_rate),
            ("linf_exploration", self.linf_exploration),
            ("linf_probe", self.linf_probe),
            ("l2_step_size", self.l2_step_size),
            ("l2_prior_rate", self.l2_prior_rate),
            ("l2_exploration", self.l2_exploration),
            ("l2_probe", self.l2_probe),
        ] {
            ENTRY.positive(field, value)?;
        }
        Ok(())
    }
}

impl ScoreAttack for Bandits {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

/// Queries of a step.
const QUERIES_OF_A_STEP: u64 = 3;

impl Search<Scores> for Bandits {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            if !can_move(asker) {
                return Ok(());
            }
            let straight = asker.norm() == Norm::L2;
            let steps = self.steps(asker.norm());
            let mut rng = asker.generator(0);
            let mut row = asker.clean().to_vec();
            let mut prior = Prior::new(Grid::of(asker.domain()), self.tiles, !straight);
            let mut least = f64::INFINITY;
            for _ in 0..self.queries / QUERIES_OF_A_STEP {
                let noise = prior.noise(steps.exploration, &mut rng);
                let mut probes = Vec::with_capacity(2 * row.len());
                for sign in [1.0, -1.0] {
                    let direction = prior.spread(asker, Some((&noise, sign)));
                    let mut probe = row.clone();
                    descend(&mut probe, &direction, -steps.probe, true);
                    probes.extend(probe);
                }
                let logits = asker.probe(probes).await?;
                let (ahead, behind) = logits.split_at(asker.classes());
                let fall = log_probability_loss(asker, behind) - log_probability_loss(asker, ahead);
                let slope = fall / (steps.probe * steps.exploration);
                prior.learn(&noise, slope * steps.prior_rate);

                let direction = prior.spread(asker, None);
                let length = -steps.step_size * asker.radius();
                descend(&mut row, &direction, length, straight);
                asker.project(&mut row);
                let logits = asker.logits(row.clone()).await?;
                let loss = log_probability_loss(asker, &logits);
                if loss < least {
                    least = loss;
                    asker.settle(&row);
                }
            }
            Ok(())
        })
    }
}

/// The step sizes of one norm.
#[derive(Clone, Copy)]
struct Steps {
    step_size: f64,
    prior_rate: f64,
    exploration: f64,
    probe: f64,
}

impl Bandits {
    fn steps(&self, norm: Norm) -> Steps {
        if norm == Norm::L2 {
            Steps {
                step_size: self.l2_step_size,
                prior_rate: self.l2_prior_rate,
                exploration: self.l2_exploration,
                probe: self.l2_probe,
            }
        } else {
            Steps {
                step_size: self.linf_step_size,
                prior_rate: self.linf_prior_rate,
                exploration: self.linf_exploration,
                probe: self.linf_probe,
            }
        }
    }
}

/// The guess of the direction in which the loss falls, tile by tile.
struct Prior {
    grid: Grid,
    /// Tiles down and across a channel.
    tiles: [usize; 2],
    /// The guess itself; where `bounded`, a coordinate whose half's `tanh` is the guess. In it an
    /// exponentiated-gradient step is a sum, and no guess is ever stuck at ±1.
    values: Vec<f64>,
    bounded: bool,
}

impl Prior {
    fn new(grid: Grid, tiles: usize, bounded: bool) -> Self {
        let tiles = [tiles.min(grid.height), tiles.min(grid.width)];
        Self { grid, tiles, values: vec![0.0; grid.channels * tiles[0] * tiles[1]], bounded }
    }

    fn guess(&self, tile: usize) -> f64 {
        if self.bounded { (0.5 * self.values[tile]).tanh() } else { self.values[tile] }
    }

    /// A Gaussian vector of about length `exploration`.
    fn noise(&self, exploration: f64, rng: &mut impl Rng) -> Vec<f64> {
        let scale = exploration / (self.values.len() as f64).sqrt();
        let draw = |_| scale * rng.sample::<f64, _>(StandardNormal);
        (0..self.values.len()).map(draw).collect()
    }

    /// One value a feature that may change: its tile's guess, with noise.
    fn spread(&self, asker: &Asker<Scores>, noise: Option<(&[f64], f64)>) -> Vec<f64> {
        let Grid { channels, height, width } = self.grid;
        let [down, across] = self.tiles;
        let with_noise =
            |tile: usize| self.guess(tile) + noise.map_or(0.0, |(noise, sign)| sign * noise[tile]);
        let guesses: Vec<f64> = (0..self.values.len()).map(with_noise).collect();
        (0..channels * height * width)
            .map(|feature| {
                let (channel, place) = (feature / (height * width), feature % (height * width));
                let (y, x) = (place / width, place % width);
                let tile = (channel * down + y * down / height) * across + x * across / width;
                if may_change(asker, feature) { guesses[tile] } else { 0.0 }
            })
            .collect()
    }

    /// A step along the noise: a sum in L2, in Linf an exponentiated gradient on `(guess + 1)/2`.
    fn learn(&mut self, noise: &[f64], rate: f64) {
        let rate = if self.bounded { 2.0 * rate } else { rate };
        for (value, noise) in self.values.iter_mut().zip(noise) {
            *value += rate * noise;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `p ← p e^{g} / (p e^{g} + (1 − p) e^{−g})` on `p = (guess + 1)/2`, from 0 and once more.
    #[test]
    fn the_bounded_prior_takes_exponentiated_gradient_steps() {
        let grid = Grid { channels: 1, height: 1, width: 1 };
        let (mut prior, mut p) = (Prior::new(grid, 50, true), 0.5_f64);
        for gain in [0.3, -1.1, 0.4] {
            prior.learn(&[0.5], gain / 0.5);
            p = p * gain.exp() / (p * gain.exp() + (1.0 - p) * (-gain).exp());
            assert!((prior.guess(0) - (2.0 * p - 1.0)).abs() < 1e-12);
        }
        prior.learn(&[1.0], 1e4);
        prior.learn(&[1.0], -1e4);
        assert!((prior.guess(0) - (2.0 * p - 1.0)).abs() < 1e-9, "nothing is stuck");
    }
}
