//! Where a patch lies on a picture: drawn for each sample from its own stream.
use burn::prelude::*;
use duress_core::GradientJob;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// The outline of a patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchShape {
    /// A disc, as wide as the patch.
    #[default]
    Circle,
    /// The whole square.
    Square,
}

/// What placements are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Placements {
    /// Outline of the patch.
    pub(super) shape: PatchShape,
    /// Width of the patch on the picture at scale 1, in pixels.
    pub(super) width: f64,
    /// Smallest and largest scale.
    pub(super) scale: [f64; 2],
    /// Largest angle to either side, in degrees.
    pub(super) rotation: f64,
    /// Largest relative change of the brightness.
    pub(super) brightness: f64,
    /// `[height, width]` of the picture.
    pub(super) picture: [usize; 2],
    /// Pixels along a side of the patch itself.
    pub(super) resolution: usize,
}

/// One placement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// Width of the patch on the picture, in pixels.
    width: f64,
    sine: f64,
    cosine: f64,
    /// Row and column of the patch's middle.
    middle: [f64; 2],
    /// Factor of the patch's values above black.
    brightness: f64,
}

impl Placements {
    /// A scale, an angle, a place at which the upright patch lies inside the picture, and a
    /// brightness, all uniform.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Placement {
        let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        let width = self.width * between(self.scale[0], self.scale[1]);
        let (sine, cosine) = between(-self.rotation, self.rotation).to_radians().sin_cos();
        let middle = self.picture.map(|side| {
            // The picture covers half a pixel around the middles of its outermost ones.
            let slack = (side as f64 - width).max(0.0);
            (side as f64 - 1.0) / 2.0 + between(-slack / 2.0, slack / 2.0)
        });
        let brightness = between(1.0 - self.brightness, 1.0 + self.brightness);
        Placement { width, sine, cosine, middle, brightness }
    }

    /// Where pixel `(y, x)` of the picture lies in the patch, in the patch's pixels; `None` outside
    /// its outline. A pixel belongs to the patch if its middle does.
    pub(super) fn place(&self, placement: &Placement, y: usize, x: usize) -> Option<[f64; 2]> {
        let Placement { width, sine, cosine, middle, .. } = placement;
        let (y, x) = ((y as f64 - middle[0]) / width, (x as f64 - middle[1]) / width);
        let at = [sine * x + cosine * y, cosine * x - sine * y];
        let inside = match self.shape {
            PatchShape::Circle => at[0] * at[0] + at[1] * at[1] <= 0.25,
            PatchShape::Square => at[0].abs() <= 0.5 && at[1].abs() <= 0.5,
        };
        let last = self.resolution as f64 - 1.0;
        let pixel = |at: f64| ((at + 0.5) * self.resolution as f64 - 0.5).clamp(0.0, last);
        inside.then(|| at.map(pixel))
    }

    /// The placements of the `draw`-th draw of each active sample.
    pub(super) fn maps(&self, job: &GradientJob<'_>, draw: u32) -> Maps {
        let [height, width] = self.picture;
        // The same stream each time, so the same placement.
        let plane = |value: &(dyn Fn(&Placement, usize, usize) -> f64 + Sync)| {
            let drawn = job.draw(draw, |rng, row| {
                let placement = self.draw(rng);
                for (pixel, cell) in row.iter_mut().take(height * width).enumerate() {
                    *cell = value(&placement, pixel / width, pixel % width) as f32;
                }
            });
            drawn.narrow(1, 0, height * width)
        };
        let row = plane(&|placement, y, x| self.place(placement, y, x).map_or(OUTSIDE, |at| at[0]));
        Maps {
            column: plane(&|placement, y, x| self.place(placement, y, x).map_or(0.0, |at| at[1])),
            brightness: plane(&|placement, _, _| placement.brightness),
            inside: row.clone().greater_equal_elem(0.0).float(),
            row: row.clamp_min(0.0),
        }
    }
}

/// In place of a row of the patch, for a pixel that it does not cover.
const OUTSIDE: f64 = -1.0;

/// One placement a sample, pixel by pixel of the picture: `[N, H·W]` each.
pub(super) struct Maps {
    /// Row in the patch, from 0 to its resolution less one.
    pub(super) row: Tensor<2>,
    /// Column in the patch.
    pub(super) column: Tensor<2>,
    /// One where the patch covers the picture.
    pub(super) inside: Tensor<2>,
    /// The factor of brightness.
    pub(super) brightness: Tensor<2>,
}

impl Maps {
    /// What each sample's placement shows of a patch `[C, R·R]`, bilinearly: `[N, C, H·W]`.
    pub(super) fn sample(&self, patch: Tensor<2>, resolution: usize) -> Tensor<3> {
        let [count, pixels] = self.row.dims();
        let channels = patch.dims()[0];
        let last = resolution as f64 - 1.0;
        let (above, before) = (self.row.clone().floor(), self.column.clone().floor());
        let (dy, dx) = (self.row.clone() - above.clone(), self.column.clone() - before.clone());
        let below = (above.clone() + 1.0).clamp_max(last);
        let after = (before.clone() + 1.0).clamp_max(last);
        let corner = |y: &Tensor<2>, x: &Tensor<2>, weight: Tensor<2>| {
            let index = y.clone().int() * resolution as i64 + x.clone().int();
            let values = patch.clone().select(1, index.reshape([count * pixels]));
            let weight = weight.reshape([1, count * pixels]);
            values * if patch.is_autodiff() { weight.autodiff() } else { weight }
        };
        let (up, left) = (dy.clone().neg() + 1.0, dx.clone().neg() + 1.0);
        let shown = corner(&above, &before, up.clone() * left.clone())
            + corner(&above, &after, up * dx.clone())
            + corner(&below, &before, dy.clone() * left)
            + corner(&below, &after, dy * dx);
        shown.reshape([channels, count, pixels]).swap_dims(0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;
    use duress_core::{Seed, Use, pull_back};

    fn placements(shape: PatchShape) -> Placements {
        Placements {
            shape,
            width: 40.0,
            scale: [0.1, 1.0],
            rotation: 22.5,
            brightness: 0.2,
            picture: [60, 50],
            resolution: 9,
        }
    }

    fn area(placements: &Placements, placement: &Placement) -> f64 {
        let [height, width] = placements.picture;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        pixels.filter(|&(y, x)| placements.place(placement, y, x).is_some()).count() as f64
    }

    /// A disc of the drawn width, whole: its area within the pixels that its rim crosses.
    #[test]
    fn a_disc_lies_inside_the_picture_with_its_area_and_its_middle() {
        let placements = placements(PatchShape::Circle);
        for draw in 0..200 {
            let placement = placements.draw(&mut Seed(1).stream(draw, 0, 0, Use::Step));
            let expected = std::f64::consts::FRAC_PI_4 * placement.width.powi(2);
            let rim = std::f64::consts::PI * placement.width;
            let got = area(&placements, &placement);
            assert!((got - expected).abs() <= rim, "{got} {expected}");
            let [y, x] = placement.middle.map(|middle| middle.round() as usize);
            if placement.width > 2.0 {
                let [row, column] = placements.place(&placement, y, x).unwrap();
                assert!((row - 4.0).abs() <= 2.3 && (column - 4.0).abs() <= 2.3, "{row} {column}");
            }
            let half = placement.width / 2.0;
            for (middle, side) in placement.middle.iter().zip(placements.picture) {
                assert!(middle - half >= -0.5 - 1e-9 && middle + half <= side as f64 - 0.5 + 1e-9);
            }
            assert!((4.0..=40.0).contains(&placement.width));
            assert!((0.8..=1.2).contains(&placement.brightness));
            assert!(placement.cosine >= 22.5_f64.to_radians().cos() - 1e-12);
        }
    }

    /// Upright and of a whole number of pixels: as many pixels, exactly.
    #[test]
    fn an_upright_square_covers_its_pixels_exactly() {
        let mut placements = placements(PatchShape::Square);
        placements.rotation = 0.0;
        placements.scale = [0.5, 0.5];
        placements.resolution = 20;
        placements.picture = [20, 20];
        let placement = placements.draw(&mut Seed(2).stream(0, 0, 0, Use::Step));
        assert!((area(&placements, &placement) - 400.0).abs() < 0.5);
        for (y, x) in [(0, 0), (3, 17), (19, 19)] {
            let [row, column] = placements.place(&placement, y, x).unwrap();
            assert!((row - y as f64).abs() < 1e-9 && (column - x as f64).abs() < 1e-9);
        }
    }

    /// Two samples of four pixels on a patch of 3 × 3, whose values are their places.
    fn maps() -> Maps {
        let tensor = |values: [[f32; 4]; 2]| Tensor::<2>::from_data(values, &Device::flex());
        Maps {
            row: tensor([[0.0, 0.5, 2.0, 1.25], [1.0, 1.0, 0.75, 2.0]]),
            column: tensor([[0.0, 1.5, 2.0, 0.25], [1.0, 1.0, 0.5, 0.0]]),
            inside: tensor([[1.0; 4]; 2]),
            brightness: tensor([[1.0; 4]; 2]),
        }
    }

    #[test]
    fn a_ramp_is_sampled_at_its_places() {
        let rows: Vec<f32> = (0..9).map(|pixel| (pixel / 3) as f32).collect();
        let columns: Vec<f32> = (0..9).map(|pixel| (pixel % 3) as f32).collect();
        let values = TensorData::new([rows, columns].concat(), [2, 9]);
        let got = maps().sample(Tensor::from_data(values, &Device::flex()), 3);
        let got = floats(got).unwrap();
        let expected = [maps().row, maps().column].map(|places| floats(places).unwrap());
        for sample in 0..2 {
            for (channel, expected) in expected.iter().enumerate() {
                let at = (sample * 2 + channel) * 4;
                for (got, expected) in got[at..at + 4].iter().zip(&expected[sample * 4..]) {
                    assert!((got - expected).abs() < 1e-6, "{got} {expected}");
                }
            }
        }
    }

    /// `⟨sample(p), c⟩ = ⟨p, pull_back(c)⟩`, though two places of one pixel meet.
    #[test]
    fn a_slope_comes_back_to_each_pixel_of_the_patch_from_all_places() {
        let device = Device::flex();
        let wave = |count: usize, pace: f32, shape: [usize; 2]| {
            let values: Vec<f32> = (0..count).map(|index| (index as f32 * pace).sin()).collect();
            Tensor::<2>::from_data(TensorData::new(values, shape), &device)
        };
        let (patch, cotangent) = (wave(9, 0.7, [1, 9]), wave(8, 1.3, [2, 4]));
        let through = |patch: Tensor<2>| maps().sample(patch, 3).reshape([2, 4]);
        let slope = pull_back(patch.clone(), through, cotangent.clone()).unwrap();
        let inner = |a: Tensor<2>, b: Tensor<2>| floats((a * b).sum()).unwrap()[0];
        let (there, back) = (inner(through(patch.clone()), cotangent), inner(patch, slope));
        assert!((there - back).abs() < 1e-5, "{there} {back}");
    }
}
