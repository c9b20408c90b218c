//! `HopSkipJump`.
//!
//! Chen, Jordan, Wainwright. *`HopSkipJumpAttack`: A Query-Efficient Decision-Based
//! Attack.* S&P 2020, algorithms 1 and 2. <https://arxiv.org/abs/1904.02144>
use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::probe::{Probe, Room, sign, unit};
use super::start::{Start, find};
use crate::table::{Entry, defaults, label};

/// From a point on the boundary, an estimate of the boundary's normal from the answers around it,
/// a step along it that halves until it meets the goal, and a bisection back to the boundary.
///
/// With `d` features that may move, the bisection stops at `θ = γ/(d√d)` (L2) or `γ/d²` (Linf) of
/// the distance, and the noise has length 0.1 of the box's longest side at first, then `√d θ` (L2) or `dθ`
/// (Linf) times the distance before the last bisection. A step shorter than the bisection can
/// resolve is not tried: the point stays and the next estimate is another one. Each sample has its
/// own step, whatever the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HopSkipJump {
    /// Estimates and steps.
    pub steps: u32,
    /// Queries `B₀` of the first estimate; that of step `t` takes `B₀ √(t + 1)`.
    pub initial_evaluations: u32,
    /// Most queries of an estimate.
    pub max_evaluations: u32,
    /// γ of the bisection's tolerance.
    pub gamma: f64,
    /// Where it begins.
    pub start: Start,
    /// Rows tried to begin at, of each kind.
    pub initial_draws: u32,
}

impl HopSkipJump {
    /// The paper's: 64 steps, 100 queries at first and at most 10⁴, γ = 1, from uniform noise.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 64,
            initial_evaluations: 100,
            max_evaluations: 10_000,
            gamma: 1.0,
            start: Start::Noise,
            initial_draws: 100,
        }
    }
}

impl Default for HopSkipJump {
    fn default() -> Self {
        Self::paper()
    }
}

/// Length of the first noise, as a share of the box's longest side.
const FIRST_NOISE: f64 = 0.1;

pub(crate) const ENTRY: Entry = Entry {
    name: "hop-skip-jump",
    summary: "boundary normals from labels, then steps and bisections",
    reference: "arXiv:1904.02144",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<HopSkipJump>,
    parse: label::<HopSkipJump>,
};

impl Algorithm for HopSkipJump {
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
        ENTRY.at_least_one("initial_evaluations", u64::from(self.initial_evaluations))?;
        ENTRY.at_least_one("max_evaluations", u64::from(self.max_evaluations))?;
        ENTRY.positive("gamma", self.gamma)?;
        ENTRY.at_least_one("initial_draws", u64::from(self.initial_draws))
    }
}

impl LabelAttack for HopSkipJump {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for HopSkipJump {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move { self.walk(&mut Probe::new(asker)).await })
    }
}

impl HopSkipJump {
    async fn walk(&self, probe: &mut Probe<'_>) -> Result<(), Halt> {
        let Some(row) = find(probe, self.start, self.initial_draws).await? else { return Ok(()) };
        let features = probe.room.movable.len() as f64;
        let linf = probe.room.norm == Norm::Linf;
        let power = if linf { 2.0 } else { 1.5 };
        let theta = self.gamma / features.powf(power);
        let (mut point, mut before) = boundary(probe, row, theta).await?;
        for step in 0..self.steps {
            let distance = probe.distance(&point);
            if distance <= 0.0 {
                break;
            }
            let growth = f64::from(step + 1).sqrt();
            let noise = match step {
                0 => FIRST_NOISE * probe.room.side,
                _ => features.powf(power - 1.0) * theta * before,
            };
            let most = f64::from(self.max_evaluations);
            let count = (f64::from(self.initial_evaluations) * growth).min(most) as usize;
            let normal = normal(probe, step, &point, noise, count).await?;
            let direction = match normal {
                Some(normal) if linf => normal.into_iter().map(sign).collect(),
                Some(normal) => normal,
                None => continue,
            };
            let lengths = (distance / growth, theta * distance);
            let row = forward(probe, &point, &direction, lengths).await?;
            if let Some(row) = row {
                (point, before) = boundary(probe, row, theta).await?;
            }
        }
        Ok(())
    }
}

/// The point on the way from the clean row to `row` where the label changes, to within `theta` of
/// the way, and the distance of `row`.
async fn boundary(
    probe: &mut Probe<'_>,
    row: Vec<f32>,
    theta: f64,
) -> Result<(Vec<f32>, f64), Halt> {
    let distance = probe.distance(&row);
    let linf = probe.room.norm == Norm::Linf;
    let at = |room: &Room, share: f64| {
        if share >= 1.0 {
            row.clone()
        } else if linf {
            room.within(&row, share * distance)
        } else {
            room.between(&row, share)
        }
    };
    let share = probe.bisect((0.0, 1.0), theta, at).await?;
    Ok((at(&probe.room, share), distance))
}

/// The unit normal of the boundary at `point`, estimated from `count` answers at distance `noise`:
/// the mean of `(φ − φ̄) u`, or of `φ u` where all answers agree. `u` is the noise that the box
/// left. `None` if none is left.
async fn normal(
    probe: &mut Probe<'_>,
    step: u32,
    point: &[f32],
    noise: f64,
    count: usize,
) -> Result<Option<Vec<f64>>, Halt> {
    let linf = probe.room.norm == Norm::Linf;
    let (mut weighted, mut plain) = (vec![0.0; point.len()], vec![0.0; point.len()]);
    let mut votes = 0.0;
    let mut rng = probe.generator(step);
    probe
        .survey(
            count,
            &mut rng,
            |room, rng| {
                let draw = if linf {
                    room.fill(|| rng.random_range(-1.0..=1.0))
                } else {
                    room.gaussian(rng)
                };
                let draw = unit(draw, Norm::L2).unwrap_or_else(|| vec![0.0; point.len()]);
                let row = room.along(point, &draw, noise);
                let pairs = row.iter().zip(point);
                let kept = pairs.map(|(&row, &point)| (f64::from(row) - f64::from(point)) / noise);
                (kept.collect(), row)
            },
            |noise, met| {
                let vote = if met { 1.0 } else { -1.0 };
                votes += vote;
                for ((weighted, plain), noise) in weighted.iter_mut().zip(&mut plain).zip(noise) {
                    *weighted += vote * noise;
                    *plain += noise;
                }
            },
        )
        .await?;
    let mean = votes / count as f64;
    if mean.abs() < 1.0 {
        weighted.iter_mut().zip(&plain).for_each(|(weighted, plain)| *weighted -= mean * plain);
    }
    Ok(unit(weighted, Norm::L2))
}

/// The first of the steps `longest`, `longest/2`, … that meets the goal; `None` if none that is at
/// least `shortest` does.
async fn forward(
    probe: &mut Probe<'_>,
    point: &[f32],
    direction: &[f64],
    (longest, shortest): (f64, f64),
) -> Result<Option<Vec<f32>>, Halt> {
    let mut length = longest;
    while length > 0.0 && length >= shortest {
        let row = probe.room.along(point, direction, length);
        if row == point {
            break;
        }
        if probe.meets(&row).await? {
            return Ok(Some(row));
        }
        length *= 0.5;
    }
    Ok(None)
}
