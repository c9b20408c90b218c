//! Non-local means.
//!
//! Buades, Coll, Morel. *A non-local algorithm for image denoising.* CVPR 2005,
//! <https://doi.org/10.1109/CVPR.2005.38>; as a defence: Xu, Evans, Qi, *Feature Squeezing*,
//! NDSS 2018, §III.B. <https://arxiv.org/abs/1704.01155>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row, mirrored};
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Each pixel becomes the mean of the pixels near it, weighted by how alike the patches around
/// them are: `exp(−d² / h²)` with the mean squared difference `d²` of the patches, over all planes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NonLocalMeans {
    /// Side of the window that is searched, odd.
    pub search: usize,
    /// Side of a patch, odd.
    pub patch: usize,
    /// Filter strength `h`, as a share of the range of values: the paper's 4 of 255.
    pub strength: f64,
}

impl Default for NonLocalMeans {
    fn default() -> Self {
        Self { search: 13, patch: 3, strength: 4.0 / 255.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "non-local-means",
    summary: "means of pixels with similar surroundings (feature squeezing)",
    reference: "arXiv:1704.01155",
    defaults: defaults::<NonLocalMeans>,
    parse: transformation::<NonLocalMeans>,
};

impl Transformation for NonLocalMeans {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        for (field, side) in [("search", self.search), ("patch", self.patch)] {
            if side.is_multiple_of(2) || side > 99 {
                return wrong(ENTRY.name, field, "odd and at most 99", side);
            }
        }
        in_range(ENTRY.name, "strength", self.strength, f64::MIN_POSITIVE.., "above 0")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let shape = domain.image_shape()?;
        Ok(Box::new(Means { shape, within: UnitBox::of(domain), settings: self.clone() }))
    }
}

struct Means {
    shape: [usize; 3],
    within: UnitBox,
    settings: NonLocalMeans,
}

impl Mapping for Means {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| {
                let smooth = self.smooth(row);
                row.copy_from_slice(&smooth);
            });
        })
    }
}

impl Means {
    fn smooth(&self, row: &[f32]) -> Vec<f32> {
        let [channels, height, width] = self.shape;
        let (pixels, reach) = (height * width, (self.settings.search / 2) as isize);
        let mut total = vec![0.0_f64; row.len()];
        let mut weights = vec![0.0_f64; pixels];
        for down in -reach..=reach {
            for right in -reach..=reach {
                let shift = [down, right];
                for (pixel, sum) in weights.iter_mut().enumerate() {
                    let (y, x) = (pixel / width, pixel % width);
                    let weight = self.weight(row, [y, x], shift);
                    let from = mirrored(y, down, height) * width + mirrored(x, right, width);
                    *sum += weight;
                    for channel in 0..channels {
                        let value = f64::from(row[channel * pixels + from]);
                        total[channel * pixels + pixel] += weight * value;
                    }
                }
            }
        }
        // A pixel's own weight is 1: no sum is zero.
        let mean = |(index, sum): (usize, &f64)| (sum / weights[index % pixels]) as f32;
        total.iter().enumerate().map(mean).collect()
    }

    /// How alike the patches around a pixel and around the one `shift` away are.
    fn weight(&self, row: &[f32], [y, x]: [usize; 2], [down, right]: [isize; 2]) -> f64 {
        let [channels, height, width] = self.shape;
        let half = (self.settings.patch / 2) as isize;
        let mut squares = 0.0_f64;
        for channel in 0..channels {
            let plane = &row[channel * height * width..][..height * width];
            for dy in -half..=half {
                for dx in -half..=half {
                    let at = |sy: isize, sx: isize| {
                        plane[mirrored(y, dy + sy, height) * width + mirrored(x, dx + sx, width)]
                    };
                    squares += f64::from(at(0, 0) - at(down, right)).powi(2);
                }
            }
        }
        let size = channels * self.settings.patch * self.settings.patch;
        (-squares / size as f64 / self.settings.strength.powi(2)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(shape: [usize; 3], settings: NonLocalMeans) -> Means {
        let domain = Domain::image(shape[0], shape[1], shape[2]).unwrap();
        Means { shape, within: UnitBox::of(&domain), settings }
    }

    #[test]
    fn a_very_strong_filter_is_the_mean_of_the_window_and_a_very_weak_one_nothing() {
        let row: Vec<f32> = (0..9).map(|value| value as f32 / 8.0).collect();
        let strong = NonLocalMeans { search: 3, patch: 1, strength: 1e9 };
        let got = means([1, 3, 3], strong).smooth(&row);
        assert!((got[4] - 0.5).abs() < 1e-6, "{}", got[4]);
        let weak = NonLocalMeans { search: 3, patch: 1, strength: 1e-3 };
        assert_eq!(means([1, 3, 3], weak).smooth(&row), row);
    }

    #[test]
    fn a_step_edge_keeps_its_two_sides() {
        let row: Vec<f32> = (0..64).map(|at| if at % 8 < 4 { 0.2 } else { 0.8 }).collect();
        let got = means([1, 8, 8], NonLocalMeans::default()).smooth(&row);
        assert!(got.iter().zip(&row).all(|(got, was)| (got - was).abs() < 1e-4), "{got:?}");
    }
}
