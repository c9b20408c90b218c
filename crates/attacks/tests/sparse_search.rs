//! Attacks on a few pixels: how many they change, where, and what it costs.
#![allow(clippy::unwrap_used)]
mod common;

use common::recorder::{Recorder, Target};
use duress_attacks::{OnePixel, SparseRs, SparseRsPatch};
use duress_core::{Attack, Domain, Norm, ScoreAttack, Threat, host};

const CHANNELS: usize = 3;
const HEIGHT: usize = 5;
const WIDTH: usize = 4;
const PLACES: usize = HEIGHT * WIDTH;
const FEATURES: usize = CHANNELS * PLACES;

fn image() -> Domain {
    Domain::image(CHANNELS, HEIGHT, WIDTH).unwrap()
}

fn weight(feature: usize) -> f32 {
    (feature as f32 * 2.3).sin() + 0.05
}

fn inner(row: &[f32]) -> f32 {
    row.iter().enumerate().map(|(feature, value)| (value - 0.5) * weight(feature)).sum()
}

fn attack(attack: impl ScoreAttack + 'static) -> Attack {
    Attack::Score(Box::new(attack))
}

fn clean() -> Vec<Vec<f32>> {
    vec![vec![0.5; FEATURES]]
}

fn l0(radius: f64) -> Target {
    Target::Ball(Threat::new(Norm::L0, radius).unwrap())
}

/// Places at which two rows differ.
fn places(old: &[f32], new: &[f32]) -> Vec<usize> {
    let differs = |place: &usize| {
        let mut channels = 0..CHANNELS;
        channels.any(|channel| {
            let feature = channel * PLACES + place;
            old[feature].to_bits() != new[feature].to_bits()
        })
    };
    (0..PLACES).filter(differs).collect()
}

/// What the `count` best pixels of a linear model are worth: `½ Σ |w|` over their channels.
fn worst(count: usize) -> f32 {
    let of = |place| -> f32 {
        (0..CHANNELS).map(|channel| weight(channel * PLACES + place).abs() / 2.0).sum()
    };
    let mut worth: Vec<f32> = (0..PLACES).map(of).collect();
    worth.sort_by(|a, b| b.total_cmp(a));
    worth[..count].iter().sum()
}

/// Loss of the returned row below the clean one's, with the number of its pixels.
fn fall(attack: &Attack, radius: f64) -> (usize, f32, usize) {
    let recorder = Recorder::new(image(), 2, |row| vec![inner(row) + 50.0, 0.0]);
    let (asked, outcome) = recorder.attacked(attack, &clean(), l0(radius), 3);
    let most = asked.iter().map(|row| places(&clean()[0], row).len()).max().unwrap_or(0);
    let row = host::floats(outcome.rows).unwrap();
    (asked.len(), -inner(&row), most)
}

/// A radius counts features: of 11, three pixels of three channels can be paid.
#[test]
fn sparse_rs_finds_the_best_pixels_of_a_linear_model_for_exactly_its_queries() {
    let sparse = attack(SparseRs { queries: 3000, ..SparseRs::paper() });
    let (asked, got, most) = fall(&sparse, 11.0);
    assert_eq!((asked, most), (3000, 3));
    assert!((got - worst(3)).abs() < 1e-4, "{got} {}", worst(3));
    assert_eq!(fall(&sparse, 2.9).0, 0, "no pixel can be paid");
}

/// Nothing is accepted, so each step differs from the start by the pixels it moves, twice.
#[test]
fn sparse_rs_moves_as_many_pixels_as_its_schedule_says_each_sample_others() {
    let recorder = Recorder::new(image(), 2, |_| vec![1.0, 0.0]);
    let sparse = attack(SparseRs { queries: 10_000, alpha_init: 1.0, restarts: 1 });
    let rows = vec![vec![0.5; FEATURES]; 2];
    let (asked, outcome) = recorder.attacked(&sparse, &rows, l0(30.0), 5);
    assert!(outcome.samples.iter().all(|sample| sample.forwards == 10_000));
    let own = |sample: usize| asked.iter().skip(sample).step_by(2).collect::<Vec<_>>();
    let (first, second) = (own(0), own(1));
    assert_ne!(first[0], second[0]);
    // ⌊10 / divisor⌋ of 10 pixels leave and as many others enter.
    for (step, moved) in [(1, 5), (50, 5), (51, 2), (201, 2), (501, 1), (2001, 1), (9999, 1)] {
        for rows in [&first, &second] {
            assert_eq!(places(rows[0], rows[step]).len(), 2 * moved, "{step}");
            assert_eq!(places(&clean()[0], rows[step]).len(), 10, "{step}");
        }
    }
    let corners = |row: &&Vec<f32>| row.iter().all(|value| [0.0, 0.5, 1.0].contains(value));
    assert!(first.iter().all(corners));
}

#[test]
fn a_patch_is_one_square_that_reaches_every_corner() {
    let recorder = Recorder::new(image(), 2, |_| vec![1.0, 0.0]);
    let patch = attack(SparseRsPatch { size: 2, queries: 5, ..SparseRsPatch::paper() });
    let rows = vec![vec![0.5; FEATURES]; 200];
    let (asked, _) = recorder.attacked(&patch, &rows, l0(60.0), 6);
    assert_eq!(asked.len(), 200 * 5);
    let mut corners = std::collections::BTreeSet::new();
    for row in &asked {
        let changed = places(&clean()[0], row);
        let [top, left] = [changed[0] / WIDTH, changed[0] % WIDTH];
        let square: Vec<usize> =
            [0, 1, WIDTH, WIDTH + 1].iter().map(|by| top * WIDTH + left + by).collect();
        assert_eq!(changed, square);
        corners.insert((top, left));
    }
    assert_eq!(corners.len(), (HEIGHT - 1) * (WIDTH - 1));
}

/// The best place for a square and the best colours, by trying all. Moves keep the colours, so that
/// a good place may not look like one.
#[test]
fn a_patch_comes_near_the_best_square_of_a_linear_model() {
    let mut best = 0.0_f32;
    for top in 0..HEIGHT - 1 {
        for left in 0..WIDTH - 1 {
            let mut worth = 0.0;
            for (channel, y, x) in
                (0..12).map(|index| (index / 4, top + index / 2 % 2, left + index % 2))
            {
                worth += weight(channel * PLACES + y * WIDTH + x).abs() / 2.0;
            }
            best = best.max(worth);
        }
    }
    let patch = SparseRsPatch { size: 2, queries: 4000, ..SparseRsPatch::paper() };
    let (asked, got, most) = fall(&attack(patch), 60.0);
    assert_eq!((asked, most), (4000, 4));
    assert!(got > 0.9 * best && got < best + 1e-4, "{got} {best}");
}

#[test]
fn one_pixel_changes_at_most_its_pixels_and_asks_once_a_candidate() {
    for (radius, pixels) in [(3.0, 1), (5.9, 1), (9.0, 3)] {
        let evolution = attack(OnePixel { population: 60, generations: 30, weight: 0.5 });
        let (asked, got, most) = fall(&evolution, radius);
        assert_eq!((asked, most), (60 * 31, pixels), "{radius}");
        assert!(got > 0.85 * worst(pixels), "{radius}: {got} of {}", worst(pixels));
    }
    assert_eq!(fall(&attack(OnePixel::paper()), 2.0).0, 0, "no pixel can be paid");
}

/// Candidates of one pixel at the edge of the range lie in the last line and column, not behind.
#[test]
fn one_pixel_reaches_every_place() {
    let recorder = Recorder::new(image(), 2, |_| vec![1.0, 0.0]);
    let evolution = attack(OnePixel { population: 400, generations: 3, weight: 0.5 });
    let (asked, _) = recorder.attacked(&evolution, &clean(), l0(3.0), 8);
    let mut seen: Vec<usize> = asked.iter().flat_map(|row| places(&clean()[0], row)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), PLACES);
}

/// All patches meet the goal; a sample without a radius is not done with the first of them.
#[test]
fn a_patch_without_a_radius_is_searched_to_the_last_query() {
    let recorder = Recorder::new(image(), 2, |row| {
        let untouched = row.iter().all(|value| value.to_bits() == 0.5_f32.to_bits());
        vec![if untouched { 1.0 } else { -1.0 }, 0.0]
    });
    let patch = attack(SparseRsPatch { size: 2, queries: 40, ..SparseRsPatch::paper() });
    let (asked, outcome) = recorder.attacked(&patch, &clean(), Target::Nearest(Norm::L0), 1);
    assert_eq!(asked.len(), 40);
    assert!((outcome.samples[0].distance - 12.0).abs() < 1e-9);
    let (asked, _) = recorder.attacked(&patch, &clean(), l0(60.0), 1);
    assert_eq!(asked.len(), 1, "with one that holds the box, it is");
}
