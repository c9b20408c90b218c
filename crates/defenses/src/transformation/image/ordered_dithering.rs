//! Ordered dithering.
//!
//! Bayer. *An optimum method for two-level rendition of continuous-tone pictures.* ICC 1973.
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Rounds each value to one of `levels`, up or down by a threshold that depends on the pixel's
/// place: Bayer's matrix, repeated over each plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderedDithering {
    /// Values left in each plane, 2 to 256.
    pub levels: u32,
    /// Side of the matrix: 2, 4, 8 or 16.
    pub matrix: usize,
}

impl Default for OrderedDithering {
    fn default() -> Self {
        Self { levels: 2, matrix: 8 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ordered-dithering",
    summary: "rounding by thresholds that depend on the place (Bayer)",
    reference: "Bayer, ICC 1973",
    defaults: defaults::<OrderedDithering>,
    parse: transformation::<OrderedDithering>,
};

impl Transformation for OrderedDithering {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        if !(2..=256).contains(&self.levels) {
            return wrong(ENTRY.name, "levels", "between 2 and 256", self.levels);
        }
        if ![2, 4, 8, 16].contains(&self.matrix) {
            return wrong(ENTRY.name, "matrix", "2, 4, 8 or 16", self.matrix);
        }
        Ok(())
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [_, height, width] = domain.image_shape()?;
        let cells = bayer(self.matrix);
        let threshold = |place: usize| {
            let (y, x) = (place / width % height, place % width);
            let rank = cells[y % self.matrix * self.matrix + x % self.matrix];
            (rank as f32 + 0.5) / cells.len() as f32
        };
        Ok(Box::new(Thresholds {
            within: UnitBox::of(domain),
            steps: (self.levels - 1) as f32,
            each: (0..domain.features()).map(threshold).collect(),
        }))
    }
}

/// Bayer's matrix of `side` (a power of two), row-major: each rank from 0 to `side² − 1` once.
#[must_use]
pub fn bayer(side: usize) -> Vec<usize> {
    let rank = |y: usize, x: usize| {
        let (mut rank, mut bit) = (0, 1);
        while bit < side {
            let (down, right) = (usize::from(y & bit != 0), usize::from(x & bit != 0));
            // The order of a block of four: 0 2 / 3 1. The lowest bit of a place counts most.
            rank = rank * 4 + 2 * (down ^ right) + down;
            bit *= 2;
        }
        rank
    };
    (0..side * side).map(|cell| rank(cell / side, cell % side)).collect()
}

struct Thresholds {
    within: UnitBox,
    steps: f32,
    /// One a feature.
    each: Vec<f32>,
}

impl Mapping for Thresholds {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| {
                for (value, threshold) in row.iter_mut().zip(&self.each) {
                    let place = *value * self.steps;
                    let up = f32::from(u8::from(place - place.floor() > *threshold));
                    *value = (place.floor() + up) / self.steps;
                }
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn the_matrices_are_those_of_the_paper() {
        assert_eq!(bayer(2), [0, 2, 3, 1]);
        assert_eq!(bayer(4), [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5]);
        let mut all = bayer(8);
        all.sort_unstable();
        assert_eq!(all, (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn a_grey_lights_its_share_of_the_pixels_and_levels_stay() {
        let domain = Domain::image(1, 4, 4).unwrap();
        let settings = OrderedDithering { levels: 2, matrix: 4 };
        let mapping = settings.prepare(&domain).unwrap();
        let lit = |grey: f32| {
            let rows = Tensor::<2>::full([1, 16], grey, &Device::flex());
            floats(mapping.apply(rows, &Draws::shared(0))).unwrap().iter().sum::<f32>()
        };
        for (grey, expected) in [(0.0, 0.0), (0.25, 4.0), (0.5, 8.0), (1.0, 16.0)] {
            assert!((lit(grey) - expected).abs() < 1e-6, "{grey}: {}", lit(grey));
        }
        assert!(OrderedDithering { levels: 2, matrix: 3 }.check(&domain).is_err());
    }
}
