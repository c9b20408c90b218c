//! One pixel: differential evolution over places and colours.
//!
//! Su, Vargas, Sakurai. *One Pixel Attack for Fooling Deep Neural Networks.* IEEE Transactions on
//! Evolutionary Computation 2019, §III. <https://arxiv.org/abs/1710.08864>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Halt, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use rand::seq::index::sample;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::{can_move, log_probability_loss, rows_at_once};
use crate::table::{Entry, defaults, score};

/// A population of candidates, each some pixels with a place and a colour; a child
/// `x_a + F (x_b − x_c)` replaces the parent of its number if it is at least as fit.
///
/// A pixel is all channels of a place: of a radius, which counts features, it spends `channels`, so
/// that a candidate has `⌊radius / channels⌋` pixels. The fitness is the probability of the label
/// (or of the target), compared by its logarithm. A sample that meets its goal stops with the
/// question at hand, a part of a generation that depends on the size of the image alone; a job that
/// maximises the loss goes on to the last generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnePixel {
    /// Candidates; the first ones and each generation take one query a candidate.
    pub population: usize,
    /// Generations after the first candidates.
    pub generations: u32,
    /// Weight `F` of a difference of two candidates.
    pub weight: f64,
}

impl OnePixel {
    /// The paper's: 400 candidates, 100 generations, `F` = 0.5.
    #[must_use]
    pub fn paper() -> Self {
        Self { population: 400, generations: 100, weight: 0.5 }
    }
}

impl Default for OnePixel {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "one-pixel",
    summary: "differential evolution of a few pixels",
    reference: "arXiv:1710.08864",
    norms: &[Norm::L0],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<OnePixel>,
    parse: score::<OnePixel>,
};

impl Algorithm for OnePixel {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        setting.domain.image_shape()?;
        let parents = self.population >= 4;
        ENTRY.expect(parents, "population", "at least 4", self.population)?;
        ENTRY.positive("weight", self.weight)
    }
}

impl ScoreAttack for OnePixel {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for OnePixel {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            let grid = Grid::of(asker.domain());
            let pixels = (asker.radius() / grid.channels as f64) as usize;
            let pixels = pixels.min(grid.places());
            if pixels == 0 || !can_move(asker) {
                return Ok(());
            }
            let mut rng = asker.generator(0);
            let mut parents: Vec<Genome> =
                (0..self.population).map(|_| Genome::draw(grid, pixels, &mut rng)).collect();
            let mut losses = ask(asker, grid, &parents).await?;
            settle(asker, grid, &parents, &losses);
            for _ in 0..self.generations {
                let children: Vec<Genome> =
                    (0..self.population).map(|own| self.child(&parents, own, &mut rng)).collect();
                let reached = ask(asker, grid, &children).await?;
                for (own, (child, loss)) in children.into_iter().zip(reached).enumerate() {
                    if loss <= losses[own] {
                        (parents[own], losses[own]) = (child, loss);
                    }
                }
                settle(asker, grid, &parents, &losses);
            }
            Ok(())
        })
    }
}

impl OnePixel {
    /// `x_a + F (x_b − x_c)` of three parents that differ from each other and from its own.
    fn child(&self, parents: &[Genome], own: usize, rng: &mut impl Rng) -> Genome {
        let others = sample(rng, parents.len() - 1, 3);
        let [a, b, c] = [0, 1, 2].map(|rank| {
            let other = others.index(rank);
            &parents[if other < own { other } else { other + 1 }]
        });
        let genes = (0..a.0.len()).map(|gene| a.0[gene] + self.weight * (b.0[gene] - c.0[gene]));
        Genome(genes.map(|gene| gene.clamp(0.0, 1.0)).collect())
    }
}

/// For each pixel its line, its column and the value of each channel, all as shares of their ranges.
#[derive(Clone, Debug, PartialEq)]
struct Genome(Vec<f64>);

impl Genome {
    /// Uniform places, Gaussian colours of mean and standard deviation ½ (128 and 127 of 255).
    fn draw(grid: Grid, pixels: usize, rng: &mut impl Rng) -> Self {
        let mut genes = Vec::with_capacity(pixels * (2 + grid.channels));
        for _ in 0..pixels {
            genes.extend([rng.random::<f64>(), rng.random()]);
            genes.extend((0..grid.channels).map(|_| {
                let draw: f64 = rng.sample(StandardNormal);
                (0.5 + 0.5 * draw).clamp(0.0, 1.0)
            }));
        }
        Self(genes)
    }

    /// The clean row with the pixels painted.
    fn row(&self, asker: &Asker<Scores>, grid: Grid) -> Vec<f32> {
        let mut row = asker.clean().to_vec();
        // The end of the range belongs to the last line, not to one behind it.
        let place = |share: f64, size: usize| ((share * size as f64) as usize).min(size - 1);
        for pixel in self.0.chunks_exact(2 + grid.channels) {
            let at = place(pixel[0], grid.height) * grid.width + place(pixel[1], grid.width);
            for (channel, share) in pixel[2..].iter().enumerate() {
                let feature = channel * grid.places() + at;
                let (low, high) =
                    (f64::from(asker.lower()[feature]), f64::from(asker.upper()[feature]));
                row[feature] = (low + share * (high - low)) as f32;
            }
        }
        asker.clip(&mut row);
        row
    }
}

/// The losses of candidates, one query each.
async fn ask(
    asker: &mut Asker<Scores>,
    grid: Grid,
    candidates: &[Genome],
) -> Result<Vec<f64>, Halt> {
    let mut losses = Vec::with_capacity(candidates.len());
    for part in candidates.chunks(rows_at_once(asker.clean().len())) {
        let rows = part.iter().flat_map(|genome| genome.row(asker, grid)).collect();
        let logits = asker.logits(rows).await?;
        let rows = logits.chunks_exact(asker.classes());
        losses.extend(rows.map(|logits| log_probability_loss(asker, logits)));
    }
    Ok(losses)
}

/// Settles for the fittest.
fn settle(asker: &mut Asker<Scores>, grid: Grid, parents: &[Genome], losses: &[f64]) {
    let fittest = parents.iter().zip(losses).min_by(|a, b| a.1.total_cmp(b.1));
    if let Some((genome, _)) = fittest {
        let row = genome.row(asker, grid);
        asker.settle(&row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Seed, Use};

    /// With 4 parents the three others are all drawn: the child of the first is one of
    /// `b + ½(c − d)` over their orders.
    #[test]
    fn a_child_mixes_three_other_parents() {
        let parents = [0.9, 0.1, 0.2, 0.6].map(|gene| Genome(vec![gene]));
        let mut rng = Seed(3).stream(0, 0, 0, Use::Step);
        let mut seen: Vec<i64> = (0..200)
            .map(|_| (OnePixel::paper().child(&parents, 0, &mut rng).0[0] * 1000.0).round() as i64)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        // 0.1 ± 0.2, 0.2 ± 0.25, 0.6 ± 0.05, into [0, 1].
        assert_eq!(seen, [0, 300, 450, 550, 650]);
    }
}
