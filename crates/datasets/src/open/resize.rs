//! Pictures of another size.
use image::{ImageBuffer, Luma, Primitive, imageops};

use crate::{DEFAULT_LIMIT, Error, Result};

/// Resizes each plane of `[N, C, H, W]` to `[height, width]`; returns the new shape of a picture.
///
/// Bytes are resized as bytes and rounded, other values as floats. `range` is the box.
pub(super) fn resize(
    file: &str,
    values: Vec<f32>,
    [channels, height, width]: [usize; 3],
    [to_height, to_width]: [u32; 2],
    (low, high): (f32, f32),
    bytes: bool,
) -> Result<(Vec<f32>, [usize; 3])> {
    let shape = [channels, to_height as usize, to_width as usize];
    if [height, width] == shape[1..] {
        return Ok((values, shape));
    }
    let planes = values.len() / (height * width);
    let total = planes.saturating_mul(shape[1]).saturating_mul(shape[2]);
    if (total as u64).saturating_mul(4) > DEFAULT_LIMIT {
        return Err(Error::TooLarge { file: file.into(), limit: DEFAULT_LIMIT });
    }
    let unit = |value: f32| (value - low) / (high - low);
    let back = |value: f32| (low + value * (high - low)).clamp(low, high);
    let from = [width as u32, height as u32];
    let mut resized = Vec::with_capacity(total);
    for plane in values.chunks_exact(height * width) {
        if bytes {
            let plane = plane.iter().map(|&value| (unit(value) * 255.0).round() as u8).collect();
            let plane = scaled(plane, from, [to_width, to_height]);
            resized.extend(plane.into_iter().map(|byte| back(f32::from(byte) / 255.0)));
        } else {
            // The image crate clamps floats to the unit interval.
            let plane = plane.iter().map(|&value| unit(value)).collect();
            resized.extend(scaled(plane, from, [to_width, to_height]).into_iter().map(back));
        }
    }
    Ok((resized, shape))
}

fn scaled<T: Primitive + 'static>(plane: Vec<T>, from: [u32; 2], to: [u32; 2]) -> Vec<T>
where
    Luma<T>: image::Pixel<Subpixel = T>,
{
    let picture: Option<ImageBuffer<Luma<T>, Vec<T>>> =
        ImageBuffer::from_raw(from[0], from[1], plane);
    // `from_raw` fails for a short buffer only, and a plane has its pixels.
    picture.map_or_else(Vec::new, |picture| {
        imageops::resize(&picture, to[0], to[1], imageops::FilterType::Triangle).into_raw()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Halving with the triangle filter of support 2 (in pixels of the source): weights 1/8, 3/8,
    /// 3/8, 1/8, cut at the edge and normalised: (3·0 + 3·0 + 1·1) / 7 and (1·0 + 3·1 + 3·1) / 7.
    #[test]
    fn shrinking_averages_with_the_triangle_filter() {
        let values = vec![-1.0, -1.0, 1.0, 1.0];
        let (got, shape) = resize("f", values, [1, 1, 4], [1, 2], (-1.0, 1.0), false).unwrap();
        assert_eq!(shape, [1, 1, 2]);
        for (got, expected) in got.iter().zip([2.0 / 7.0 - 1.0, 2.0 * 6.0 / 7.0 - 1.0]) {
            assert!((got - expected as f32).abs() < 1e-6, "{got} {expected}");
        }
    }

    #[test]
    fn bytes_are_rounded_and_planes_do_not_mix() {
        let values = [0.0, 0.0, 1.0, 1.0].map(|value| value * 51.0 / 255.0).to_vec();
        let (got, _) = resize("f", values, [2, 1, 2], [1, 1], (0.0, 1.0), true).unwrap();
        assert_eq!(got, [0.0, 0.2]);
        let (got, _) = resize("f", vec![0.0, 1.0], [1, 1, 2], [1, 1], (0.0, 1.0), true).unwrap();
        assert_eq!(got, [128.0 / 255.0]);
        let error = resize("f", vec![0.0; 30_000], [1, 1, 1], [9000, 9000], (0.0, 1.0), true);
        assert!(matches!(error, Err(Error::TooLarge { .. })));
    }
}
