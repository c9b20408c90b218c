//! Rotation, scale and shift of pictures.
use burn::prelude::*;

use super::{grid, sample_bilinear};

/// How each sample's picture moves; every field `[N, 1]`.
#[derive(Clone, Debug)]
pub struct Affine {
    /// Counter-clockwise about the centre, in radians.
    pub angle: Tensor<2>,
    /// Factor of size about the centre, positive.
    pub scale: Tensor<2>,
    /// Shift down, in pixels.
    pub down: Tensor<2>,
    /// Shift to the right, in pixels.
    pub right: Tensor<2>,
}

impl Affine {
    /// The motion that leaves `count` pictures where they are.
    #[must_use]
    pub fn none(count: usize, device: &Device) -> Self {
        let zero = Tensor::zeros([count, 1], device);
        Self { angle: zero.clone(), scale: zero.ones_like(), down: zero.clone(), right: zero }
    }
}

/// The pictures `[N, C · H · W]`, turned and scaled about their centres, then shifted: bilinear,
/// zeros where nothing was.
#[must_use]
pub fn warp_affine(rows: Tensor<2>, shape: [usize; 3], motion: &Affine) -> Tensor<2> {
    let [_, height, width] = shape;
    let (middle_y, middle_x) = ((height - 1) as f64 / 2.0, (width - 1) as f64 / 2.0);
    let (y, x) = grid([height, width], &rows.device().inner());
    let Affine { angle, scale, down, right } = motion.clone();
    // Where the pixel was before it moved: shift, turn and scale undone.
    let (y, x) = (y - middle_y - down, x - middle_x - right);
    let (sine, cosine) = (angle.clone().sin(), angle.cos());
    let was_x = (x.clone() * cosine.clone() - y.clone() * sine.clone()) / scale.clone();
    let was_y = (x * sine + y * cosine) / scale;
    sample_bilinear(rows, shape, was_y + middle_y, was_x + middle_x)
}

/// The pictures `[N, C · H · W]`, turned counter-clockwise about their centres by `angle` `[N, 1]`
/// radians.
#[must_use]
pub fn rotate(rows: Tensor<2>, shape: [usize; 3], angle: Tensor<2>) -> Tensor<2> {
    let device = angle.device().inner();
    let motion = Affine { angle, ..Affine::none(rows.dims()[0], &device) };
    warp_affine(rows, shape, &motion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{host::floats, pull_back};
    use std::f32::consts::FRAC_PI_2;

    fn row(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
    }

    fn close(got: Tensor<2>, expected: &[f32]) {
        for (got, expected) in floats(got).unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-4, "{got} {expected}");
        }
    }

    const NINE: [f32; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];

    /// The right column becomes the top row.
    #[test]
    fn a_quarter_turn_by_hand() {
        let got = rotate(row(&NINE), [1, 3, 3], row(&[FRAC_PI_2]));
        close(got, &[3.0, 6.0, 9.0, 2.0, 5.0, 8.0, 1.0, 4.0, 7.0]);
    }

    #[test]
    fn shift_and_scale_by_hand() {
        let shifted = Affine { down: row(&[1.0]), right: row(&[-0.5]), ..still() };
        let expected = [0.0, 0.0, 0.0, 1.5, 2.5, 1.5, 4.5, 5.5, 3.0];
        close(warp_affine(row(&NINE), [1, 3, 3], &shifted), &expected);
        let larger = Affine { scale: row(&[2.0]), ..still() };
        let expected = [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0];
        close(warp_affine(row(&NINE), [1, 3, 3], &larger), &expected);
    }

    fn still() -> Affine {
        Affine::none(1, &Device::flex())
    }

    #[test]
    fn each_sample_turns_by_itself() {
        let rows = Tensor::cat(vec![row(&NINE), row(&NINE)], 0);
        let angle = Tensor::<2>::from_data([[0.0], [2.0 * FRAC_PI_2]], &Device::flex());
        let mut expected = NINE.to_vec();
        expected.extend(NINE.iter().rev());
        close(rotate(rows, [1, 3, 3], angle), &expected);
    }

    /// Central differences at an angle where no pixel sits on a whole coordinate.
    #[test]
    fn the_slope_by_the_angle_is_that_of_differences() {
        let cotangent = row(&[0.3, -0.2, 0.5, 0.1, 0.9, -0.7, 0.2, 0.4, -0.1]);
        let at = |angle: f32| {
            let turned = rotate(row(&NINE), [1, 3, 3], row(&[angle]));
            floats((turned * cotangent.clone()).sum_dim(1)).unwrap()[0]
        };
        let through = |angle: Tensor<2>| rotate(row(&NINE), [1, 3, 3], angle);
        let got = floats(pull_back(row(&[0.3]), through, cotangent.clone()).unwrap()).unwrap()[0];
        let expected = (at(0.301) - at(0.299)) / 0.002;
        assert!((got - expected).abs() < 2e-2, "{got} {expected}");
    }
}
