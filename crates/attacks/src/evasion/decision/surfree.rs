//! `SurFree`.
//!
//! Maho, Furon, Le Merrer. *`SurFree`: a fast surrogate-free black-box attack.* CVPR 2021,
//! algorithm 1. <https://arxiv.org/abs/2011.12807>
use std::collections::VecDeque;

use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::cosine::Cosines;
use super::probe::{Probe, Room, unit};
use super::start::{Start, find};
use crate::evasion::vectors::dot;
use crate::table::{Entry, defaults, label};

/// From a boundary point at distance `d` in direction `u`, random directions `v ⟂ u` of low
/// frequencies; for each the circle `d cos θ (u cos θ + v sin θ)` around the clean row, on which
/// some angle is nearer unless the boundary is at right angles to `u`.
///
/// An angle is looked for on both sides, the largest first, and the first that meets the goal is
/// refined by a bisection. The largest angle grows where one is found and shrinks where none is.
/// A direction is orthogonal to the last ones as long as the subspace has room for it; then they
/// are forgotten. Keeps `orthogonal` rows of each sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SurFree {
    /// Most queries.
    pub queries: u64,
    /// First largest angle, in degrees.
    pub largest_angle: f64,
    /// Factor ρ by which the largest angle shrinks, and its inverse by which it grows.
    pub rho: f64,
    /// Angles `T` tried on each side.
    pub angles: u32,
    /// Last directions that a new one is orthogonal to.
    pub orthogonal: usize,
    /// Most halvings of an angle.
    pub bisections: u32,
    /// The bisection ends when `cos θ` is known to within this.
    pub tolerance: f64,
    /// Share of an image's frequencies, the lowest, that directions are made of.
    pub frequencies: f64,
    /// Where it begins.
    pub start: Start,
    /// Rows tried to begin at, of each kind.
    pub initial_draws: u32,
}

impl SurFree {
    /// The authors': 10,000 queries, 30°, ρ = 0.98, 3 angles a side, 100 directions, at most 10
    /// halvings to 0.01, half of the frequencies.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            queries: 10_000,
            largest_angle: 30.0,
            rho: 0.98,
            angles: 3,
            orthogonal: 100,
            bisections: 10,
            tolerance: 0.01,
            frequencies: 0.5,
            start: Start::Blend,
            initial_draws: 100,
        }
    }
}

impl Default for SurFree {
    fn default() -> Self {
        Self::paper()
    }
}

/// At which a circle is back at the clean row, in degrees.
const RIGHT_ANGLE: f64 = 90.0;
/// Draws in a row that give no direction, after which there is none.
const EMPTY_DRAWS: u32 = 100;
/// What is left of a direction inside the span of the others is rounding below this share.
const SPANNED: f64 = 1e-4;

pub(crate) const ENTRY: Entry = Entry {
    name: "surfree",
    summary: "circles through random low-frequency directions",
    reference: "arXiv:2011.12807",
    norms: &[Norm::L2],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<SurFree>,
    parse: label::<SurFree>,
};

impl Algorithm for SurFree {
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
        ENTRY.positive("largest_angle", self.largest_angle)?;
        ENTRY.positive("rho", self.rho)?;
        ENTRY.share("rho", self.rho)?;
        ENTRY.at_least_one("angles", u64::from(self.angles))?;
        ENTRY.positive("tolerance", self.tolerance)?;
        ENTRY.positive("frequencies", self.frequencies)?;
        ENTRY.share("frequencies", self.frequencies)?;
        ENTRY.at_least_one("initial_draws", u64::from(self.initial_draws))
    }
}

impl LabelAttack for SurFree {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        let waves = Cosines::lowest(job.domain(), self.frequencies);
        search_labels(job, &Run { attack: self, waves })
    }
}

/// The attack with the subspace of its directions, which all samples share.
struct Run<'a> {
    attack: &'a SurFree,
    waves: Cosines,
}

impl Search<Labels> for Run<'_> {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        let probe = Probe::new(asker).with_queries(self.attack.queries);
        Box::pin(async move { self.attack.walk(probe, &self.waves).await })
    }
}

impl SurFree {
    async fn walk(&self, mut probe: Probe<'_>, waves: &Cosines) -> Result<(), Halt> {
        let probe = &mut probe;
        let Some(row) = find(probe, self.start, self.initial_draws).await? else { return Ok(()) };
        let share = probe
            .bisect((0.0, 1.0), 0.5_f64.powi(self.bisections as i32), |room, share| {
                room.between(&row, share)
            })
            .await?;
        let mut point = probe.room.between(&row, share);
        let mut largest = self.largest_angle;
        let mut last = VecDeque::new();
        for step in 0_u32.. {
            let offset = probe.room.offset(&point);
            let distance = Norm::L2.of_slice(&offset);
            let Some(inward) = unit(offset, Norm::L2) else { break };
            let mut rng = probe.generator(step);
            let across = self.direction(&probe.room, waves, &inward, &mut last, &mut rng);
            let Some(across) = across else { break };
            let circle = Circle { distance, along: inward, across };
            match self.angle(probe, &circle, largest).await? {
                Some(angle) => {
                    let nearer = circle.at(&probe.room, angle);
                    if probe.distance(&nearer) < distance {
                        point = nearer;
                    }
                    largest = (largest / self.rho).min(RIGHT_ANGLE);
                }
                None => largest *= self.rho,
            }
        }
        Ok(())
    }

    /// A random direction at right angles to `inward` and to the `last` ones.
    fn direction(
        &self,
        room: &Room,
        waves: &Cosines,
        inward: &[f64],
        last: &mut VecDeque<Vec<f32>>,
        rng: &mut impl Rng,
    ) -> Option<Vec<f64>> {
        for _ in 0..EMPTY_DRAWS {
            let all = waves.row(|| f64::from(rng.random_range(-1..=1)));
            let mut next = room.movable.iter().map(|&feature| all[feature]);
            let Some(drawn) = unit(room.fill(|| next.next().unwrap_or(0.0)), Norm::L2) else {
                continue;
            };
            let mut left = drawn;
            for old in last.iter() {
                let old: Vec<f64> = old.iter().map(|&value| f64::from(value)).collect();
                remove(&mut left, &old);
            }
            remove(&mut left, inward);
            let rest = Norm::L2.of_slice(&left);
            if rest < SPANNED {
                last.clear();
                continue;
            }
            // Once more: subtraction of all but a small rest leaves rounding along `inward`.
            remove(&mut left, inward);
            let direction = unit(left, Norm::L2)?;
            last.push_back(direction.iter().map(|&value| value as f32).collect());
            if last.len() > self.orthogonal {
                last.pop_front();
            }
            return Some(direction);
        }
        None
    }

    /// An angle of the circle that meets the goal, in degrees: the first of `±largest`,
    /// `±largest (T − 1)/T`, …, refined outwards.
    async fn angle(
        &self,
        probe: &mut Probe<'_>,
        circle: &Circle,
        largest: f64,
    ) -> Result<Option<f64>, Halt> {
        let part = largest / f64::from(self.angles);
        for trial in (1..=self.angles).rev() {
            for side in [1.0, -1.0] {
                let angle = side * part * f64::from(trial);
                if !probe.meets(&circle.at(&probe.room, angle)).await? {
                    continue;
                }
                let (mut inner, mut outer) = (angle, angle + side * part);
                // The next larger angle failed before, but for the largest.
                if trial == self.angles {
                    while outer.abs() < RIGHT_ANGLE
                        && probe.meets(&circle.at(&probe.room, outer)).await?
                    {
                        (inner, outer) = (outer, outer + side * part);
                    }
                }
                return Ok(Some(self.refine(probe, circle, inner, outer).await?));
            }
        }
        Ok(None)
    }

    async fn refine(
        &self,
        probe: &mut Probe<'_>,
        circle: &Circle,
        mut inner: f64,
        mut outer: f64,
    ) -> Result<f64, Halt> {
        let gap = |a: f64, b: f64| (a.to_radians().cos() - b.to_radians().cos()).abs();
        for _ in 0..self.bisections {
            if gap(inner, outer) <= self.tolerance {
                break;
            }
            let middle = 0.5 * (inner + outer);
            if probe.meets(&circle.at(&probe.room, middle)).await? {
                inner = middle;
            } else {
                outer = middle;
            }
        }
        Ok(inner)
    }
}

/// The circle through the clean row and a point at `distance` along `along`, towards `across`.
struct Circle {
    distance: f64,
    along: Vec<f64>,
    across: Vec<f64>,
}

impl Circle {
    fn at(&self, room: &Room, degrees: f64) -> Vec<f32> {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        let pairs = self.along.iter().zip(&self.across);
        let direction: Vec<f64> =
            pairs.map(|(along, across)| cosine * along + sine * across).collect();
        room.along(&room.clean, &direction, self.distance * cosine)
    }
}

/// Removes from `vector` its part along the unit vector `direction`.
fn remove(vector: &mut [f64], direction: &[f64]) {
    let share = dot(vector, direction);
    vector.iter_mut().zip(direction).for_each(|(value, part)| *value -= share * part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Seed, Use};

    /// Six features, four of which may move: three directions at right angles to the way inwards
    /// and to each other, then the memory is full and begins anew.
    #[test]
    fn directions_are_orthogonal_until_the_subspace_is_full() {
        let domain = Domain::image(1, 2, 3).unwrap();
        let waves = Cosines::lowest(&domain, 1.0);
        let room = Room {
            clean: vec![0.5; 6],
            lower: vec![0.0, 0.5, 0.0, 0.0, 0.5, 0.0],
            upper: vec![1.0, 0.5, 1.0, 1.0, 0.5, 1.0],
            movable: vec![0, 2, 3, 5],
            side: 1.0,
            norm: Norm::L2,
        };
        let inward = vec![0.6, 0.0, -0.8, 0.0, 0.0, 0.0];
        let mut rng = Seed(5).stream(0, 0, 0, Use::Step);
        let mut last = VecDeque::new();
        let mut drawn: Vec<Vec<f64>> = Vec::new();
        for count in [1, 2, 3, 1] {
            let surfree = SurFree::paper();
            let next = surfree.direction(&room, &waves, &inward, &mut last, &mut rng).unwrap();
            assert_eq!(last.len(), count);
            assert!((dot(&next, &next) - 1.0).abs() < 1e-12 && dot(&next, &inward).abs() < 1e-12);
            assert!(next[1].abs() + next[4].abs() < 1e-12, "what may not move does not");
            if count > 1 {
                assert!(drawn.iter().all(|old| dot(old, &next).abs() < 1e-6));
            }
            drawn.push(next);
        }
    }

    /// The way inwards is the only one: no direction is at right angles to it.
    #[test]
    fn one_feature_has_no_other_direction() {
        let waves = Cosines::lowest(&Domain::image(1, 1, 1).unwrap(), 1.0);
        let (clean, lower, upper) = (vec![0.5], vec![0.0], vec![1.0]);
        let room = Room { clean, lower, upper, movable: vec![0], side: 1.0, norm: Norm::L2 };
        let mut rng = Seed(5).stream(0, 0, 0, Use::Step);
        let mut last = VecDeque::new();
        let found = SurFree::paper().direction(&room, &waves, &[1.0], &mut last, &mut rng);
        assert!(found.is_none());
    }

    /// At 60°, a chord of half the diameter; at 90° the clean row.
    #[test]
    fn the_circle_passes_through_both_ends() {
        let (clean, lower, upper) = (vec![0.0; 2], vec![-2.0; 2], vec![2.0; 2]);
        let room = Room { clean, lower, upper, movable: vec![0, 1], side: 4.0, norm: Norm::L2 };
        let circle = Circle { distance: 2.0, along: vec![1.0, 0.0], across: vec![0.0, 1.0] };
        assert_eq!(circle.at(&room, 0.0), [2.0, 0.0]);
        let at = circle.at(&room, 60.0);
        assert!((at[0] - 0.5).abs() < 1e-6 && (at[1] - 0.75_f32.sqrt()).abs() < 1e-6, "{at:?}");
        assert!(circle.at(&room, 90.0).iter().all(|value| value.abs() < 1e-6));
    }
}
