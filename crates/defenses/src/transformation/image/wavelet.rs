//! Wavelet denoising.
//!
//! Chang, Yu, Vetterli. *Adaptive Wavelet Thresholding for Image Denoising and Compression.* IEEE
//! Trans. Image Process. 9 (2000), §III (`BayesShrink`). <https://doi.org/10.1109/83.862633>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use super::haar::{analyse, synthesise};
use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Shrinks the Haar wavelet coefficients of each plane towards 0, each band by the threshold
/// `σ² / σₓ` of its own: `σ²` is the variance of the noise, `σₓ²` that of the signal in the band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaveletDenoising {
    /// Levels of the transform; those that a picture is too small for are left out.
    pub levels: usize,
    /// Standard deviation of the noise for values in `[0, 1]`; missing, the median of the finest
    /// diagonal coefficients over 0.6745.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
}

impl Default for WaveletDenoising {
    fn default() -> Self {
        Self { levels: 4, sigma: None }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "wavelet-denoising",
    summary: "soft thresholds on wavelet coefficients (BayesShrink)",
    reference: "doi:10.1109/83.862633",
    defaults: defaults::<WaveletDenoising>,
    parse: transformation::<WaveletDenoising>,
};

impl Transformation for WaveletDenoising {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        if !(1..=16).contains(&self.levels) {
            return wrong(ENTRY.name, "levels", "between 1 and 16", self.levels);
        }
        in_range(ENTRY.name, "sigma", self.sigma.unwrap_or(0.0), 0.0.., "at least 0")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [_, height, width] = domain.image_shape()?;
        let within = UnitBox::of(domain);
        Ok(Box::new(Shrinkage { plane: [height, width], within, settings: self.clone() }))
    }
}

struct Shrinkage {
    plane: [usize; 2],
    within: UnitBox,
    settings: WaveletDenoising,
}

impl Mapping for Shrinkage {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let [height, width] = self.plane;
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| {
                for plane in row.chunks_mut(height * width) {
                    shrink(plane, self.plane, &self.settings);
                }
            });
        })
    }
}

/// `BayesShrink` of one plane of values in `[0, 1]`.
pub(super) fn shrink(plane: &mut [f32], size: [usize; 2], settings: &WaveletDenoising) {
    let mut values: Vec<f64> = plane.iter().map(|&value| f64::from(value)).collect();
    let bands = analyse(&mut values, size, settings.levels);
    let Some(finest) = bands.first() else { return };
    let sigma = settings.sigma.unwrap_or_else(|| {
        let mut sizes: Vec<f64> =
            finest.diagonal(size[1]).map(|index| values[index].abs()).collect();
        median(&mut sizes) / 0.6745
    });
    for band in &bands {
        for part in band.parts(size[1]) {
            let squares: f64 = part.iter().map(|&index| values[index].powi(2)).sum();
            let signal = (squares / part.len().max(1) as f64 - sigma * sigma).max(0.0).sqrt();
            // No signal: nothing of the band is left.
            let threshold = if signal > 0.0 { sigma * sigma / signal } else { f64::INFINITY };
            if sigma == 0.0 {
                continue;
            }
            for index in part {
                let value = values[index];
                values[index] = (value.abs() - threshold).max(0.0).copysign(value);
            }
        }
    }
    synthesise(&mut values, size, settings.levels);
    for (to, value) in plane.iter_mut().zip(values) {
        *to = value as f32;
    }
}

/// The middle value, the lower of the two of an even count; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_noise_nothing_changes() {
        let plane: Vec<f32> = (0..35).map(|at| (at * 13 % 35) as f32 / 35.0).collect();
        let mut got = plane.clone();
        shrink(&mut got, [5, 7], &WaveletDenoising { levels: 4, sigma: Some(0.0) });
        assert!(got.iter().zip(&plane).all(|(got, was)| (got - was).abs() < 1e-6));
    }

    #[test]
    fn noise_far_above_the_signal_leaves_the_mean() {
        let plane: Vec<f32> = (0..64).map(|at| (at * 37 % 64) as f32 / 64.0).collect();
        let mut got = plane.clone();
        shrink(&mut got, [8, 8], &WaveletDenoising { levels: 3, sigma: Some(10.0) });
        let mean = plane.iter().sum::<f32>() / 64.0;
        assert!(got.iter().all(|value| (value - mean).abs() < 1e-6));
    }

    /// One checkerboard of amplitude `a` on a flat picture has diagonal coefficients `±2a`.
    #[test]
    fn a_band_is_shrunk_by_its_own_threshold() {
        let plane: Vec<f32> =
            (0..16).map(|at| if (at / 4 + at) % 2 == 0 { 0.7 } else { 0.3 }).collect();
        let mut got = plane.clone();
        shrink(&mut got, [4, 4], &WaveletDenoising { levels: 1, sigma: Some(0.2) });
        let signal = (0.16_f64 - 0.04).sqrt();
        let left = (0.4 - 0.04 / signal) / 2.0;
        assert!((f64::from(got[0]) - (0.5 + left)).abs() < 1e-6, "{} {left}", got[0]);
    }
}
