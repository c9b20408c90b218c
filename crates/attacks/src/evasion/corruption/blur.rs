//! Blurs: out of focus, through glass, in motion, zooming.
use rand::{Rng, RngExt};

use super::enlargement;
use crate::image::noise::smooth;
use crate::image::picture::Picture;
use crate::image::warp::Outside;

/// A weight of a kernel and its offset, rows and columns.
type Tap = (f64, i64, i64);

/// The weighted sum of the picture's pixels around each pixel.
fn convolve(picture: &Picture, taps: &[Tap], outside: Outside) -> Picture {
    let [_, height, width] = picture.shape;
    let mut blurred = picture.clone();
    for (plane, sharp) in blurred.planes_mut().zip(picture.planes()) {
        for (pixel, value) in plane.iter_mut().enumerate() {
            let (y, x) = ((pixel / width) as i64, (pixel % width) as i64);
            let tap = |&(weight, down, right): &Tap| {
                let place = (outside.index(y + down, height), outside.index(x + right, width));
                match place {
                    (Some(y), Some(x)) => weight * f64::from(sharp[y * width + x]),
                    _ => 0.0,
                }
            };
            *value = taps.iter().map(tap).sum::<f64>() as f32;
        }
    }
    blurred
}

fn normalised(mut taps: Vec<Tap>) -> Vec<Tap> {
    let total: f64 = taps.iter().map(|(weight, ..)| weight).sum();
    for (weight, ..) in &mut taps {
        *weight /= total;
    }
    taps
}

/// A disc of the level's radius, its rim softened by a Gaussian of 3 × 3 pixels (5 × 5 above a
/// radius of 8).
pub(super) fn defocus(picture: &Picture, level: usize) -> Picture {
    let (radius, alias) = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)][level];
    let scale = enlargement(picture);
    let (radius, alias) = (radius * scale, alias * scale);
    let disc = square(radius.floor() as i64, |y, x| {
        if (y * y + x * x) as f64 <= radius * radius { 1.0 } else { 0.0 }
    });
    let rim = square(if radius <= 8.0 { 1 } else { 2 }, |y, x| {
        (-0.5 * (y * y + x * x) as f64 / (alias * alias)).exp()
    });
    let disc = convolve(picture, &disc, Outside::Mirror);
    convolve(&disc, &rim, Outside::Mirror)
}

/// A normalised kernel of `weight(y, x)` up to `reach` pixels away.
fn square(reach: i64, weight: impl Fn(i64, i64) -> f64) -> Vec<Tap> {
    let mut taps = Vec::new();
    for y in -reach..=reach {
        for x in -reach..=reach {
            taps.push((weight(y, x), y, x));
        }
    }
    normalised(taps)
}

/// A Gaussian blur, swaps of each pixel with one near it, and the blur again.
pub(super) fn glass(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let (sigma, reach, passes) =
        [(0.05, 1.0, 1), (0.25, 1.0, 1), (0.4, 1.0, 1), (0.25, 1.0, 2), (0.4, 1.0, 2)][level];
    let scale = enlargement(picture);
    let reach = ((reach * scale).round() as usize).max(1);
    let [_, height, width] = picture.shape;
    let mut seen = gaussian(picture, sigma * scale);
    for _ in 0..passes {
        for y in (reach + 1..(height + 1).saturating_sub(reach)).rev() {
            for x in (reach + 1..(width + 1).saturating_sub(reach)).rev() {
                // From −reach to reach − 1, as published: never as far down as up.
                let [down, right] = [0, 1].map(|_| rng.random_range(0..2 * reach));
                let other = (y + down - reach) * width + x + right - reach;
                for plane in seen.planes_mut() {
                    plane.swap(y * width + x, other);
                }
            }
        }
    }
    gaussian(&seen, sigma * scale)
}

fn gaussian(picture: &Picture, sigma: f64) -> Picture {
    let [_, height, width] = picture.shape;
    let mut blurred = picture.clone();
    for plane in blurred.planes_mut() {
        let mut values: Vec<f64> = plane.iter().map(|&value| f64::from(value)).collect();
        smooth(&mut values, [height, width], sigma);
        plane.iter_mut().zip(values).for_each(|(value, new)| *value = new as f32);
    }
    blurred
}

/// Half a Gaussian along a line at an angle within ±45°.
pub(super) fn motion(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let (radius, sigma) = [(6.0, 1.0), (6.0, 1.5), (6.0, 2.0), (8.0, 2.0), (9.0, 2.5)][level];
    let scale = enlargement(picture);
    streak(picture, radius * scale, sigma * scale, rng.random_range(-45.0..=45.0))
}

/// The mean along `2 · radius + 1` pixels at an angle in degrees, weighted by half a Gaussian that
/// begins at the pixel itself.
pub(super) fn streak(picture: &Picture, radius: f64, sigma: f64, degrees: f64) -> Picture {
    let (sine, cosine) = f64::to_radians(degrees).sin_cos();
    let taps = (0..=2 * radius.round() as i64).map(|index| {
        let along = index as f64;
        let weight = (-0.5 * (along / sigma).powi(2)).exp();
        (weight, (along * sine - 0.5).ceil() as i64, (along * cosine - 0.5).ceil() as i64)
    });
    convolve(picture, &normalised(taps.collect()), Outside::Edge)
}

/// The mean of the picture and its enlargements by 1, 1.01, 1.02, … up to the level's.
pub(super) fn zoom(picture: &Picture, level: usize) -> Picture {
    let hundredths = [6, 11, 15, 20, 25][level];
    let mut total: Vec<f64> = picture.values.iter().map(|&value| f64::from(value)).collect();
    for hundredth in 0..=hundredths {
        let zoomed = picture.zoomed(1.0 + f64::from(hundredth) / 100.0);
        total.iter_mut().zip(zoomed.values).for_each(|(sum, value)| *sum += f64::from(value));
    }
    let count = f64::from(hundredths) + 2.0;
    let values = total.into_iter().map(|sum| (sum / count) as f32).collect();
    Picture { shape: picture.shape, values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Seed, Use};

    fn point() -> Picture {
        let mut values = vec![0.0; 33 * 33];
        values[16 * 33 + 16] = 1.0;
        Picture { shape: [1, 33, 33], values }
    }

    #[test]
    fn blurs_keep_the_sum_of_a_point_in_the_middle() {
        let mut rng = Seed(1).stream(0, 0, 0, Use::Step);
        for level in 0..5 {
            for (name, blurred) in [
                ("defocus", defocus(&point(), level)),
                ("glass", glass(&point(), level, &mut rng)),
                ("motion", motion(&point(), level, &mut rng)),
            ] {
                let sum: f32 = blurred.values.iter().sum();
                assert!((sum - 1.0).abs() < 1e-4, "{name} {level}: {sum}");
            }
        }
    }

    /// A radius of 1.5 · 33/32 holds the nine pixels of 3 × 3, with weights of a ninth.
    #[test]
    fn a_disc_by_hand() {
        let blurred = defocus(&point(), 4);
        for (pixel, value) in blurred.values.iter().enumerate() {
            let near = pixel.abs_diff(16 * 33 + 16) % 33;
            let inside = (15..=17).contains(&(pixel / 33)) && (15..=17).contains(&(pixel % 33));
            let expected = if inside { 1.0 / 9.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-6, "{pixel} {near}: {value}");
        }
    }

    #[test]
    fn a_level_streak_stays_in_its_row_and_to_one_side() {
        let blurred = streak(&point(), 3.0, 1.5, 0.0);
        let lit: Vec<usize> = (0..33 * 33).filter(|&pixel| blurred.values[pixel] > 0.0).collect();
        assert_eq!(lit, (16 * 33 + 10..=16 * 33 + 16).collect::<Vec<_>>());
    }
}
