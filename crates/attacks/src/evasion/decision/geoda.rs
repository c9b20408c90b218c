//! `GeoDA`.
//!
//! Rahmati, Moosavi-Dezfooli, Frossard, Dai. *`GeoDA`: A Geometric Framework for Black-Box
//! Adversarial Attacks.* CVPR 2020, algorithm 1, equations 6, 10 and 18. <https://arxiv.org/abs/2003.06468>
use std::sync::OnceLock;

use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::cosine::Cosines;
use super::probe::{Probe, Room, sign, unit};
use super::start::{Start, find};
use crate::table::{Entry, defaults, label};

/// The normal of the boundary from the answers to noise of low frequencies around a boundary point;
/// the next boundary point lies from the clean row along it: along the normal in L2, its signs in
/// Linf, and in L1 with the features of the largest weights moved to the end of their interval
/// first.
///
/// Iteration `i` gets a share `λ^(−2i/3)` of the queries, as many iterations as give the first one
/// 50 to 80. Each normal is estimated anew, as in the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Geoda {
    /// Most queries; 25 of each iteration are set aside for the search along the normal.
    pub queries: u32,
    /// Lowest frequencies in each direction of an image; all of them where it has fewer.
    pub subspace: usize,
    /// Standard deviation of each frequency's noise, as a share of the box's side.
    pub sigma: f64,
    /// λ of the split.
    pub lambda: f64,
    /// The bisection's tolerance (L2), as a share of the box's side.
    pub tolerance: f64,
    /// Where it begins.
    pub start: Start,
    /// Rows tried to begin at, of each kind.
    pub initial_draws: u32,
}

impl Geoda {
    /// The paper's for `ImageNet`: 4,000 queries, 75 × 75 frequencies, σ = 2·10⁻⁴, λ = 0.6,
    /// tolerance 10⁻⁴.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            queries: 4_000,
            subspace: 75,
            sigma: 2e-4,
            lambda: 0.6,
            tolerance: 1e-4,
            start: Start::Noise,
            initial_draws: 100,
        }
    }
}

impl Default for Geoda {
    fn default() -> Self {
        Self::paper()
    }
}

/// Queries of an iteration that its estimate leaves to the search along the normal.
const SET_ASIDE: u32 = 25;
/// Queries that a first estimate should have.
const FIRST: std::ops::RangeInclusive<u32> = 50..=80;

pub(crate) const ENTRY: Entry = Entry {
    name: "geoda",
    summary: "normals of a flat boundary, in low frequencies",
    reference: "arXiv:2003.06468",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Geoda>,
    parse: label::<Geoda>,
};

impl Algorithm for Geoda {
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
        ENTRY.at_least_one("queries", u64::from(self.queries))?;
        ENTRY.at_least_one("subspace", self.subspace as u64)?;
        ENTRY.positive("sigma", self.sigma)?;
        ENTRY.positive("lambda", self.lambda)?;
        ENTRY.share("lambda", self.lambda)?;
        ENTRY.positive("tolerance", self.tolerance)?;
        ENTRY.at_least_one("initial_draws", u64::from(self.initial_draws))
    }
}

impl LabelAttack for Geoda {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, &Run { attack: self, noise: OnceLock::new() })
    }
}

/// The attack with the subspace of its noise, which all samples share.
struct Run<'a> {
    attack: &'a Geoda,
    noise: OnceLock<Cosines>,
}

impl Search<Labels> for Run<'_> {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        let probe = Probe::new(asker).with_queries(u64::from(self.attack.queries));
        let subspace = || Cosines::square(probe.domain(), self.attack.subspace);
        let noise = self.noise.get_or_init(subspace);
        Box::pin(async move { self.attack.walk(probe, noise).await })
    }
}

impl Geoda {
    async fn walk(&self, mut probe: Probe<'_>, noise: &Cosines) -> Result<(), Halt> {
        let probe = &mut probe;
        let Some(row) = find(probe, self.start, self.initial_draws).await? else { return Ok(()) };
        let tolerance = self.tolerance * probe.room.side;
        let reach = Norm::L2.of_slice(&probe.room.offset(&row));
        let at = |room: &Room, length: f64| room.between(&row, length / reach);
        if reach <= 0.0 {
            return Ok(());
        }
        let length = probe.bisect((0.0, reach), tolerance, at).await?;
        let mut point = at(&probe.room, length);
        for (iteration, count) in self.split().into_iter().enumerate() {
            let normal = self.normal(probe, noise, iteration as u32, &point, count).await?;
            if let Some(path) = normal.and_then(|normal| Path::new(&probe.room, normal))
                && let Some(row) = path.boundary(probe, &point, tolerance).await?
            {
                point = row;
            }
        }
        Ok(())
    }

    /// Queries of each estimate: proportional to `λ^(−2i/3)`.
    fn split(&self) -> Vec<u32> {
        let first_guess = (f64::from(self.queries) / 500.0).round().max(1.0) as u32;
        let whole = f64::from(self.queries.saturating_sub(SET_ASIDE * first_guess));
        let split = |iterations: u32| -> Vec<u32> {
            let share = |i: u32| self.lambda.powf(-2.0 * f64::from(i) / 3.0);
            let total: f64 = (0..iterations).map(share).sum();
            (0..iterations).map(|i| (whole * share(i) / total).round_ties_even() as u32).collect()
        };
        let mut iterations = first_guess;
        // Past some number a split that rises steeply no longer lowers its first share.
        while split(iterations)[0] > *FIRST.end() && split(iterations + 1)[0] < split(iterations)[0]
        {
            iterations += 1;
        }
        while iterations > 1 && split(iterations)[0] < *FIRST.start() {
            iterations -= 1;
        }
        split(iterations)
    }

    /// The unit normal at `point`: the sum of the noises, each with the sign of its answer.
    async fn normal(
        &self,
        probe: &mut Probe<'_>,
        noise: &Cosines,
        iteration: u32,
        point: &[f32],
        count: u32,
    ) -> Result<Option<Vec<f64>>, Halt> {
        let sigma = self.sigma * probe.room.side;
        let mut sum = vec![0.0; point.len()];
        let mut rng = probe.generator(iteration);
        probe
            .survey(
                count as usize,
                &mut rng,
                |room, rng| {
                    let all = noise.row(|| rng.sample(StandardNormal));
                    let mut next = room.movable.iter().map(|&feature| all[feature]);
                    let noise = room.fill(|| next.next().unwrap_or(0.0));
                    let row = room.along(point, &noise, sigma);
                    (noise, row)
                },
                |noise, met| {
                    let sign = if met { 1.0 } else { -1.0 };
                    sum.iter_mut().zip(noise).for_each(|(sum, noise)| *sum += sign * noise);
                },
            )
            .await?;
        Ok(unit(sum, Norm::L2))
    }
}

/// A way from the clean row, by the length gone in the threat model's norm.
enum Path {
    /// Straight along a direction of length 1.
    Straight(Vec<f64>),
    /// One feature after the other to the end of its interval: each feature's step.
    Greedy(Vec<(usize, f64)>),
}

impl Path {
    /// The way on which a plane with this normal is nearest; `None` if nothing can move along it.
    fn new(room: &Room, normal: Vec<f64>) -> Option<Self> {
        match room.norm {
            Norm::L0 | Norm::L1 => {
                let mut order = room.movable.clone();
                order.sort_by(|&a, &b| normal[b].abs().total_cmp(&normal[a].abs()));
                let step = |&feature: &usize| {
                    let end = if normal[feature] > 0.0 {
                        room.upper[feature]
                    } else {
                        room.lower[feature]
                    };
                    (feature, f64::from(end) - f64::from(room.clean[feature]))
                };
                let steps = order.iter().map(step).filter(|(_, step)| step.abs() > 0.0).collect();
                Some(Path::Greedy(steps))
            }
            Norm::L2 => Some(Path::Straight(normal)),
            Norm::Linf => {
                unit(normal.into_iter().map(sign).collect(), Norm::Linf).map(Path::Straight)
            }
        }
    }

    fn at(&self, room: &Room, length: f64) -> Vec<f32> {
        match self {
            Path::Straight(direction) => room.along(&room.clean, direction, length),
            Path::Greedy(steps) => {
                let (mut row, mut left) = (room.clean.clone(), length);
                for &(feature, step) in steps {
                    let part = step.abs().min(left.max(0.0));
                    row[feature] = room.clip(feature, f64::from(row[feature]) + part * sign(step));
                    left -= part;
                }
                row
            }
        }
    }

    /// The length at which nothing moves any more.
    fn end(&self, room: &Room) -> f64 {
        match self {
            Path::Straight(direction) => {
                let reach = |(feature, &step): (usize, &f64)| {
                    let end = if step > 0.0 { room.upper[feature] } else { room.lower[feature] };
                    let way = f64::from(end) - f64::from(room.clean[feature]);
                    if step == 0.0 { 0.0 } else { way / step }
                };
                direction.iter().enumerate().map(reach).fold(0.0, f64::max)
            }
            Path::Greedy(steps) => steps.iter().map(|(_, step)| step.abs()).sum(),
        }
    }

    /// Where the path first meets the goal: from the distance of `point` outwards in doublings, then
    /// a bisection. `None` if it does not meet it.
    async fn boundary(
        &self,
        probe: &mut Probe<'_>,
        point: &[f32],
        tolerance: f64,
    ) -> Result<Option<Vec<f32>>, Halt> {
        let end = self.end(&probe.room);
        let (mut low, mut high) = (0.0, probe.distance(point).min(end));
        loop {
            if high <= 0.0 {
                return Ok(None);
            }
            if probe.meets(&self.at(&probe.room, high)).await? {
                break;
            }
            if high >= end {
                return Ok(None);
            }
            (low, high) = (high, (2.0 * high).min(end));
        }
        let length =
            probe.bisect((low, high), tolerance, |room, length| self.at(room, length)).await?;
        Ok(Some(self.at(&probe.room, length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3,800 queries over 8 iterations would give the first 90 or more; over 9, as published.
    #[test]
    fn the_split_of_the_queries_is_the_published_one() {
        let split = Geoda::paper().split();
        assert_eq!(split, [75, 106, 149, 210, 295, 414, 582, 818, 1150]);
    }

    #[test]
    fn any_number_of_queries_splits_in_finite_time() {
        for queries in [1, 10, 60, 500, 100_000] {
            for lambda in [0.05, 0.6, 1.0] {
                let geoda = Geoda { queries, lambda, ..Geoda::paper() };
                let total: u32 = geoda.split().iter().sum();
                assert!(total <= queries + 20, "{queries} {lambda}: {total}");
            }
        }
    }

    /// From ½ with weights of 3 and 1: the larger feature goes to its end before the other moves.
    #[test]
    fn in_l1_the_largest_weight_moves_first() {
        let room = Room {
            clean: vec![0.5, 0.5],
            lower: vec![0.0; 2],
            upper: vec![1.0; 2],
            movable: vec![0, 1],
            side: 1.0,
            norm: Norm::L1,
        };
        let path = Path::new(&room, vec![1.0, -3.0]).unwrap();
        assert_eq!(path.at(&room, 0.25), [0.5, 0.25]);
        assert_eq!(path.at(&room, 0.75), [0.75, 0.0]);
        assert!((path.end(&room) - 1.0).abs() < 1e-12);
    }
}
