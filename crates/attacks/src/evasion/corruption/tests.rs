//! Properties that all corruptions share.
use super::*;
use duress_core::{Seed, Use};

/// Smooth shapes and a hard edge.
fn picture(shape: [usize; 3]) -> Picture {
    let [channels, height, width] = shape;
    let mut values = Vec::new();
    for channel in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let wave = (y as f32 * 0.4 + channel as f32).sin() * (x as f32 * 0.3).cos();
                let edge = if x > width / 2 { 0.2 } else { -0.1 };
                values.push((0.45 + 0.3 * wave + edge).clamp(0.0, 1.0));
            }
        }
    }
    Picture { shape, values }
}

/// The mean squared distance over draws.
fn damage(kind: CorruptionKind, level: usize) -> f64 {
    let clean = picture([3, 32, 32]);
    let draw = |draw: u64| -> f64 {
        let mut rng = Seed(4).stream(draw, 0, 0, Use::Step);
        let got = kind.apply(&clean, level, &mut rng).clipped();
        let pairs = got.values.iter().zip(&clean.values);
        pairs.map(|(new, old)| f64::from(new - old).powi(2)).sum()
    };
    (0..12).map(draw).sum::<f64>() / 12.0
}

/// The published levels of glass trade swaps for blur, and those of the elastic deformation tilt for
/// tremor: a smooth picture hardly feels the latter.
#[test]
fn severities_grow_in_distance() {
    use CorruptionKind as Kind;
    for kind in CorruptionKind::EACH {
        let levels: Vec<f64> = (0..5).map(|level| damage(kind, level)).collect();
        assert!(levels[0] > 0.0, "{kind:?} {levels:?}");
        match kind {
            Kind::GlassBlur => assert!(levels[4] > levels[0], "{levels:?}"),
            Kind::Elastic => {}
            _ => assert!(levels.is_sorted(), "{kind:?} {levels:?}"),
        }
    }
}

#[test]
fn a_corruption_takes_any_shape_and_repeats_with_its_stream() {
    for shape in [[1, 1, 1], [1, 3, 4], [3, 5, 2], [2, 9, 17]] {
        let clean = picture(shape);
        for kind in CorruptionKind::EACH {
            for level in 0..5 {
                let apply = || {
                    let mut rng = Seed(4).stream(9, 0, 0, Use::Step);
                    kind.apply(&clean, level, &mut rng)
                };
                let got = apply();
                assert_eq!(got.shape, shape, "{kind:?}");
                assert!(got.values.iter().all(|value| value.is_finite()), "{kind:?} {shape:?}");
                assert_eq!(got, apply(), "{kind:?}");
            }
        }
    }
}

/// 0.1 over three planes of 32 × 32: a variance of a hundredth, within five of its deviations.
#[test]
fn noise_has_the_published_size() {
    let flat = Picture { shape: [3, 32, 32], values: vec![0.5; 3072] };
    let variance = |kind: CorruptionKind, level: usize| {
        let mut rng = Seed(4).stream(1, 0, 0, Use::Step);
        let got = kind.apply(&flat, level, &mut rng);
        got.values.iter().map(|value| f64::from(value - 0.5).powi(2)).sum::<f64>() / 3072.0
    };
    let close = |got: f64, expected: f64| {
        assert!((got / expected - 1.0).abs() < 5.0 * (2.0_f64 / 3072.0).sqrt(), "{got} {expected}");
    };
    close(variance(CorruptionKind::GaussianNoise, 4), 0.01);
    // Poisson: the mean over the photons of white.
    close(variance(CorruptionKind::ShotNoise, 4), 0.5 / 50.0);
    // A share of 0.07 moves by a half.
    let share = variance(CorruptionKind::ImpulseNoise, 4) / 0.25;
    assert!((share - 0.07).abs() < 5.0 * (0.07_f64 * 0.93 / 3072.0).sqrt(), "{share}");
}
