//! Noise: what a sensor adds in little light, and what a line loses.
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Poisson, StandardNormal};

use crate::image::picture::Picture;

/// Normal noise of the level's standard deviation.
pub(super) fn gaussian(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let deviation = [0.04, 0.06, 0.08, 0.09, 0.10][level];
    picture.clone().map(|value| {
        let draw: f64 = rng.sample(StandardNormal);
        (f64::from(value) + deviation * draw) as f32
    })
}

/// Photons counted where white is so many on average.
pub(super) fn shot(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let photons = [500.0, 250.0, 100.0, 75.0, 50.0][level];
    picture.clone().map(|value| {
        // Black has no photons, and no distribution of them.
        let counted = Poisson::new(f64::from(value) * photons);
        (counted.map_or(0.0, |counted| counted.sample(rng)) / photons) as f32
    })
}

/// The level's share of values set to black or white, as likely as each other.
pub(super) fn impulse(picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
    let share = [0.01, 0.02, 0.03, 0.05, 0.07][level];
    picture.clone().map(|value| {
        let hit = rng.random::<f64>() < share;
        let white = rng.random::<bool>();
        if hit { f32::from(u8::from(white)) } else { value }
    })
}
