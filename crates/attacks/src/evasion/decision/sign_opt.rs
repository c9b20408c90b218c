//! Sign-OPT.
//!
//! Cheng, Singh, Chen, Chen, Liu, Hsieh. *Sign-OPT: A Query-Efficient Hard-label Adversarial
//! Attack.* ICLR 2020, algorithm 1. <https://arxiv.org/abs/1909.10773>
use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use serde::{Deserialize, Serialize};

use super::probe::{Probe, Room, sign, unit};
use super::start::{Start, find};
use crate::table::{Entry, defaults, label};

/// Descent on `g(θ)`, the distance of the boundary along the direction `θ`, whose gradient is
/// estimated from signs alone: `Σ sign(g(θ + βu) − g(θ)) u`, one query each, at radius `g(θ)`.
///
/// A direction of the line search is asked about at the best radius first: one query for one that
/// is no better. Lengths are in the threat model's norm. In Linf a step goes along the signs of the
/// estimate and is clamped to the unit ball: dividing by the largest feature, as published code
/// does, stops half as far again from a plane as its boundary is. The descent goes on after a first
/// success, until nothing moves or the queries are spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignOpt {
    /// Most queries.
    pub queries: u64,
    /// Gradient steps.
    pub steps: u32,
    /// Directions `K` of an estimate.
    pub directions: u32,
    /// Gaussian directions tried to begin with; the nearest counts.
    pub initial_directions: u32,
    /// First step size α.
    pub step_size: f64,
    /// Smoothing β.
    pub smoothing: f64,
    /// Where it begins if none of the initial directions meets the goal.
    pub start: Start,
    /// Rows tried to begin at then, of each kind.
    pub initial_draws: u32,
}

impl SignOpt {
    /// The authors': 20,000 queries, 1,000 steps of 200 directions, 100 at first, α = 0.2,
    /// β = 0.001, no momentum.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            queries: 20_000,
            steps: 1_000,
            directions: 200,
            initial_directions: 100,
            step_size: 0.2,
            smoothing: 1e-3,
            start: Start::SaltAndPepper,
            initial_draws: 100,
        }
    }
}

impl Default for SignOpt {
    fn default() -> Self {
        Self::paper()
    }
}

/// Halvings and doublings of a line search.
const TRIES: u32 = 15;
/// A first bracket below a radius, as a share of it; it doubles.
const BRACKET: f64 = 0.01;
/// Tolerance of the first radii, and that of the line search per β.
const TOLERANCE: f64 = 1e-5;
const TOLERANCE_PER_SMOOTHING: f64 = 1.0 / 500.0;
/// Smallest β.
const LEAST_SMOOTHING: f64 = 1e-8;

pub(crate) const ENTRY: Entry = Entry {
    name: "sign-opt",
    summary: "descent on the ray's radius by signs",
    reference: "arXiv:1909.10773",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<SignOpt>,
    parse: label::<SignOpt>,
};

impl Algorithm for SignOpt {
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
        ENTRY.at_least_one("queries", self.queries)?;
        ENTRY.at_least_one("directions", u64::from(self.directions))?;
        ENTRY.at_least_one("initial_directions", u64::from(self.initial_directions))?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.positive("smoothing", self.smoothing)?;
        ENTRY.at_least_one("initial_draws", u64::from(self.initial_draws))
    }
}

impl LabelAttack for SignOpt {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for SignOpt {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        let probe = Probe::new(asker).with_queries(self.queries);
        Box::pin(async move { self.descend(probe).await })
    }
}

/// A direction of length 1 and the distance of the boundary along it.
struct Ray {
    direction: Vec<f64>,
    radius: f64,
}

impl SignOpt {
    async fn descend(&self, mut probe: Probe<'_>) -> Result<(), Halt> {
        let probe = &mut probe;
        let Some(mut best) = self.begin(probe).await? else { return Ok(()) };
        let (mut step, mut smoothing) = (self.step_size, self.smoothing);
        // The authors' floors of the step size.
        let least = if probe.room.norm == Norm::Linf { 1e-6 } else { 1e-4 };
        for iteration in 0..self.steps {
            if best.radius <= 0.0 {
                break;
            }
            let slope = self.slope(probe, &best, smoothing, self.initial_directions + iteration);
            let slope = slope.await?;
            step = search(probe, &mut best, &slope, step, smoothing).await?;
            if step < least {
                step = 1.0;
                smoothing *= 0.1;
                if smoothing < LEAST_SMOOTHING {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The nearest of the initial directions.
    async fn begin(&self, probe: &mut Probe<'_>) -> Result<Option<Ray>, Halt> {
        let mut best: Option<Ray> = None;
        for draw in 0..self.initial_directions {
            let direction = probe.room.gaussian(&mut probe.generator(draw));
            let length = probe.room.norm.of_slice(&direction) * probe.room.side;
            let Some(direction) = unit(direction, probe.room.norm) else { continue };
            self.offer(probe, &mut best, direction, length).await?;
        }
        if best.is_none()
            && let Some(row) = find(probe, self.start, self.initial_draws).await?
        {
            let (offset, length) = (probe.room.offset(&row), probe.distance(&row));
            let radius = TOLERANCE * probe.room.side;
            if let Some(direction) = unit(offset, probe.room.norm) {
                let radius = shrink(probe, &direction, (0.0, length), radius).await?;
                best = Some(Ray { direction, radius });
            }
        }
        Ok(best)
    }

    /// Keeps a direction whose point at `length` meets the goal and whose boundary is the nearest.
    async fn offer(
        &self,
        probe: &mut Probe<'_>,
        best: &mut Option<Ray>,
        direction: Vec<f64>,
        mut length: f64,
    ) -> Result<(), Halt> {
        if !probe.meets(&ray(&probe.room, &direction, length)).await? {
            return Ok(());
        }
        if let Some(best) = best
            && length > best.radius
        {
            length = best.radius;
            if !probe.meets(&ray(&probe.room, &direction, length)).await? {
                return Ok(());
            }
        }
        let tolerance = TOLERANCE * probe.room.side;
        let radius = shrink(probe, &direction, (0.0, length), tolerance).await?;
        if best.as_ref().is_none_or(|best| radius < best.radius) {
            *best = Some(Ray { direction, radius });
        }
        Ok(())
    }

    /// The gradient of `g` at `at`, from `K` signs.
    async fn slope(
        &self,
        probe: &mut Probe<'_>,
        at: &Ray,
        smoothing: f64,
        stream: u32,
    ) -> Result<Vec<f64>, Halt> {
        let mut slope = vec![0.0; at.direction.len()];
        let mut rng = probe.generator(stream);
        let each = 1.0 / f64::from(self.directions);
        probe
            .survey(
                self.directions as usize,
                &mut rng,
                |room, rng| {
                    let noise = unit(room.gaussian(rng), room.norm)
                        .unwrap_or_else(|| vec![0.0; at.direction.len()]);
                    let turned = turned(&at.direction, &noise, smoothing, room.norm);
                    let row = ray(room, &turned, at.radius);
                    (noise, row)
                },
                |noise, met| {
                    // Meeting the goal at the same radius, the boundary is nearer: `g` falls.
                    let sign = if met { -each } else { each };
                    slope.iter_mut().zip(noise).for_each(|(slope, noise)| *slope += sign * noise);
                },
            )
            .await?;
        Ok(slope)
    }
}

/// A step down the slope: doubled while the boundary gets nearer, or else quartered until it does.
/// Returns the next step size.
async fn search(
    probe: &mut Probe<'_>,
    best: &mut Ray,
    slope: &[f64],
    mut step: f64,
    smoothing: f64,
) -> Result<f64, Halt> {
    let tolerance = smoothing * TOLERANCE_PER_SMOOTHING * probe.room.side;
    let from = best.direction.clone();
    let mut nearer = false;
    for _ in 0..TRIES {
        let improved = attempt(probe, best, (&from, slope, step), tolerance).await?;
        step *= 2.0;
        if !improved {
            break;
        }
        nearer = true;
    }
    if !nearer {
        for _ in 0..TRIES {
            step *= 0.25;
            if attempt(probe, best, (&from, slope, step), tolerance).await? {
                break;
            }
        }
    }
    Ok(step)
}

/// Takes the direction `from − step · slope` if the boundary is nearer along it.
async fn attempt(
    probe: &mut Probe<'_>,
    best: &mut Ray,
    (from, slope, step): (&[f64], &[f64], f64),
    tolerance: f64,
) -> Result<bool, Halt> {
    let Some(direction) = descended(from, slope, step, probe.room.norm) else { return Ok(false) };
    if !probe.meets(&ray(&probe.room, &direction, best.radius)).await? {
        return Ok(false);
    }
    let (mut low, mut high, mut bracket) = (0.0, best.radius, BRACKET);
    while bracket < 1.0 {
        let radius = best.radius * (1.0 - bracket);
        if !probe.meets(&ray(&probe.room, &direction, radius)).await? {
            low = radius;
            break;
        }
        high = radius;
        bracket *= 2.0;
    }
    let radius = shrink(probe, &direction, (low, high), tolerance).await?;
    let improved = radius < best.radius;
    if improved {
        *best = Ray { direction, radius };
    }
    Ok(improved)
}

/// The radius between `low` and `high` at which the ray meets the goal.
async fn shrink(
    probe: &mut Probe<'_>,
    direction: &[f64],
    between: (f64, f64),
    tolerance: f64,
) -> Result<f64, Halt> {
    probe.bisect(between, tolerance, |room, radius| ray(room, direction, radius)).await
}

/// The point of the ray at `radius`, in the box.
fn ray(room: &Room, direction: &[f64], radius: f64) -> Vec<f32> {
    room.along(&room.clean, direction, radius)
}

/// The direction `θ + βu` at which the sign of `g` is asked for: of length 1 in L2; in Linf as it
/// is, since the kinks of the norm would hide the boundary.
fn turned(direction: &[f64], noise: &[f64], smoothing: f64, norm: Norm) -> Vec<f64> {
    let turned = direction.iter().zip(noise).map(|(at, noise)| at + smoothing * noise).collect();
    if norm == Norm::Linf {
        return turned;
    }
    unit(turned, norm).unwrap_or_else(|| vec![0.0; direction.len()])
}

/// A step down the slope back to length 1: along its signs and clamped in Linf.
fn descended(direction: &[f64], slope: &[f64], step: f64, norm: Norm) -> Option<Vec<f64>> {
    let pairs = direction.iter().zip(slope);
    let stepped = if norm == Norm::Linf {
        pairs.map(|(at, slope)| (at - step * sign(*slope)).clamp(-1.0, 1.0)).collect()
    } else {
        pairs.map(|(at, slope)| at - step * slope).collect()
    };
    unit(stepped, norm)
}
