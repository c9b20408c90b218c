//! Pictures of other sizes.
use burn::prelude::*;

use super::{grid, sample_bilinear};

/// Where each sample's picture goes on a canvas, and how large. Whole numbers of pixels, `[N, 1]`.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Rows of the resized picture.
    pub height: Tensor<2>,
    /// Columns of the resized picture.
    pub width: Tensor<2>,
    /// Empty rows above it.
    pub top: Tensor<2>,
    /// Empty columns to its left.
    pub left: Tensor<2>,
}

/// The pictures `[N, C · H · W]`, each resized and set on a canvas of zeros of `[height, width]`
/// pixels.
///
/// Bilinear, the corners of the pictures in the same place (half-pixel centres), no smoothing
/// before a reduction. Without a change of size the pixels keep their bits.
#[must_use]
pub fn place_resized(
    rows: Tensor<2>,
    shape: [usize; 3],
    canvas: [usize; 2],
    placement: &Placement,
) -> Tensor<2> {
    let (y, x) = grid(canvas, &rows.device().inner());
    let y = source(y, shape[1], &placement.height, &placement.top);
    let x = source(x, shape[2], &placement.width, &placement.left);
    sample_bilinear(rows, shape, y, x)
}

/// The pictures `[N, C · H · W]` with `[height, width]` pixels.
#[must_use]
pub fn resize_bilinear(rows: Tensor<2>, shape: [usize; 3], to: [usize; 2]) -> Tensor<2> {
    let all =
        |value: usize| Tensor::<2>::full([rows.dims()[0], 1], value as f64, &rows.device().inner());
    let placement = Placement { height: all(to[0]), width: all(to[1]), top: all(0), left: all(0) };
    place_resized(rows, shape, to, &placement)
}

/// The pictures `[N, C · H · W]` with `[top, bottom, left, right]` rows and columns of zeros
/// around.
#[must_use]
pub fn zero_pad(
    rows: Tensor<2>,
    [channels, height, width]: [usize; 3],
    [top, bottom, left, right]: [usize; 4],
) -> Tensor<2> {
    let count = rows.dims()[0];
    let empty = |height: usize, width: usize| {
        Tensor::<4>::zeros([count, channels, height, width], &rows.device())
    };
    let picture = rows.clone().reshape([count, channels, height, width]);
    let tall = Tensor::cat(vec![empty(top, width), picture, empty(bottom, width)], 2);
    let all = height + top + bottom;
    let whole = Tensor::cat(vec![empty(all, left), tall, empty(all, right)], 3);
    whole.reshape([count, channels * all * (width + left + right)])
}

/// Where the pixels `at` `[1, P]` of an axis come from, among `size` pixels: `[N, P]`; before all
/// of them where the canvas is empty.
fn source(at: Tensor<2>, size: usize, resized: &Tensor<2>, offset: &Tensor<2>) -> Tensor<2> {
    let inner = at - offset.clone();
    let outside =
        inner.clone().lower_elem(0.0).bool_or(inner.clone().greater_equal(resized.clone()));
    let ratio = resized.clone().recip() * size as f64;
    let place = (inner + 0.5) * ratio - 0.5;
    place.clamp(0.0, (size - 1) as f64).mask_fill(outside, -2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{host::floats, pull_back};

    fn row(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
    }

    fn close(got: Tensor<2>, expected: &[f32]) {
        let got = floats(got).unwrap();
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    /// Two columns to four: places −¼ (held at 0), ¼, ¾, 1¼ (held at 1).
    #[test]
    fn two_pixels_become_four_and_four_two() {
        close(resize_bilinear(row(&[1.0, 5.0]), [1, 1, 2], [1, 4]), &[1.0, 2.0, 4.0, 5.0]);
        close(resize_bilinear(row(&[1.0, 5.0]), [1, 2, 1], [4, 1]), &[1.0, 2.0, 4.0, 5.0]);
        close(resize_bilinear(row(&[1.0, 2.0, 4.0, 5.0]), [1, 1, 4], [1, 2]), &[1.5, 4.5]);
    }

    #[test]
    fn the_same_size_keeps_the_bits_and_planes_stay_apart() {
        let rows = row(&[0.1, 0.7, 0.3, 0.9]);
        let got = floats(resize_bilinear(rows, [2, 1, 2], [1, 2])).unwrap();
        assert_eq!(got, [0.1, 0.7, 0.3, 0.9]);
    }

    #[test]
    fn padding_by_hand() {
        let got = floats(zero_pad(row(&[1.0, 2.0]), [1, 1, 2], [1, 0, 0, 1])).unwrap();
        assert_eq!(got, [0.0, 0.0, 0.0, 1.0, 2.0, 0.0]);
    }

    /// One sample is padded only, the other doubled in width.
    #[test]
    fn each_sample_has_its_own_size_and_place() {
        let device = Device::flex();
        let rows = Tensor::<2>::from_data([[1.0, 5.0], [1.0, 5.0]], &device);
        let column = |a: f32, b: f32| Tensor::<2>::from_data([[a], [b]], &device);
        let placement = Placement {
            height: column(1.0, 1.0),
            width: column(2.0, 4.0),
            top: column(1.0, 0.0),
            left: column(2.0, 1.0),
        };
        let got = place_resized(rows, [1, 1, 2], [2, 5], &placement);
        let first = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 5.0, 0.0];
        let second = [0.0, 1.0, 2.0, 4.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        close(got, &[first, second].concat());
    }

    /// Two to four columns is the matrix (1 0; ¾ ¼; ¼ ¾; 0 1): its transpose pulls back.
    #[test]
    fn the_pull_back_is_the_transposed_matrix() {
        let through = |x: Tensor<2>| resize_bilinear(x, [1, 1, 2], [1, 4]);
        let got = pull_back(row(&[0.0, 0.0]), through, row(&[1.0, 10.0, 100.0, 1000.0]));
        close(got.unwrap(), &[1.0 + 7.5 + 25.0, 2.5 + 75.0 + 1000.0]);
    }
}
