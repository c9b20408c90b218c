//! `SimBA`: a simple black-box attack along the vectors of a basis.
//!
//! Guo, Gardner, You, Wilson, Weinberger. *Simple Black-box Adversarial Attacks.* ICML 2019,
//! algorithm 1. <https://arxiv.org/abs/1905.07121>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::{can_move, log_probability_loss};
use crate::table::{Entry, defaults, score};

/// A step of ±ε along each basis vector in random order, none twice; a step stays if the label
/// becomes less likely (a target more likely).
///
/// The probabilities are compared by their logarithms, which do not saturate. One query looks at
/// the clean row, then each vector takes one or two: minus first, plus if that fails. A step that
/// leaves the ball is projected onto it; one that ball and box stop altogether is not asked about.
/// A sample that meets its goal stops there; a job that maximises the loss goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Simba {
    /// Vectors tried, at most; the search also ends with the basis.
    pub steps: usize,
    /// Length ε of a step, in raw units.
    pub step_size: f64,
    /// What the vectors are.
    pub basis: SimbaBasis,
    /// Share of the frequencies in each direction that a cosine basis keeps, the lowest.
    pub frequencies: f64,
}

/// The orthonormal vectors that `SimBA` steps along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SimbaBasis {
    /// One feature each.
    #[default]
    Pixel,
    /// The cosine waves of one channel (`SimBA-DCT`).
    Dct,
}

impl Simba {
    /// The paper's: at most 10,000 single features, ε = 0.2.
    #[must_use]
    pub fn paper() -> Self {
        Self { steps: 10_000, step_size: 0.2, basis: SimbaBasis::Pixel, frequencies: 0.125 }
    }

    /// The paper's `SimBA-DCT`: an eighth of the frequencies in each direction.
    #[must_use]
    pub fn dct_paper() -> Self {
        Self { basis: SimbaBasis::Dct, ..Self::paper() }
    }
}

impl Default for Simba {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "simba",
    summary: "steps along a random order of basis vectors",
    reference: "arXiv:1905.07121",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<Simba>,
    parse: score::<Simba>,
};

impl Algorithm for Simba {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.positive("frequencies", self.frequencies)?;
        ENTRY.share("frequencies", self.frequencies)
    }
}

impl ScoreAttack for Simba {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for Simba {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            if !can_move(asker) {
                return Ok(());
            }
            let basis = Basis::new(self, Grid::of(asker.domain()));
            let mut order: Vec<usize> = (0..basis.len()).collect();
            order.shuffle(&mut asker.generator(0));
            let mut row = asker.clean().to_vec();
            let logits = asker.logits(row.clone()).await?;
            let mut least = log_probability_loss(asker, &logits);
            for &vector in order.iter().take(self.steps) {
                for step in [-self.step_size, self.step_size] {
                    let mut candidate = row.clone();
                    basis.add(&mut candidate, vector, step);
                    asker.project(&mut candidate);
                    if candidate == row {
                        continue;
                    }
                    let logits = asker.logits(candidate.clone()).await?;
                    let loss = log_probability_loss(asker, &logits);
                    if loss < least {
                        (row, least) = (candidate, loss);
                        asker.settle(&row);
                        break;
                    }
                }
            }
            Ok(())
        })
    }
}

/// The vectors, numbered.
struct Basis {
    grid: Grid,
    /// Cosine waves kept along each axis, each one row of its matrix; `None` for single features.
    waves: Option<[Vec<Vec<f64>>; 2]>,
}

impl Basis {
    fn new(simba: &Simba, grid: Grid) -> Self {
        let kept = |size: usize| ((size as f64 * simba.frequencies).ceil() as usize).clamp(1, size);
        let waves = |size: usize| (0..kept(size)).map(|wave| cosine(wave, size)).collect();
        let waves = match simba.basis {
            SimbaBasis::Pixel => None,
            SimbaBasis::Dct => Some([waves(grid.height), waves(grid.width)]),
        };
        Self { grid, waves }
    }

    fn len(&self) -> usize {
        let each = match &self.waves {
            None => self.grid.places(),
            Some([down, across]) => down.len() * across.len(),
        };
        self.grid.channels * each
    }

    /// Adds `step` times a vector.
    fn add(&self, row: &mut [f32], vector: usize, step: f64) {
        let Some([down, across]) = &self.waves else {
            row[vector] = (f64::from(row[vector]) + step) as f32;
            return;
        };
        let each = down.len() * across.len();
        let (channel, wave) = (vector / each, vector % each);
        let (down, across) = (&down[wave / across.len()], &across[wave % across.len()]);
        let places = self.grid.places();
        let plane = &mut row[channel * places..(channel + 1) * places];
        for (line, &down) in plane.chunks_exact_mut(self.grid.width).zip(down) {
            for (value, &across) in line.iter_mut().zip(across) {
                *value = (f64::from(*value) + step * down * across) as f32;
            }
        }
    }
}

/// A wave of the orthonormal cosine transform (DCT-II).
fn cosine(wave: usize, size: usize) -> Vec<f64> {
    let scale = if wave == 0 { 1.0 } else { 2.0_f64 };
    let scale = (scale / size as f64).sqrt();
    let angle = std::f64::consts::PI * wave as f64 / size as f64;
    (0..size).map(|place| scale * (angle * (place as f64 + 0.5)).cos()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_basis_is_orthonormal_and_the_lowest_wave_is_flat() {
        let grid = Grid { channels: 2, height: 3, width: 4 };
        let simba = Simba { frequencies: 1.0, ..Simba::dct_paper() };
        let basis = Basis::new(&simba, grid);
        assert_eq!(basis.len(), 24);
        let vectors: Vec<Vec<f32>> = (0..24)
            .map(|vector| {
                let mut row = vec![0.0; 24];
                basis.add(&mut row, vector, 1.0);
                row
            })
            .collect();
        for (first, a) in vectors.iter().enumerate() {
            for (second, b) in vectors.iter().enumerate() {
                let inner: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let expected = if first == second { 1.0 } else { 0.0 };
                assert!((inner - expected).abs() < 1e-6, "{first} {second}: {inner}");
            }
        }
        assert!(
            vectors[0][..12].iter().all(|value| (value - 12.0_f32.sqrt().recip()).abs() < 1e-6)
        );
    }

    #[test]
    fn an_eighth_of_224_frequencies_are_28() {
        let grid = Grid { channels: 3, height: 224, width: 224 };
        assert_eq!(Basis::new(&Simba::dct_paper(), grid).len(), 3 * 28 * 28);
    }
}
