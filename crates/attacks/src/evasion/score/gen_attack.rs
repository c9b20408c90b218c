//! `GenAttack`: a genetic algorithm with adaptive mutation.
//!
//! Alzantot, Sharma, Chakraborty, Zhang, Hsieh, Srivastava. *`GenAttack`: Practical Black-box
//! Attacks with Gradient-Free Optimization.* GECCO 2019, algorithm 1.
//! <https://arxiv.org/abs/1805.11090>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::scores::log_odds;
use super::{can_move, minimised};
use crate::table::{Entry, defaults, score};

/// Candidates in the ball, the fittest kept, the others bred from two parents and mutated.
///
/// The fitness of a target is `log p_t − log Σ_{j≠t} p_j`; of a label to leave, its negative.
/// Parents are drawn by the softmax of the fitness, and a child takes each feature from one of them
/// in proportion to these probabilities. The first candidates take a query each, a generation one
/// fewer, since the fittest is known. A sample that meets its goal stops there; a job that maximises
/// the loss goes on. The paper's reduced search space for large images is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenAttack {
    /// Most queries on each sample.
    pub queries: u64,
    /// Candidates.
    pub population: usize,
    /// First probability ρ that a feature mutates.
    pub mutation_rate: f64,
    /// First range α of a mutation, as a fraction of the radius.
    pub mutation_range: f64,
    /// Factor of both after each plateau; 1 keeps them fixed (with 0.05 and 1: the paper's on MNIST
    /// and CIFAR-10).
    pub decay: f64,
    /// Least probability of a mutation.
    pub least_rate: f64,
    /// Least range of a mutation.
    pub least_range: f64,
    /// Generations without a fitter candidate that make a plateau.
    pub plateau: u32,
}

impl GenAttack {
    /// The paper's with adaptive mutation: 6 candidates, 100,000 queries, ρ from 0.5 to 0.1, α from
    /// 0.4 to 0.15, times 0.9 after each plateau of 100.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            queries: 100_000,
            population: 6,
            mutation_rate: 0.5,
            mutation_range: 0.4,
            decay: 0.9,
            least_rate: 0.1,
            least_range: 0.15,
            plateau: 100,
        }
    }
}

impl Default for GenAttack {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "gen-attack",
    summary: "genetic algorithm",
    reference: "arXiv:1805.11090",
    norms: &[Norm::Linf],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<GenAttack>,
    parse: score::<GenAttack>,
};

impl Algorithm for GenAttack {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("queries", self.queries)?;
        ENTRY.expect(self.population >= 2, "population", "at least 2", self.population)?;
        for (field, value) in [
            ("mutation_rate", self.mutation_rate),
            ("least_rate", self.least_rate),
            ("decay", self.decay),
        ] {
            ENTRY.share(field, value)?;
        }
        ENTRY.positive("mutation_range", self.mutation_range)?;
        ENTRY.positive("least_range", self.least_range)?;
        ENTRY.at_least_one("plateau", u64::from(self.plateau))
    }
}

impl ScoreAttack for GenAttack {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for GenAttack {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            if !can_move(asker) {
                return Ok(());
            }
            let mut rng = asker.generator(0);
            let mut members: Vec<Vec<f32>> = (0..self.population)
                .map(|_| {
                    let mut row = asker.clean().to_vec();
                    mutate(asker, &mut row, 1.0, 1.0, &mut rng);
                    row
                })
                .collect();
            let logits = asker.logits(members.concat()).await?;
            let mut fitness: Vec<f64> =
                logits.chunks_exact(asker.classes()).map(|row| fitness_of(asker, row)).collect();
            let children = self.population as u64 - 1;
            let mut mutation = Mutation::default();
            for _ in 0..self.queries.saturating_sub(children + 1) / children {
                let fittest = fittest(&fitness);
                asker.settle(&members[fittest]);
                mutation.note(fitness[fittest], self.plateau);
                let (rate, range) = self.mutation(mutation.plateaus);
                let chances = softmax(&fitness);
                let bred: Vec<Vec<f32>> = (0..children)
                    .map(|_| {
                        let parents = [choose(&chances, &mut rng), choose(&chances, &mut rng)];
                        let mut child = cross(&members, &chances, parents, &mut rng);
                        mutate(asker, &mut child, rate, range, &mut rng);
                        child
                    })
                    .collect();
                let logits = asker.logits(bred.concat()).await?;
                let rows = logits.chunks_exact(asker.classes());
                let reached: Vec<f64> = rows.map(|row| fitness_of(asker, row)).collect();
                members = std::iter::once(members.swap_remove(fittest)).chain(bred).collect();
                fitness = std::iter::once(fitness[fittest]).chain(reached).collect();
            }
            asker.settle(&members[fittest(&fitness)]);
            Ok(())
        })
    }
}

impl GenAttack {
    /// Probability and range of a mutation after so many plateaus.
    fn mutation(&self, plateaus: i32) -> (f64, f64) {
        let factor = self.decay.powi(plateaus);
        let limited = |first: f64, least: f64| (first * factor).max(least.min(first));
        (
            limited(self.mutation_rate, self.least_rate),
            limited(self.mutation_range, self.least_range),
        )
    }
}

/// How long nothing fitter was found.
#[derive(Clone, Copy, Debug, Default)]
struct Mutation {
    best: Option<f64>,
    waited: u32,
    plateaus: i32,
}

impl Mutation {
    fn note(&mut self, fitness: f64, plateau: u32) {
        if self.best.is_none_or(|best| fitness > best) {
            (self.best, self.waited) = (Some(fitness), 0);
            return;
        }
        self.waited += 1;
        if self.waited == plateau {
            self.waited = 0;
            self.plateaus = self.plateaus.saturating_add(1);
        }
    }
}

fn fitness_of(asker: &Asker<Scores>, logits: &[f32]) -> f64 {
    -minimised(asker, log_odds(logits, asker.label()))
}

fn fittest(fitness: &[f64]) -> usize {
    let mut best = 0;
    for (member, &value) in fitness.iter().enumerate() {
        if value > fitness[best] {
            best = member;
        }
    }
    best
}

fn softmax(fitness: &[f64]) -> Vec<f64> {
    let largest = fitness.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = fitness.iter().map(|value| (value - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// A member drawn by its chance.
fn choose(chances: &[f64], rng: &mut impl Rng) -> usize {
    let mut left: f64 = rng.random();
    for (member, chance) in chances.iter().enumerate() {
        left -= chance;
        if left < 0.0 {
            return member;
        }
    }
    chances.len() - 1
}

/// Each feature from the first parent with probability `P₁ / (P₁ + P₂)`, else from the second.
fn cross(
    members: &[Vec<f32>],
    chances: &[f64],
    [first, second]: [usize; 2],
    rng: &mut impl Rng,
) -> Vec<f32> {
    let share = chances[first] / (chances[first] + chances[second]).max(f64::MIN_POSITIVE);
    let pairs = members[first].iter().zip(&members[second]);
    pairs.map(|(&a, &b)| if rng.random::<f64>() < share { a } else { b }).collect()
}

/// Moves each feature with probability `rate` by a uniform draw of up to `range` radii.
fn mutate(asker: &Asker<Scores>, row: &mut [f32], rate: f64, range: f64, rng: &mut impl Rng) {
    let most = range * asker.radius();
    for value in row.iter_mut() {
        if rng.random::<f64>() < rate {
            *value = (f64::from(*value) + most * rng.random_range(-1.0..=1.0)) as f32;
        }
    }
    asker.clip(row);
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Seed, Use};

    #[test]
    fn mutation_shrinks_with_each_plateau_to_its_least() {
        let attack = GenAttack::paper();
        let close = |(a, b): (f64, f64), c: f64, d: f64| {
            assert!((a - c).abs() < 1e-12 && (b - d).abs() < 1e-12, "{a} {b}");
        };
        close(attack.mutation(0), 0.5, 0.4);
        close(attack.mutation(2), 0.405, 0.324);
        close(attack.mutation(9), 0.5 * 0.9_f64.powi(9), 0.4 * 0.9_f64.powi(9));
        close(attack.mutation(16), 0.1, 0.15);
        let mut mutation = Mutation::default();
        let mut plateaus = Vec::new();
        for fitness in [1.0, 1.0, 1.0, 2.0, 2.0, 1.5, 2.0, 2.0] {
            mutation.note(fitness, 2);
            plateaus.push(mutation.plateaus);
        }
        assert_eq!(plateaus, [0, 0, 1, 1, 1, 2, 2, 3]);
    }

    /// Fitness ln 1, ln 3: chances ¼ and ¾; 4000 draws, five standard deviations are 137.
    #[test]
    fn parents_and_features_are_drawn_by_the_softmax_of_the_fitness() {
        let chances = softmax(&[0.0, 3.0_f64.ln()]);
        let mut rng = Seed(1).stream(0, 0, 0, Use::Step);
        let ones: usize = (0..4000).map(|_| choose(&chances, &mut rng)).sum();
        assert!(ones.abs_diff(3000) < 137, "{ones}");
        let members = [vec![0.0; 4000], vec![1.0; 4000]];
        let ones: f32 = cross(&members, &chances, [0, 1], &mut rng).iter().sum();
        assert!((ones - 3000.0).abs() < 137.0, "{ones}");
    }
}
