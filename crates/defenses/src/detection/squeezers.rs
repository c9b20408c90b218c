//! What squeezes a picture: fewer bits, a median filter, non-local means.
//!
//! Each works on rows `[N, C · H · W]` off the tape, pixel by pixel along the batch: a row's bits do
//! not depend on its neighbours.
use burn::prelude::*;

/// Values of the box `[lower, upper]` (`[1, F]`) rounded to `2^bits` levels.
pub(super) fn fewer_bits(
    rows: Tensor<2>,
    bits: u32,
    lower: Tensor<2>,
    upper: Tensor<2>,
) -> Tensor<2> {
    let levels = 2.0_f64.powi(bits as i32) - 1.0;
    let span = upper - lower.clone();
    let safe = span.clone().mask_fill(span.equal_elem(0.0), 1.0);
    ((rows - lower.clone()) / safe.clone() * levels).round() / levels * safe + lower
}

/// The median of each `size × size` window, plane by plane, mirrored beyond the border. Of an even
/// number of values it is the upper of the middle two, and the window reaches further up and left:
/// the convention of `scipy.ndimage.median_filter`, which the paper uses.
pub(super) fn median(
    rows: Tensor<2>,
    [channels, height, width]: [usize; 3],
    size: usize,
) -> Tensor<2> {
    let [count, features] = rows.dims();
    let pictures = rows.reshape([count, channels, height, width]);
    let mut window = Vec::with_capacity(size * size);
    let before = (size / 2) as isize;
    for dy in 0..size as isize {
        for dx in 0..size as isize {
            window.push(shifted(&pictures, dy - before, dx - before).reshape([count, features, 1]));
        }
    }
    let middle = window.len() / 2;
    Tensor::cat(window, 2).sort(2).narrow(2, middle, 1).squeeze_dim(2)
}

/// Non-local means: each pixel becomes the mean of those in the `search × search` window around
/// it, weighted by `exp(−d² / h²)`, where `d²` is the mean squared difference of their
/// `patch × patch` surroundings over all channels.
///
/// Buades, Coll, Morel. *A Non-Local Algorithm for Image Denoising.* CVPR 2005.
pub(super) fn non_local_means(
    rows: Tensor<2>,
    [channels, height, width]: [usize; 3],
    search: usize,
    patch: usize,
    h: f64,
) -> Tensor<2> {
    let [count, features] = rows.dims();
    let pictures = rows.reshape([count, channels, height, width]);
    let reach = (search / 2) as isize;
    let mut total = pictures.zeros_like();
    let mut weights: Tensor<4> = Tensor::zeros([count, 1, height, width], &pictures.device());
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let other = shifted(&pictures, dy, dx);
            let distance = box_mean((other.clone() - pictures.clone()).square().mean_dim(1), patch);
            let weight = (distance * (-1.0 / (h * h))).exp();
            total = total + other * weight.clone();
            weights = weights + weight;
        }
    }
    (total / weights).reshape([count, features])
}

/// The mean of each `size × size` window (an odd number), mirrored beyond the border.
fn box_mean(maps: Tensor<4>, size: usize) -> Tensor<4> {
    let reach = (size / 2) as isize;
    let mut total = maps.zeros_like();
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            total = total + shifted(&maps, dy, dx);
        }
    }
    total / (size * size) as f64
}

/// Pixel `(y + dy, x + dx)` at `(y, x)`; beyond the border the picture is mirrored, the edge pixel
/// repeated.
fn shifted(pictures: &Tensor<4>, dy: isize, dx: isize) -> Tensor<4> {
    along(along(pictures.clone(), 2, dy), 3, dx)
}

fn along(pictures: Tensor<4>, axis: usize, by: isize) -> Tensor<4> {
    if by == 0 {
        return pictures;
    }
    let length = pictures.dims()[axis] as isize;
    let places: Vec<usize> = (0..length).map(|at| mirrored(at + by, length)).collect();
    let device = pictures.device();
    pictures.select(axis, super::detector::indices(&places, &device))
}

/// `… 1 0 | 0 1 2 … n−1 | n−1 n−2 …`
fn mirrored(at: isize, length: isize) -> usize {
    let place = at.rem_euclid(2 * length);
    (if place < length { place } else { 2 * length - 1 - place }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::detector::table;
    use duress_core::host;

    fn rows(values: &[f32]) -> Tensor<2> {
        table(values.to_vec(), values.len(), &Device::flex())
    }

    fn close(got: Tensor<2>, expected: &[f32]) {
        let got = host::floats(got).unwrap();
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }

    #[test]
    fn one_bit_is_black_or_white_and_two_bits_are_thirds() {
        let device = Device::flex();
        let bounds = |low: f32, high: f32| {
            (table(vec![low; 3], 3, &device), table(vec![high; 3], 3, &device))
        };
        let (low, high) = bounds(0.0, 1.0);
        close(fewer_bits(rows(&[0.2, 0.6, 1.0]), 1, low.clone(), high.clone()), &[0.0, 1.0, 1.0]);
        close(fewer_bits(rows(&[0.2, 0.6, 1.0]), 2, low, high), &[1.0 / 3.0, 2.0 / 3.0, 1.0]);
        let (low, high) = bounds(-1.0, 3.0);
        close(fewer_bits(rows(&[0.2, 1.2, 3.0]), 1, low, high), &[-1.0, 3.0, 3.0]);
    }

    /// `scipy.ndimage.median_filter([[1, 2], [3, 4]], 2)`: windows (1,1,1,1), (1,1,2,2),
    /// (1,1,3,3), (1,2,3,4), of each the third smallest.
    #[test]
    fn the_median_of_four_is_the_third_smallest_of_the_window_up_and_left() {
        close(median(rows(&[1.0, 2.0, 3.0, 4.0]), [1, 2, 2], 2), &[1.0, 2.0, 3.0, 3.0]);
        close(median(rows(&[0.0, 9.0, 1.0]), [1, 1, 3], 3), &[0.0, 1.0, 1.0]);
    }

    /// Two pixels 0 and 1, window 3, patch 1, h = 1: the window of pixel 0 holds itself (and its
    /// mirror image) and 1, three times each row: (2·1·0 + e⁻¹·1) / (2 + e⁻¹).
    #[test]
    fn non_local_means_weigh_by_likeness() {
        let e = (-1.0_f32).exp();
        let low = e / (2.0 + e);
        close(non_local_means(rows(&[0.0, 1.0]), [1, 1, 2], 3, 1, 1.0), &[low, 1.0 - low]);
        close(non_local_means(rows(&[0.3; 9]), [1, 3, 3], 3, 3, 0.1), &[0.3; 9]);
    }

    #[test]
    fn a_border_is_mirrored_as_often_as_it_takes() {
        assert_eq!([-1, -2, -3, -5, 2, 3, 5].map(|at| mirrored(at, 2)), [0, 1, 1, 0, 1, 0, 1]);
    }
}
