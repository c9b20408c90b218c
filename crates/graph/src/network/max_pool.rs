//! Maximum pooling that is fast on a CPU.
use burn::prelude::*;
use burn::tensor::module;
use burn::tensor::ops::MaxPoolOptions;
use duress_core::{device, host};

/// The maximum of each `kernel` window of images `[N, C, H, W]`, `stride` apart, without padding:
/// `[N, C, ⌊(H − k) / s⌋ + 1, ⌊(W − k) / s⌋ + 1]`. The first of equal pixels is taken, row by row.
///
/// On a CPU the places of the maxima are found in plain memory and gathered, which takes a third of
/// the time of the tensor library's pooling forward pass; elsewhere that pooling runs. Both give the same bits.
///
/// # Panics
/// If a window does not fit the image, as the layers' shape inference has checked before.
#[must_use]
pub fn max_pool2d(images: Tensor<4>, kernel: [usize; 2], stride: [usize; 2]) -> Tensor<4> {
    let [count, channels, height, width] = images.dims();
    if count == 0 || !device::is_cpu(&images.device()) {
        return module::max_pool2d(images, MaxPoolOptions::new(kernel).with_stride(stride));
    }
    let out = [(height - kernel[0]) / stride[0] + 1, (width - kernel[1]) / stride[1] + 1];
    let shape = [count, channels, out[0], out[1]];
    let plane = height * width;
    let pixels = host::of_cpu(images.clone().inner().reshape([count, channels * plane]));
    let mut places = vec![0_i32; count * channels * out[0] * out[1]];
    let pictures = pixels.chunks_exact(plane).zip(places.chunks_exact_mut(out[0] * out[1]));
    for (index, (pixels, places)) in pictures.enumerate() {
        let start = index % channels * plane;
        if kernel == [2, 2] && stride == [2, 2] {
            quarter(pixels, [width, start], places);
            continue;
        }
        for (place, found) in places.iter_mut().enumerate() {
            let (row, column) = (place / out[1], place % out[1]);
            let corner = [row * stride[0], column * stride[1]];
            *found = (start + largest(pixels, width, corner, kernel)) as i32;
        }
    }
    let device = images.device();
    let wide = [count, channels * out[0] * out[1]];
    let places = Tensor::<2, Int>::from_data(TensorData::new(places, wide), &device);
    images.reshape([count, channels * plane]).gather(1, places).reshape(shape)
}

/// The places of the maxima of 2 × 2 windows, two apart, counted from `start`: the usual case,
/// without a branch, because which pixel wins is anyone's guess.
fn quarter(pixels: &[f32], [width, start]: [usize; 2], places: &mut [i32]) {
    let rows = pixels.chunks_exact(2 * width).zip(places.chunks_exact_mut(width / 2));
    for (row, (pixels, places)) in rows.enumerate() {
        let (top, bottom) = pixels.split_at(width);
        let (top, _) = top.as_chunks::<2>();
        let (bottom, _) = bottom.as_chunks::<2>();
        let corner = start + 2 * row * width;
        for (column, (found, (top, bottom))) in
            places.iter_mut().zip(top.iter().zip(bottom)).enumerate()
        {
            let corner = corner + 2 * column;
            if (top[0] + top[1] + bottom[0] + bottom[1]).is_nan() {
                let window = [top[0], top[1], bottom[0], bottom[1]];
                let place = largest(&window, 2, [0, 0], [2, 2]);
                *found = (corner + place % 2 + place / 2 * width) as i32;
                continue;
            }
            let (above, below) = (top[0].max(top[1]), bottom[0].max(bottom[1]));
            let lower = usize::from(below > above);
            let right = usize::from(top[1] > top[0]) * (1 - lower)
                + usize::from(bottom[1] > bottom[0]) * lower;
            *found = (corner + right + lower * width) as i32;
        }
    }
}

/// Where in the plane the first of the largest pixels of a window lies.
fn largest(pixels: &[f32], width: usize, [top, left]: [usize; 2], kernel: [usize; 2]) -> usize {
    let corner = top * width + left;
    let mut best = (pixels[corner], corner);
    for row in top..top + kernel[0] {
        let start = row * width + left;
        for (offset, &pixel) in pixels[start..start + kernel[1]].iter().enumerate() {
            best = larger(best, (pixel, start + offset));
        }
    }
    best.1
}

/// The larger pixel with its place, the first of equal ones. What is not a number wins and stays, so
/// that it is seen.
fn larger(best: (f32, usize), next: (f32, usize)) -> (f32, usize) {
    let wins = (next.0 > best.0) | (next.0.is_nan() & !best.0.is_nan());
    (if wins { next.0 } else { best.0 }, if wins { next.1 } else { best.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(shape: [usize; 4]) -> Tensor<4> {
        let count = shape.iter().product::<usize>();
        // Few values, so that there are ties.
        let values: Vec<f32> = (0..count).map(|index| ((index * 7919) % 13) as f32 * 0.5).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn pooled_and_slopes(
        images: &Tensor<4>,
        pool: impl Fn(Tensor<4>) -> Tensor<4>,
    ) -> (Vec<f32>, Vec<f32>) {
        let leaf = images.clone().autodiff().require_grad();
        let out = pool(leaf.clone());
        let weights = out.clone().inner().ones_like().cumsum(3).cumsum(2).autodiff();
        let mut gradients = (out.clone() * weights).sum().backward();
        let slopes = leaf.grad_remove(&mut gradients).unwrap();
        let values = |tensor: Tensor<4>| host::floats(tensor.inner()).unwrap();
        (values(out), values(slopes))
    }

    #[test]
    fn values_and_gradients_are_those_of_the_library() {
        for (shape, kernel, stride) in [
            ([3, 2, 8, 8], [2, 2], [2, 2]),
            ([2, 3, 7, 5], [2, 2], [2, 2]),
            ([1, 1, 9, 6], [3, 2], [2, 1]),
            ([4, 1, 1, 3], [1, 3], [1, 3]),
        ] {
            let images = images(shape);
            let ours = pooled_and_slopes(&images, |x| max_pool2d(x, kernel, stride));
            let theirs = pooled_and_slopes(&images, |x| {
                module::max_pool2d(x, MaxPoolOptions::new(kernel).with_stride(stride))
            });
            assert_eq!(ours, theirs, "{shape:?} {kernel:?} {stride:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_seen() {
        let images = Tensor::<4>::from_data([[[[1.0, f32::NAN], [2.0, 3.0]]]], &Device::flex());
        let got = host::floats(max_pool2d(images, [2, 2], [2, 2])).unwrap();
        assert!(got[0].is_nan());
    }
}
