//! `GeoDA`.
//!
//! Rahmati, Moosavi-Dezfooli, Frossard, Dai. *`GeoDA`: A Geometric Framework for Black-Box
//! Adversarial Attacks.* CVPR 2020, algorithm 1, equations 6, 10 and 18. <https://arxiv.org/abs/2003.06468>

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
use super::path::Path;
use super::probe::{Probe, Room, unit};
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
        let noise = Cosines::square(job.domain(), self.subspace);
        search_labels(job, &Run { attack: self, noise })
    }
}

/// The attack with the subspace of its noise, which all samples share.
struct Run<'a> {
    attack: &'a Geoda,
    noise: Cosines,
}

impl Search<Labels> for Run<'_> {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        let probe = Probe::new(asker).with_queries(u64::from(self.attack.queries));
        Box::pin(async move { self.attack.walk(probe, &self.noise).await })
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
}
