//! Gaussian smoothing of pictures, plane by plane.
use burn::prelude::*;

/// The weights of one axis of a Gaussian kernel of `size` pixels whose border lies `sigmas`
/// standard deviations from its centre. They sum to 1; so do their products, the kernel.
#[must_use]
pub fn gaussian_kernel(size: usize, sigmas: f64) -> Vec<f32> {
    let radius = (size.max(1) - 1) as f64 / 2.0;
    let density = |index: usize| {
        let place = (index as f64 - radius) / radius.max(0.5) * sigmas;
        (-0.5 * place * place).exp()
    };
    let weights: Vec<f64> = (0..size.max(1)).map(density).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / total) as f32).collect()
}

/// The pictures `[N, C · H · W]` convolved with the square kernel whose axes both have `weights`
/// (an odd number), each plane by itself, zeros beyond the border.
///
/// A sum of shifted pictures: a pixel's bits do not depend on the batch.
#[must_use]
pub fn gaussian_filter(
    rows: Tensor<2>,
    [channels, height, width]: [usize; 3],
    weights: &[f32],
) -> Tensor<2> {
    let [count, features] = rows.dims();
    let pictures = rows.reshape([count, channels, height, width]);
    along(along(pictures, 2, weights), 3, weights).reshape([count, features])
}

/// The convolution along one axis.
fn along(pictures: Tensor<4>, axis: usize, weights: &[f32]) -> Tensor<4> {
    let mut border = pictures.dims();
    let size = border[axis];
    border[axis] = weights.len() / 2;
    let border = Tensor::zeros(border, &pictures.device());
    let padded = Tensor::cat(vec![border.clone(), pictures.clone(), border], axis);
    let mut total = pictures.zeros_like();
    // The kernel is symmetric: no need to turn it.
    for (shift, &weight) in weights.iter().enumerate() {
        total = total + padded.clone().narrow(axis, shift, size) * weight;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn the_kernel_sums_to_one_and_falls_to_three_sigmas() {
        for size in [1, 3, 15] {
            let kernel = gaussian_kernel(size, 3.0);
            let total: f32 = kernel.iter().flat_map(|a| kernel.iter().map(move |b| a * b)).sum();
            assert!((total - 1.0).abs() < 1e-6, "{size}: {total}");
        }
        let kernel = gaussian_kernel(15, 3.0);
        assert!((kernel[14] / kernel[7] - (-4.5_f32).exp()).abs() < 1e-6);
        assert!((kernel[8] / kernel[7] - (-0.5_f32 * 9.0 / 49.0).exp()).abs() < 1e-6);
    }

    /// A point becomes the kernel; near the corner its rest is lost. Two planes stay apart, and
    /// the picture is not square.
    #[test]
    fn a_point_becomes_the_kernel() {
        let weights = [0.25, 0.5, 0.25];
        let mut values = vec![0.0_f32; 2 * 3 * 4];
        values[5] = 16.0;
        values[12] = 16.0;
        let rows = Tensor::from_data(TensorData::new(values, [1, 24]), &Device::flex());
        let got = floats(gaussian_filter(rows, [2, 3, 4], &weights)).unwrap();
        let first = [1.0, 2.0, 1.0, 0.0, 2.0, 4.0, 2.0, 0.0, 1.0, 2.0, 1.0, 0.0];
        let second = [4.0, 2.0, 0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(got, [first, second].concat());
    }

    #[test]
    fn a_kernel_wider_than_the_picture_keeps_the_shape() {
        let rows = Tensor::<2>::full([2, 2], 1.0, &Device::flex());
        let kernel = gaussian_kernel(15, 3.0);
        let got = floats(gaussian_filter(rows, [1, 1, 2], &kernel)).unwrap();
        let expected = kernel[7] * (kernel[7] + kernel[8]);
        assert!(got.iter().all(|value| (value - expected).abs() < 1e-6), "{got:?}");
    }
}
