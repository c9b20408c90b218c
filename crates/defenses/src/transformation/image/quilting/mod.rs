//! Image quilting.
//!
//! Guo, Rana, Cissé, van der Maaten. *Countering Adversarial Images using Input Transformations.*
//! ICLR 2018, §4.3. <https://arxiv.org/abs/1711.00117>; the seams: Efros, Freeman, *Image Quilting
//! for Texture Synthesis and Transfer*, SIGGRAPH 2001. <https://doi.org/10.1145/383259.383296>
mod patches;
mod seam;

use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Domain, Error, Result};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

pub use patches::Patches;

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::by_row;
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, TrainingRows, Transformation};

/// Puts the picture together from patches of training pictures, each one of those most like what
/// stands in its place, with seams where overlapping patches differ least.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quilting {
    /// Side of a patch, at least 2 and no more than the picture's shorter side.
    pub patch: usize,
    /// Pixels that neighbouring patches share, fewer than a patch has.
    pub overlap: usize,
    /// Patches taken from the training samples. The paper takes 1,000,000 from `ImageNet`; each
    /// patch of a picture is compared with all of them.
    pub patches: usize,
    /// Of how many most similar patches one is drawn.
    pub neighbours: usize,
    /// Names the draw of the patches from the training samples.
    pub seed: u64,
    /// What the training samples gave.
    #[serde(skip)]
    pub database: Option<Arc<Patches>>,
}

impl Default for Quilting {
    fn default() -> Self {
        Self { patch: 5, overlap: 2, patches: 10_000, neighbours: 10, seed: 0, database: None }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "quilting",
    summary: "the picture from patches of training pictures",
    reference: "arXiv:1711.00117",
    defaults: defaults::<Quilting>,
    parse: transformation::<Quilting>,
};

impl Transformation for Quilting {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn is_random(&self) -> bool {
        self.neighbours > 1
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        self.check(data.domain())?;
        let shape = data.domain().image_shape()?;
        let patches = Patches::draw(data, shape, self.patch, self.patches, self.seed);
        Ok(Some(Box::new(Self { database: Some(Arc::new(patches)), ..self.clone() })))
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        let [_, height, width] = domain.image_shape()?;
        if !(2..=height.min(width)).contains(&self.patch) {
            let expected = "at least 2 and no more than the picture's shorter side";
            return wrong(ENTRY.name, "patch", expected, self.patch);
        }
        if self.overlap >= self.patch {
            return wrong(ENTRY.name, "overlap", "less than `patch`", self.overlap);
        }
        if self.patches == 0 {
            return wrong(ENTRY.name, "patches", "at least 1", self.patches);
        }
        if !(1..=self.patches).contains(&self.neighbours) {
            let expected = "at least 1 and no more than `patches`";
            return wrong(ENTRY.name, "neighbours", expected, self.neighbours);
        }
        Ok(())
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let Some(patches) = &self.database else {
            return Err(Error::NotFitted { algorithm: ENTRY.name });
        };
        let shape = domain.image_shape()?;
        if patches.shape() != [shape[0], self.patch] {
            let [channels, side] = patches.shape();
            return Err(Error::Shape {
                what: "patches of a quilt",
                expected: format!("{} planes and sides of {}", shape[0], self.patch),
                got: format!("{channels} planes and sides of {side}"),
            });
        }
        Ok(Box::new(Quilt { shape, patches: Arc::clone(patches), settings: self.clone() }))
    }
}

struct Quilt {
    shape: [usize; 3],
    patches: Arc<Patches>,
    settings: Quilting,
}

impl Mapping for Quilt {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, generator| {
            let quilt = self.quilt(row, generator);
            row.copy_from_slice(&quilt);
        })
    }
}

impl Quilt {
    fn quilt(&self, row: &[f32], generator: &mut dyn Rng) -> Vec<f32> {
        let [_, height, width] = self.shape;
        let mut quilt = row.to_vec();
        let (lines, columns) = (self.places(height), self.places(width));
        for (down, &y) in lines.iter().enumerate() {
            for (right, &x) in columns.iter().enumerate() {
                let wanted = self.cut(row, [y, x]);
                let near = self.patches.nearest(&wanted, self.settings.neighbours);
                let patch = self.patches.get(near[generator.random_range(0..near.len())]);
                // How much of what was laid before this patch covers.
                let shared = |place: usize, places: &[usize], at: usize| {
                    place.checked_sub(1).map_or(0, |b| places[b] + self.settings.patch - at)
                };
                let shared = [shared(down, &lines, y), shared(right, &columns, x)];
                self.lay(&mut quilt, patch, [y, x], shared);
            }
        }
        quilt
    }

    /// Where patches begin along an axis; the last one ends with it.
    fn places(&self, size: usize) -> Vec<usize> {
        let Quilting { patch, overlap, .. } = self.settings;
        let last = size - patch;
        (0..last).step_by(patch - overlap).chain([last]).collect()
    }

    /// The patch of a picture at `[y, x]`, planes first.
    fn cut(&self, row: &[f32], at: [usize; 2]) -> Vec<f32> {
        patches::cut(row, self.shape, self.settings.patch, at)
    }

    /// Lays a patch over the quilt, behind the seams on the `shared` lines and columns.
    fn lay(&self, quilt: &mut [f32], patch: &[f32], [y, x]: [usize; 2], shared: [usize; 2]) {
        let ([channels, height, width], side) = (self.shape, self.settings.patch);
        let before = self.cut(quilt, [y, x]);
        let cost = |line: usize, column: usize| {
            let place = line * side + column;
            let squares = (0..channels).map(|channel| {
                let at = channel * side * side + place;
                f64::from(patch[at] - before[at]).powi(2)
            });
            squares.sum()
        };
        let left = seam::columns(side, shared[1], cost);
        let top = seam::columns(side, shared[0], |line, column| cost(column, line));
        for channel in 0..channels {
            for line in 0..side {
                for column in 0..side {
                    if column >= left[line] && line >= top[column] {
                        let to = (channel * height + y + line) * width + x + column;
                        quilt[to] = patch[(channel * side + line) * side + column];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    fn quilted(settings: &Quilting, training: &[f32], row: &[f32]) -> Vec<f32> {
        let domain = Domain::image(1, 7, 7).unwrap();
        let data = TrainingRows::new(training, &domain).unwrap();
        let fitted = settings.fit(&data).unwrap().unwrap();
        let mapping = fitted.prepare(&domain).unwrap();
        let rows = Tensor::from_data(TensorData::new(row.to_vec(), [1, 49]), &Device::flex());
        floats(mapping.apply(rows, &Draws::shared(0))).unwrap()
    }

    /// 2000 draws of nine places: each patch of the picture is in the database.
    #[test]
    fn a_training_picture_is_its_own_quilt() {
        let picture: Vec<f32> = (0..49).map(|at| (at * 19 % 49) as f32 / 49.0).collect();
        let settings = Quilting { patches: 2000, neighbours: 1, ..Quilting::default() };
        assert_eq!(quilted(&settings, &picture, &picture), picture);
        let mut noisy = picture.clone();
        noisy.iter_mut().step_by(3).for_each(|value| *value = (*value - 0.02).max(0.0));
        assert_eq!(quilted(&settings, &picture, &noisy), picture);
    }

    #[test]
    fn wrong_sizes_and_a_missing_database_are_named() {
        let domain = Domain::image(1, 7, 7).unwrap();
        for settings in [
            Quilting { patch: 8, ..Quilting::default() },
            Quilting { overlap: 5, ..Quilting::default() },
            Quilting { neighbours: 0, ..Quilting::default() },
            Quilting { neighbours: 9, patches: 8, ..Quilting::default() },
        ] {
            assert!(settings.check(&domain).is_err(), "{settings:?}");
        }
        let error = Quilting::default().prepare(&domain).err().unwrap();
        assert_eq!(error, Error::NotFitted { algorithm: "quilting" });
    }
}
