//! Zeroth-order optimisation: coordinate-wise Adam on the Carlini-Wagner objective.
//!
//! Chen, Zhang, Sharma, Yi, Hsieh. *ZOO: Zeroth Order Optimization Based Black-box Attacks to Deep
//! Neural Networks without Training Substitute Models.* `AISec` 2017, algorithms 1 and 2.
//! <https://arxiv.org/abs/1708.03999>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Halt, Norm, Reach, Result, ScoreAttack, ScoreJob, Search, Searching,
    Setting, arg_max,
};
use rand::Rng;
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::{margin_loss, may_change, rows_at_once};
use crate::table::{Entry, defaults, score};

/// Minimises `‖x − x₀‖₂² + c · max(margin, −κ)` by differences along a few random coordinates a
/// step, and searches for the smallest `c` that succeeds.
///
/// The margin of log-probabilities, as the paper writes it, is that of the logits. A step takes one
/// query at the point and two for each coordinate; `iterations` steps and one look at their end
/// make a round. Probes stay in the box, and the difference is divided by their true distance. The
/// image is kept in the box by clipping, as in the paper's experiments on `ImageNet`, without its
/// reduced attack space and importance sampling. With a radius, a sample ends at its first point
/// inside; without one, it ends with the last round and its nearest point. A job that maximises the
/// loss ends with the last point of the last round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Zoo {
    /// Steps of each round.
    pub iterations: usize,
    /// Rounds, each with a constant `c` of its own.
    pub searches: usize,
    /// The first `c`; ten times more after each round until one succeeds, then a bisection.
    pub initial_constant: f64,
    /// Coordinates of a step.
    pub coordinates: usize,
    /// Distance `h` of a probe, in raw units.
    pub probe: f64,
    /// Adam's learning rate, in raw units.
    pub learning_rate: f64,
    /// Margin κ by which the goal should be met.
    pub confidence: f64,
    /// Whether a round ends when a tenth of it brought less than 0.01 %.
    pub abort_early: bool,
}

impl Zoo {
    /// The paper's on MNIST: 3000 steps of 128 coordinates, nine rounds from `c` = 0.01, `h` =
    /// 0.0001, learning rate 0.01.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            iterations: 3000,
            searches: 9,
            initial_constant: 0.01,
            coordinates: 128,
            probe: 1e-4,
            learning_rate: 0.01,
            confidence: 0.0,
            abort_early: true,
        }
    }
}

impl Default for Zoo {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "zoo",
    summary: "zeroth-order Carlini-Wagner",
    reference: "arXiv:1708.03999",
    norms: &[Norm::L2],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<Zoo>,
    parse: score::<Zoo>,
};

impl Algorithm for Zoo {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("iterations", self.iterations as u64)?;
        ENTRY.at_least_one("searches", self.searches as u64)?;
        ENTRY.positive("initial_constant", self.initial_constant)?;
        ENTRY.at_least_one("coordinates", self.coordinates as u64)?;
        ENTRY.positive("probe", self.probe)?;
        ENTRY.positive("learning_rate", self.learning_rate)?;
        let confidence = self.confidence;
        ENTRY.expect(confidence >= 0.0, "confidence", "at least 0", confidence)
    }
}

impl ScoreAttack for Zoo {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

/// Rounds without success multiply `c` by this.
const GROWTH: f64 = 10.0;

/// An objective above this share of what it was a tenth of a round ago is no progress.
const PROGRESS: f64 = 0.9999;

impl Search<Scores> for Zoo {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            let movable: Vec<usize> =
                (0..asker.clean().len()).filter(|&feature| may_change(asker, feature)).collect();
            if movable.is_empty() {
                return Ok(());
            }
            let mut rng = asker.generator(0);
            let (mut constant, mut below, mut above) = (self.initial_constant, 0.0, None);
            for _ in 0..self.searches {
                if self.round(asker, &movable, constant, &mut rng).await? {
                    above = Some(constant);
                } else {
                    below = constant;
                }
                constant = above.map_or(constant * GROWTH, |above| f64::midpoint(below, above));
            }
            Ok(())
        })
    }
}

impl Zoo {
    /// One descent at a constant `c`; whether it succeeded.
    async fn round(
        &self,
        asker: &mut Asker<Scores>,
        movable: &[usize],
        constant: f64,
        rng: &mut impl Rng,
    ) -> Result<bool, Halt> {
        let mut row = asker.clean().to_vec();
        let mut adam = Adam::new(row.len());
        let mut before = f64::INFINITY;
        let mut succeeded = false;
        let tenth = (self.iterations / 10).max(1);
        for iteration in 0..=self.iterations {
            let logits = asker.logits(row.clone()).await?;
            asker.settle(&row);
            let margin = margin_loss(asker, &logits);
            succeeded |= asker.is_met(arg_max(&logits)) && margin <= -self.confidence;
            let objective = asker.distance(&row).powi(2) + constant * margin.max(-self.confidence);
            if iteration == self.iterations {
                break;
            }
            if self.abort_early && iteration % tenth == 0 {
                // The objective of a met goal may be negative where a confidence is asked for.
                let floor = constant * self.confidence;
                if objective + floor > PROGRESS * (before + floor) {
                    break;
                }
                before = objective;
            }
            let count = self.coordinates.min(movable.len());
            let chosen = sample(rng, movable.len(), count).into_iter().map(|at| movable[at]);
            let chosen: Vec<usize> = chosen.collect();
            let rises = self.rises(asker, &row, &chosen).await?;
            for (&at, rise) in chosen.iter().zip(rises) {
                let away = 2.0 * (f64::from(row[at]) - f64::from(asker.clean()[at]));
                let step = self.learning_rate * adam.step(at, away + constant * rise);
                let moved = (f64::from(row[at]) + step) as f32;
                row[at] = moved.clamp(asker.lower()[at], asker.upper()[at]);
            }
        }
        Ok(succeeded)
    }

    /// The slopes of `max(margin, −κ)` along some coordinates.
    async fn rises(
        &self,
        asker: &mut Asker<Scores>,
        row: &[f32],
        coordinates: &[usize],
    ) -> Result<Vec<f64>, Halt> {
        let classes = asker.classes();
        let mut rises = Vec::with_capacity(coordinates.len());
        for part in coordinates.chunks((rows_at_once(row.len()) / 2).max(1)) {
            let mut rows = Vec::with_capacity(2 * part.len() * row.len());
            let mut distances = Vec::with_capacity(part.len());
            for &at in part {
                let side = |by: f64| {
                    let moved = (f64::from(row[at]) + by) as f32;
                    moved.clamp(asker.lower()[at], asker.upper()[at])
                };
                let sides = [side(self.probe), side(-self.probe)];
                distances.push(f64::from(sides[0]) - f64::from(sides[1]));
                for value in sides {
                    let start = rows.len();
                    rows.extend_from_slice(row);
                    rows[start + at] = value;
                }
            }
            let logits = asker.logits(rows).await?;
            for (pair, apart) in logits.chunks_exact(2 * classes).zip(distances) {
                let hinge = |logits| margin_loss(asker, logits).max(-self.confidence);
                let rise = hinge(&pair[..classes]) - hinge(&pair[classes..]);
                rises.push(if apart > 0.0 { rise / apart } else { 0.0 });
            }
        }
        Ok(rises)
    }
}
