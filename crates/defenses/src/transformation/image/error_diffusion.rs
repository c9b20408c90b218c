//! Dithering by error diffusion.
//!
//! Floyd, Steinberg. *An Adaptive Algorithm for Spatial Greyscale.* Proc. SID 17 (1976); as a
//! defence: Lo, Patel, *Error Diffusion Halftoning Against Adversarial Examples*, 2021.
//! <https://arxiv.org/abs/2101.09451>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Rounds each value to one of `levels` and hands the error on to the pixels that follow: 7/16 to
/// the right, 3/16, 5/16 and 1/16 below. Line by line from the left, plane by plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorDiffusion {
    /// Values left in each plane, 2 to 256.
    pub levels: u32,
}

impl Default for ErrorDiffusion {
    fn default() -> Self {
        Self { levels: 2 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "error-diffusion",
    summary: "dithering that hands errors on to the next pixels (Floyd-Steinberg)",
    reference: "arXiv:2101.09451",
    defaults: defaults::<ErrorDiffusion>,
    parse: transformation::<ErrorDiffusion>,
};

impl Transformation for ErrorDiffusion {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        if (2..=256).contains(&self.levels) {
            return Ok(());
        }
        wrong(ENTRY.name, "levels", "between 2 and 256", self.levels)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [_, height, width] = domain.image_shape()?;
        let steps = (self.levels - 1) as f32;
        Ok(Box::new(Diffusion { plane: [height, width], steps, within: UnitBox::of(domain) }))
    }
}

struct Diffusion {
    plane: [usize; 2],
    steps: f32,
    within: UnitBox,
}

impl Mapping for Diffusion {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let [height, width] = self.plane;
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| {
                row.chunks_mut(height * width).for_each(|plane| self.diffuse(plane));
            });
        })
    }
}

impl Diffusion {
    fn diffuse(&self, plane: &mut [f32]) {
        let [height, width] = self.plane;
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let level = ((plane[at] * self.steps).round() / self.steps).clamp(0.0, 1.0);
                let error = plane[at] - level;
                plane[at] = level;
                if x + 1 < width {
                    plane[at + 1] += error * (7.0 / 16.0);
                }
                if y + 1 < height {
                    let below = at + width;
                    if x > 0 {
                        plane[below - 1] += error * (3.0 / 16.0);
                    }
                    plane[below] += error * (5.0 / 16.0);
                    if x + 1 < width {
                        plane[below + 1] += error * (1.0 / 16.0);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diffused(mut plane: Vec<f32>, [height, width]: [usize; 2], levels: u32) -> Vec<f32> {
        let within = UnitBox::of(&Domain::image(1, height, width).unwrap());
        let steps = (levels - 1) as f32;
        Diffusion { plane: [height, width], steps, within }.diffuse(&mut plane);
        plane
    }

    /// 0.5 → 1, error −½: right 0.5 − 7/32 = 0.281 → 0, error 0.281. Below left
    /// 0.5 − 5/32 + 0.281 · 3/16 = 0.3965 → 0; below right
    /// 0.5 − 1/32 + 0.281 · 5/16 + 0.3965 · 7/16 = 0.730 → 1.
    #[test]
    fn errors_go_right_and_down_by_sixteenths() {
        assert_eq!(diffused(vec![0.5; 4], [2, 2], 2), [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_grey_keeps_its_mean_and_its_own_levels_are_fixed_points() {
        let got = diffused(vec![0.25; 64 * 64], [64, 64], 2);
        assert!(got.iter().all(|value| value.abs() < 1e-9 || (*value - 1.0).abs() < 1e-9));
        let mean = got.iter().sum::<f32>() / got.len() as f32;
        assert!((mean - 0.25).abs() < 0.01, "{mean}");
        assert_eq!(diffused(got.clone(), [64, 64], 2), got);
    }
}
