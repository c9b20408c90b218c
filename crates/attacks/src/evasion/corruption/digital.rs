//! What processing does: contrast, deformation, fewer pixels.
use rand::{Rng, RngExt};

use super::enlargement;
use crate::image::noise::displacement;
use crate::image::picture::Picture;
use crate::image::warp::Outside;

/// Each channel drawn towards its mean.
pub(super) fn contrast(picture: &Picture, level: usize) -> Picture {
    let kept = [0.75, 0.5, 0.4, 0.3, 0.15][level];
    let mut dull = picture.clone();
    for plane in dull.planes_mut() {
        let sum: f64 = plane.iter().map(|&value| f64::from(value)).sum();
        let mean = sum / plane.len() as f64;
        for value in plane {
            *value = (mean + kept * (f64::from(*value) - mean)) as f32;
        }
    }
    dull
}

/// An affine map through three displaced points, then an elastic displacement.
pub(super) fn elastic(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    // Parts of 32 pixels: alpha, sigma, and the displacement of the three points.
    let [alpha, sigma, corners] = [
        [0.0, 0.0, 0.08],
        [0.05, 0.2, 0.07],
        [0.08, 0.06, 0.06],
        [0.1, 0.04, 0.05],
        [0.1, 0.03, 0.03],
    ][level]
        .map(|part| 32.0 * part * enlargement(picture));
    let [_, height, width] = picture.shape;
    let corners = [0, 1, 2].map(|_| [0, 1].map(|_| corners * rng.random_range(-1.0..=1.0)));
    let source = inverse_affine(height.min(width) as f64 / 3.0, corners);
    let middle = [(height / 2) as f64, (width / 2) as f64];
    let tilted = picture.warp(Outside::Mirror, |y, x| {
        let [y, x] = source([y as f64 - middle[0], x as f64 - middle[1]]);
        (y + middle[0], x + middle[1])
    });
    if alpha <= 0.0 {
        return tilted;
    }
    let field = displacement(rng, [height, width], alpha, sigma);
    tilted.warp(Outside::Mirror, |y, x| {
        let (down, right) = field[y * width + x];
        (y as f64 + down, x as f64 + right)
    })
}

/// The inverse of the affine map that moves `(s, s)`, `(s, −s)` and `(−s, −s)` by the three displacements.
fn inverse_affine(s: f64, [first, second, third]: [[f64; 2]; 3]) -> impl Fn([f64; 2]) -> [f64; 2] {
    // Columns of the linear part, the identity included.
    let along = |from: [f64; 2], to: [f64; 2], unit: [f64; 2]| {
        [0, 1].map(|part| unit[part] + (to[part] - from[part]) / (2.0 * s))
    };
    let right = along(second, first, [0.0, 1.0]);
    let down = along(third, second, [1.0, 0.0]);
    let offset = [0, 1].map(|part| first[part] - (down[part] + right[part]) * s + s);
    let determinant = down[0] * right[1] - right[0] * down[1];
    move |at| {
        let (y, x) = (at[0] - offset[0], at[1] - offset[1]);
        [(y * right[1] - x * right[0]) / determinant, (x * down[0] - y * down[1]) / determinant]
    }
}

/// Fewer pixels and back, each the mean of those it covers.
pub(super) fn pixelate(picture: &Picture, level: usize) -> Picture {
    let kept = [0.95, 0.9, 0.85, 0.75, 0.65][level];
    let [_, height, width] = picture.shape;
    let fewer = [height, width].map(|side| ((side as f64 * kept) as usize).max(1));
    resized(&resized(picture, fewer), [height, width])
}

/// A box filter: the mean of the pixels whose middles a new pixel covers, or the one that covers
/// its middle where there are more new pixels than old.
fn resized(picture: &Picture, [rows, columns]: [usize; 2]) -> Picture {
    let [channels, height, width] = picture.shape;
    let covered = |index: usize, new: usize, old: usize| {
        let scale = old as f64 / new as f64;
        let (middle, reach) = ((index as f64 + 0.5) * scale, 0.5 * scale.max(1.0));
        let first = ((middle - reach + 0.5) as usize).min(old - 1);
        first..((middle + reach + 0.5) as usize).clamp(first + 1, old)
    };
    let mut values = Vec::with_capacity(channels * rows * columns);
    for plane in picture.planes() {
        for y in 0..rows {
            for x in 0..columns {
                let (down, right) = (covered(y, rows, height), covered(x, columns, width));
                let count = (down.len() * right.len()) as f64;
                let sum: f64 = down
                    .flat_map(|y| right.clone().map(move |x| f64::from(plane[y * width + x])))
                    .sum();
                values.push((sum / count) as f32);
            }
        }
    }
    Picture { shape: [channels, rows, columns], values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_keeps_the_mean_of_each_channel() {
        let picture = Picture { shape: [2, 1, 2], values: vec![0.2, 0.6, 1.0, 0.0] };
        let got = contrast(&picture, 1).values;
        for (got, expected) in got.iter().zip([0.3, 0.5, 0.75, 0.25]) {
            assert!((got - expected).abs() < 1e-6);
        }
    }

    /// The map moves (s, s) by its draw, so its inverse goes back, at each of the three points.
    #[test]
    fn three_points_go_where_they_were_drawn() {
        let draws = [[0.3, -0.1], [-0.2, 0.4], [0.1, 0.2]];
        let back = inverse_affine(2.0, draws);
        for (point, by) in [[2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]].into_iter().zip(draws) {
            let got = back([point[0] + by[0], point[1] + by[1]]);
            assert!((got[0] - point[0]).abs() < 1e-12 && (got[1] - point[1]).abs() < 1e-12);
        }
    }

    #[test]
    fn halving_and_doubling_by_hand() {
        let picture = Picture { shape: [1, 2, 4], values: vec![1., 2., 3., 4., 5., 6., 7., 8.] };
        let half = resized(&picture, [1, 2]);
        assert_eq!(half.values, [3.5, 5.5]);
        assert_eq!(resized(&half, [2, 4]).values, [3.5, 3.5, 5.5, 5.5, 3.5, 3.5, 5.5, 5.5]);
        assert_eq!(resized(&picture, [2, 4]), picture);
    }
}
