//! Weather and light: snow, fog, brightness.
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::blur::streak;
use super::enlargement;
use crate::image::noise::clouds;
use crate::image::picture::Picture;

/// Parameters of a level of snow.
struct Flakes {
    /// Mean and standard deviation of the noise that flakes are cut from.
    mean: f64,
    deviation: f64,
    /// Enlargement of the flakes.
    zoom: f64,
    /// Noise below this is no flake.
    least: f32,
    /// Radius and width of their streaks, in pixels.
    radius: f64,
    sigma: f64,
    /// Share of the picture that is not whitened.
    kept: f32,
}

const fn flakes(
    [mean, deviation, zoom]: [f64; 3],
    least: f32,
    [radius, sigma]: [f64; 2],
    kept: f32,
) -> Flakes {
    Flakes { mean, deviation, zoom, least, radius, sigma, kept }
}

const SNOW: [Flakes; 5] = [
    flakes([0.1, 0.2, 1.0], 0.6, [8.0, 3.0], 0.95),
    flakes([0.1, 0.2, 1.0], 0.5, [10.0, 4.0], 0.9),
    flakes([0.15, 0.3, 1.75], 0.55, [10.0, 4.0], 0.9),
    flakes([0.25, 0.3, 2.25], 0.6, [12.0, 6.0], 0.85),
    flakes([0.3, 0.3, 1.25], 0.65, [14.0, 12.0], 0.8),
];

/// Streaks of flakes and their mirror image over a whitened picture.
pub(super) fn snow(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let Flakes { mean, deviation, zoom, least, radius, sigma, kept } = SNOW[level];
    let [_, height, width] = picture.shape;
    let noise = (0..height * width).map(|_| {
        let draw: f64 = rng.sample(StandardNormal);
        (mean + deviation * draw) as f32
    });
    let layer = Picture { shape: [1, height, width], values: noise.collect() };
    let layer = layer.zoomed(zoom).map(|value| if value < least { 0.0 } else { value.min(1.0) });
    let scale = enlargement(picture);
    let falling = rng.random_range(-135.0..=-45.0);
    let layer = streak(&layer, radius * scale, sigma * scale, falling).values;
    let light = luma(picture);
    let pixels = picture.pixels();
    let values = picture.values.iter().enumerate().map(|(feature, &value)| {
        let pixel = feature % pixels;
        let whitened = value.max(light[pixel].mul_add(1.5, 0.5));
        let whitened = kept * value + (1.0 - kept) * whitened;
        whitened + layer[pixel] + layer[pixels - 1 - pixel]
    });
    Picture { shape: picture.shape, values: values.collect() }
}

/// The grey value of each pixel: Rec. 601 weights of red, green and blue, else the mean.
fn luma(picture: &Picture) -> Vec<f32> {
    let channels = picture.shape[0];
    let weights = match channels {
        3 => vec![0.299, 0.587, 0.114],
        _ => vec![1.0 / channels as f32; channels],
    };
    let mut light = vec![0.0; picture.pixels()];
    for (plane, weight) in picture.planes().zip(weights) {
        light.iter_mut().zip(plane).for_each(|(sum, value)| *sum += weight * value);
    }
    light
}

/// Clouds, and the whole dimmed so that its brightest value stays.
pub(super) fn fog(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let (strength, decay) = [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)][level];
    let [_, height, width] = picture.shape;
    let layer = clouds(rng, [height, width], decay);
    let brightest = f64::from(picture.values.iter().copied().fold(0.0, f32::max));
    let factor = brightest / (brightest + strength);
    let pixels = picture.pixels();
    let values = picture.values.iter().enumerate().map(|(feature, &value)| {
        ((f64::from(value) + strength * layer[feature % pixels]) * factor) as f32
    });
    Picture { shape: picture.shape, values: values.collect() }
}

/// More value, at the same hue and saturation (HSV): a pixel's channels grow by one factor until
/// the largest of them has risen by the level's amount, or to white.
pub(super) fn brightness(picture: &Picture, level: usize) -> Picture {
    let more = [0.05, 0.1, 0.15, 0.2, 0.3][level];
    let pixels = picture.pixels();
    let mut bright = picture.clone();
    for pixel in 0..pixels {
        let value = picture.planes().map(|plane| plane[pixel]).fold(0.0, f32::max);
        let risen = (value + more).min(1.0);
        for plane in bright.planes_mut() {
            plane[pixel] = if value > 0.0 { plane[pixel] * (risen / value) } else { risen };
        }
    }
    bright
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_keeps_the_hue() {
        let picture = Picture { shape: [3, 1, 2], values: vec![0.5, 0.0, 0.25, 0.0, 0.1, 0.0] };
        let bright = brightness(&picture, 4).values;
        for (got, expected) in bright.iter().zip([0.8, 0.3, 0.4, 0.3, 0.16, 0.3]) {
            assert!((got - expected).abs() < 1e-6, "{bright:?}");
        }
    }
}
