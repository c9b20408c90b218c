//! Median smoothing.
//!
//! Xu, Evans, Qi. *Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks.*
//! NDSS 2018, §III.B. <https://arxiv.org/abs/1704.01155>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{by_row, mirrored};
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Each pixel becomes the median of the square window around it, plane by plane; the border is
/// mirrored.
///
/// An even window reaches one pixel further up and left, and takes the upper of the two middle
/// values, as the paper's code does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MedianSmoothing {
    /// Side of the window in pixels, at least 1 and no more than the picture's shorter side.
    pub window: usize,
}

impl Default for MedianSmoothing {
    fn default() -> Self {
        Self { window: 2 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "median-smoothing",
    summary: "the median of each pixel's window (feature squeezing)",
    reference: "arXiv:1704.01155",
    defaults: defaults::<MedianSmoothing>,
    parse: transformation::<MedianSmoothing>,
};

impl Transformation for MedianSmoothing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        let [_, height, width] = domain.image_shape()?;
        if (1..=height.min(width)).contains(&self.window) {
            return Ok(());
        }
        let expected = "at least 1 and no more than the picture's shorter side";
        wrong(ENTRY.name, "window", expected, self.window)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [_, height, width] = domain.image_shape()?;
        Ok(Box::new(Median { plane: [height, width], window: self.window }))
    }
}

struct Median {
    plane: [usize; 2],
    window: usize,
}

impl Mapping for Median {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let [height, width] = self.plane;
        by_row(rows, draws, |row, _| {
            for plane in row.chunks_mut(height * width) {
                let smooth = median(plane, self.plane, self.window);
                plane.copy_from_slice(&smooth);
            }
        })
    }
}

/// The medians of all windows of a plane.
fn median(plane: &[f32], [height, width]: [usize; 2], window: usize) -> Vec<f32> {
    let before = (window / 2) as isize;
    let mut values = vec![0.0; window * window];
    let mut smooth = Vec::with_capacity(plane.len());
    for y in 0..height {
        for x in 0..width {
            for (place, value) in values.iter_mut().enumerate() {
                let (down, right) = ((place / window) as isize, (place % window) as isize);
                let from =
                    mirrored(y, down - before, height) * width + mirrored(x, right - before, width);
                *value = plane[from];
            }
            let (_, middle, _) = values.select_nth_unstable_by(window * window / 2, f32::total_cmp);
            smooth.push(*middle);
        }
    }
    smooth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_window_of_nine_and_the_mirrored_corners() {
        let plane = [1.0, 2.0, 3.0, 4.0, 9.0, 6.0, 7.0, 8.0, 5.0];
        let got = median(&plane, [3, 3], 3);
        assert_eq!(got[4].to_bits(), 5.0_f32.to_bits());
        // Corner: 1 1 2 1 1 2 4 4 9, sorted 1 1 1 1 2 2 4 4 9.
        assert_eq!(got[0].to_bits(), 2.0_f32.to_bits());
    }

    #[test]
    fn an_even_window_looks_up_and_left_and_takes_the_upper_middle() {
        let plane = [1.0, 2.0, 3.0, 4.0];
        // Last pixel: 1 2 3 4, upper middle 3. First pixel: itself four times.
        assert_eq!(median(&plane, [2, 2], 2), [1.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn salt_and_pepper_vanish_and_a_window_of_one_changes_nothing() {
        let mut plane = vec![0.5; 25];
        plane[12] = 1.0;
        plane[0] = 0.0;
        assert_eq!(median(&plane, [5, 5], 3), vec![0.5; 25]);
        assert_eq!(median(&plane, [5, 5], 1), plane);
    }
}
