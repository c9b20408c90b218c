//! Pixel deflection.
//!
//! Prakash, Moran, Garber, `DiLillo`, Storer. *Deflecting Adversarial Attacks with Pixel
//! Deflection.* CVPR 2018. <https://arxiv.org/abs/1801.08926>
use burn::prelude::*;
use duress_core::{Domain, Result};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::wavelet::{WaveletDenoising, shrink};
use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Replaces random pixels by random neighbours, then denoises by wavelets.
///
/// Pixels are drawn evenly; the paper also weights them by an activation map of the network, which
/// is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PixelDeflection {
    /// Pixels replaced, as a share of all, rounded up: the paper's 200 of a picture of 224 by 224.
    pub share: f64,
    /// How many pixels away a neighbour may be, along each axis.
    pub window: usize,
    /// Standard deviation of the noise that the wavelet denoising assumes, for values in `[0, 1]`;
    /// 0 for no denoising.
    pub sigma: f64,
}

impl Default for PixelDeflection {
    fn default() -> Self {
        Self { share: 200.0 / (224.0 * 224.0), window: 10, sigma: 0.04 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "pixel-deflection",
    summary: "random pixels take the place of their neighbours, then wavelet denoising",
    reference: "arXiv:1801.08926",
    defaults: defaults::<PixelDeflection>,
    parse: transformation::<PixelDeflection>,
};

impl Transformation for PixelDeflection {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        in_range(ENTRY.name, "share", self.share, 0.0..=10.0, "between 0 and 10")?;
        in_range(ENTRY.name, "sigma", self.sigma, 0.0.., "at least 0")?;
        if self.window == 0 {
            return wrong(ENTRY.name, "window", "at least 1", self.window);
        }
        Ok(())
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let shape = domain.image_shape()?;
        Ok(Box::new(Deflection { shape, within: UnitBox::of(domain), settings: self.clone() }))
    }
}

struct Deflection {
    shape: [usize; 3],
    within: UnitBox,
    settings: PixelDeflection,
}

impl Mapping for Deflection {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let [_, height, width] = self.shape;
        let denoising = WaveletDenoising { sigma: Some(self.settings.sigma), ..Default::default() };
        by_row(rows, draws, |row, generator| {
            self.deflect(row, generator);
            self.within.within(row, |row| {
                for plane in row.chunks_mut(height * width) {
                    shrink(plane, [height, width], &denoising);
                }
            });
        })
    }
}

impl Deflection {
    fn deflect(&self, row: &mut [f32], generator: &mut dyn Rng) {
        let [_, height, width] = self.shape;
        let count = (self.settings.share * (height * width) as f64 - 1e-9).ceil() as usize;
        for _ in 0..count {
            let mut near = |size: usize| {
                let place = generator.random_range(0..size);
                let low = place.saturating_sub(self.settings.window);
                let high = place.saturating_add(self.settings.window).min(size - 1);
                (place, generator.random_range(low..=high))
            };
            let ((y, other_y), (x, other_x)) = (near(height), near(width));
            for plane in row.chunks_mut(height * width) {
                plane[y * width + x] = plane[other_y * width + other_x];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// A pixel holds its own number; neighbours are at most `window` away, in all planes alike.
    #[test]
    fn pixels_come_from_their_window_in_all_planes_alike() {
        let domain = Domain::image(2, 9, 9).unwrap();
        let settings = PixelDeflection { share: 1.0, window: 1, sigma: 0.0 };
        let mapping = settings.prepare(&domain).unwrap();
        // Pixels that move twice could go further: few are drawn twice, so look one by one.
        let one = PixelDeflection { share: 1.0 / 81.0, ..settings };
        let single = one.prepare(&domain).unwrap();
        let values: Vec<f32> = (0..162).map(|at| (at % 81) as f32 / 80.0).collect();
        let rows = || Tensor::from_data(TensorData::new(values.clone(), [1, 162]), &Device::flex());
        let mut changed = 0;
        for draw in 0..50 {
            let got = floats(single.apply(rows(), &Draws::shared(draw))).unwrap();
            for at in (0..81).filter(|&at| (got[at] - values[at]).abs() > 1e-6) {
                let from = (got[at] * 80.0).round() as usize;
                assert!((at / 9).abs_diff(from / 9) <= 1 && (at % 9).abs_diff(from % 9) <= 1);
                assert!((got[at] - got[81 + at]).abs() < 1e-6);
                changed += 1;
            }
        }
        assert!((25..=50).contains(&changed), "{changed}");
        assert_ne!(floats(mapping.apply(rows(), &Draws::shared(0))).unwrap(), values);
    }
}
