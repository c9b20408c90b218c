//! Smooth random fields: filtered noise, random displacements and clouds.
use rand::{Rng, RngExt};

use super::warp::{Outside, Place};

/// A Gaussian filter is cut off at this many standard deviations.
const CUT: f64 = 4.0;

/// Filters a plane of `[height, width]` with a Gaussian of standard deviation `sigma` pixels,
/// mirrored at its borders.
pub(crate) fn smooth(plane: &mut [f64], [height, width]: [usize; 2], sigma: f64) {
    let reach = (CUT * sigma + 0.5).floor() as i64;
    if reach == 0 {
        return;
    }
    let weight = |offset: i64| (-0.5 * (offset as f64 / sigma).powi(2)).exp();
    let total: f64 = (-reach..=reach).map(weight).sum();
    let weights: Vec<f64> = (-reach..=reach).map(|offset| weight(offset) / total).collect();
    let line = |values: &[f64]| -> Vec<f64> {
        let at = |place: i64| Outside::Mirror.index(place, values.len()).map_or(0.0, |i| values[i]);
        let filtered = |center: usize| -> f64 {
            (-reach..=reach).zip(&weights).map(|(by, w)| w * at(center as i64 + by)).sum()
        };
        (0..values.len()).map(filtered).collect()
    };
    for row in plane.chunks_exact_mut(width) {
        let filtered = line(row);
        row.copy_from_slice(&filtered);
    }
    for x in 0..width {
        let column: Vec<f64> = (0..height).map(|y| plane[y * width + x]).collect();
        for (y, value) in line(&column).into_iter().enumerate() {
            plane[y * width + x] = value;
        }
    }
}

/// A random elastic displacement of each pixel of `[height, width]`: two planes uniform in
/// `[−1, 1]`, smoothed by a Gaussian of `sigma` pixels and multiplied by `alpha` pixels.
pub(crate) fn displacement(
    rng: &mut impl Rng,
    shape: [usize; 2],
    alpha: f64,
    sigma: f64,
) -> Vec<Place> {
    let mut plane = || {
        let mut plane: Vec<f64> =
            (0..shape[0] * shape[1]).map(|_| rng.random_range(-1.0..=1.0)).collect();
        smooth(&mut plane, shape, sigma);
        plane
    };
    let (down, right) = (plane(), plane());
    down.into_iter().zip(right).map(|(down, right)| (alpha * down, alpha * right)).collect()
}

/// Clouds over `[height, width]`, between 0 and 1: the diamond-square fractal on a torus.
///
/// A level of spacing `s` has an amplitude `a²`, where `a` falls by `decay` from one level to the
/// next: the published corruptions square it, and so do we.
///
/// Fournier, Fussell, Carpenter. *Computer Rendering of Stochastic Models.* Communications of the
/// ACM 25(6), 1982.
pub(crate) fn clouds(rng: &mut impl Rng, [height, width]: [usize; 2], decay: f64) -> Vec<f64> {
    let side = height.max(width).next_power_of_two().max(2);
    let mut map = vec![0.0; side * side];
    let at = |y: usize, x: usize| (y % side) * side + x % side;
    let mut amplitude = FIRST_AMPLITUDE;
    let mut spacing = side;
    while spacing >= 2 {
        let half = spacing / 2;
        let mut bump = || amplitude * amplitude * rng.random_range(-1.0..=1.0);
        let places = || {
            let along = move || (0..side).step_by(spacing);
            along().flat_map(move |y| along().map(move |x| (y, x)))
        };
        for (y, x) in places() {
            let mean = [(y, x), (y + spacing, x), (y, x + spacing), (y + spacing, x + spacing)]
                .map(|(y, x)| map[at(y, x)])
                .iter()
                .sum::<f64>()
                / 4.0;
            map[at(y + half, x + half)] = mean + bump();
        }
        for (y, x) in places().flat_map(|(y, x)| [(y, x + half), (y + half, x)]) {
            let mean = [(y + half, x), (y + side - half, x), (y, x + half), (y, x + side - half)]
                .map(|(y, x)| map[at(y, x)])
                .iter()
                .sum::<f64>()
                / 4.0;
            map[at(y, x)] = mean + bump();
        }
        spacing = half;
        amplitude /= decay;
    }
    let low = map.iter().copied().fold(f64::INFINITY, f64::min);
    let high = map.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = (high - low).max(f64::MIN_POSITIVE);
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    pixels.map(|(y, x)| (map[at(y, x)] - low) / range).collect()
}

/// Amplitude of the first level; only its ratio to the next ones matters.
const FIRST_AMPLITUDE: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Seed, Use};

    #[test]
    fn smoothing_keeps_a_constant_and_spreads_a_point_as_a_gaussian() {
        let mut flat = vec![0.3; 20];
        smooth(&mut flat, [4, 5], 1.5);
        assert!(flat.iter().all(|value| (value - 0.3).abs() < 1e-12));
        let mut point = vec![0.0; 21 * 21];
        point[10 * 21 + 10] = 1.0;
        smooth(&mut point, [21, 21], 1.0);
        let ratio = point[10 * 21 + 11] / point[10 * 21 + 10];
        assert!((ratio - (-0.5_f64).exp()).abs() < 1e-12);
        assert!((point.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut sharp = point.clone();
        smooth(&mut sharp, [21, 21], 0.05);
        assert_eq!(sharp, point);
    }

    #[test]
    fn clouds_fill_the_unit_interval_and_smooth_ones_change_little_from_pixel_to_pixel() {
        let roughness = |decay: f64| {
            let mut rng = Seed(3).stream(0, 0, 0, Use::Step);
            let map = clouds(&mut rng, [32, 32], decay);
            let (low, high) =
                map.iter().fold((1.0_f64, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
            assert!(low.abs() < 1e-12 && (high - 1.0).abs() < 1e-12);
            map.windows(2).map(|pair| (pair[0] - pair[1]).abs()).sum::<f64>()
        };
        assert!(roughness(3.0) < 0.5 * roughness(1.3));
        let mut rng = Seed(3).stream(0, 0, 0, Use::Step);
        assert_eq!(clouds(&mut rng, [1, 3], 2.0).len(), 3);
    }

    #[test]
    fn a_displacement_is_bounded_by_its_scale() {
        let mut rng = Seed(5).stream(0, 0, 0, Use::Step);
        let field = displacement(&mut rng, [8, 9], 2.5, 1.0);
        assert_eq!(field.len(), 72);
        assert!(field.iter().all(|(y, x)| y.abs() <= 2.5 && x.abs() <= 2.5));
        assert!(field.iter().any(|(y, _)| y.abs() > 0.1));
    }
}
