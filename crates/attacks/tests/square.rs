//! Square: the worst case of a linear model, where the squares fall and what they cost.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Smooth;
use common::recorder::{Recorder, Target};
use duress_attacks::{Pgd, Square};
use duress_core::{
    Attack, Domain, Goal, Norm, Oracle, Passes, Problem, Status, Threat, WhiteBox, predictions, run,
};

const SHAPE: [usize; 3] = [2, 6, 5];
const FEATURES: usize = 60;

fn image() -> Domain {
    Domain::image(SHAPE[0], SHAPE[1], SHAPE[2]).unwrap()
}

fn weights() -> Vec<f32> {
    (0..FEATURES).map(|index| (index as f32 * 1.3).sin() + 0.1).collect()
}

/// Logits `(⟨w, x − ½⟩ + margin, 0)`.
fn linear(row: &[f32], margin: f32) -> Vec<f32> {
    let inner: f32 = row.iter().zip(weights()).map(|(value, weight)| (value - 0.5) * weight).sum();
    vec![inner + margin, 0.0]
}

fn attack(square: Square) -> Attack {
    Attack::Score(Box::new(square))
}

fn threat(norm: Norm, radius: f64) -> Threat {
    Threat::new(norm, radius).unwrap()
}

/// The margin of the returned row and the worst there is, both less the clean margin.
fn fall(norm: Norm, radius: f64, queries: u64) -> (f64, f64) {
    let recorder = Recorder::new(image(), 2, |row| linear(row, 100.0));
    let square = Square { queries, p_init: 0.02, ..Square::paper() };
    let clean = vec![vec![0.5; FEATURES]];
    let (asked, outcome) =
        recorder.attacked(&attack(square), &clean, Target::Ball(threat(norm, radius)), 1);
    assert_eq!(asked.len() as u64, queries);
    let row = duress_core::host::floats(outcome.rows).unwrap();
    let weights: Vec<f64> = weights().into_iter().map(f64::from).collect();
    (f64::from(linear(&row, 0.0)[0]), -radius * norm.dual().unwrap().of_slice(&weights))
}

/// `⟨w, x⟩ − ε‖w‖₁`: a square of one place flips each channel alone.
#[test]
fn squares_of_one_place_reach_the_worst_case_of_a_linear_model_in_linf() {
    let (got, worst) = fall(Norm::Linf, 0.1, 2500);
    assert!((got - worst).abs() < 1e-4, "{got} {worst}");
}

#[test]
fn transfers_of_length_come_near_the_worst_case_in_l1_and_l2() {
    for (norm, radius, share) in [(Norm::L2, 0.4, 0.7), (Norm::L1, 0.4, 0.95)] {
        let (got, worst) = fall(norm, radius, 4000);
        assert!(got <= share * worst && got >= worst - 1e-4, "{norm}: {got} of {worst}");
    }
}

/// The rows asked about a model that says the same to all: the start, then one square each.
fn trials(norm: Norm, queries: u64, samples: usize, seed: u64) -> Vec<Vec<Vec<f32>>> {
    let recorder = Recorder::new(image(), 2, |_| vec![1.0, 0.0]);
    let square = Square { queries, rescale_schedule: false, ..Square::paper() };
    let clean = vec![vec![0.5; FEATURES]; samples];
    let (asked, outcome) =
        recorder.attacked(&attack(square), &clean, Target::Ball(threat(norm, 0.25)), seed);
    assert!(outcome.samples.iter().all(|sample| sample.forwards == queries));
    (0..samples)
        .map(|sample| asked.iter().skip(sample).step_by(samples).cloned().collect())
        .collect()
}

/// The places that differ between two rows, as (top, left, bottom, right), inclusive.
fn hull(old: &[f32], new: &[f32]) -> Option<[usize; 4]> {
    let [_, height, width] = SHAPE;
    let changed = (0..FEATURES).filter(|&feature| old[feature].to_bits() != new[feature].to_bits());
    let places = changed.map(|feature| feature % (height * width));
    places.map(|place| (place / width, place % width)).fold(None, |hull, (y, x)| {
        let [top, left, bottom, right] = hull.unwrap_or([y, x, y, x]);
        Some([top.min(y), left.min(x), bottom.max(y), right.max(x)])
    })
}

#[test]
fn the_start_is_stripes_and_a_step_is_one_square_with_a_sign_for_each_channel() {
    let [channels, height, width] = SHAPE;
    let rows = &trials(Norm::Linf, 300, 1, 5)[0];
    let at =
        |row: &[f32], channel: usize, y: usize, x: usize| row[(channel * height + y) * width + x];
    for channel in 0..channels {
        for x in 0..width {
            let stripe: Vec<f32> = (0..height).map(|y| at(&rows[0], channel, y, x)).collect();
            assert!(stripe == [0.25; 6] || stripe == [0.75; 6], "{stripe:?}");
        }
    }
    // p = 0.8 to step 10: side √24 = 4.9; /2: 3.46; /4 from 51: 2.4; /8 from 201: 1.7.
    for (query, row) in rows.iter().enumerate().skip(1) {
        let side = match query - 1 {
            0..=10 => 5,
            11..=50 => 3,
            _ => 2,
        };
        let Some([top, left, bottom, right]) = hull(&rows[0], row) else { continue };
        assert!(bottom - top < side && right - left < side, "{query}");
        for channel in 0..channels {
            let mut signs: Vec<bool> = Vec::new();
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let (old, new) = (at(&rows[0], channel, y, x), at(row, channel, y, x));
                if old.to_bits() != new.to_bits() {
                    signs.push(new > 0.5);
                }
            }
            assert!(signs.windows(2).all(|pair| pair[0] == pair[1]), "{query}: one sign");
        }
    }
}

#[test]
fn squares_reach_the_last_line_and_column_as_often_as_the_first() {
    let rows = &trials(Norm::Linf, 2000, 1, 6)[0];
    let hulls: Vec<[usize; 4]> = rows.iter().filter_map(|row| hull(&rows[0], row)).collect();
    let count = |hit: fn(&[usize; 4]) -> bool| hulls.iter().filter(|&hull| hit(hull)).count();
    let (top, bottom) = (count(|hull| hull[0] == 0), count(|hull| hull[2] == 5));
    let (left, right) = (count(|hull| hull[1] == 0), count(|hull| hull[3] == 4));
    for (first, last) in [(top, bottom), (left, right)] {
        assert!(first > 100 && last > 100, "{first} {last}");
        assert!((first as f64 / last as f64).ln().abs() < 0.35, "{first} {last}");
    }
}

#[test]
fn each_sample_has_squares_of_its_own() {
    let samples = trials(Norm::Linf, 60, 2, 7);
    let hulls = |rows: &[Vec<f32>]| rows.iter().map(|row| hull(&rows[0], row)).collect::<Vec<_>>();
    assert_ne!(samples[0][0], samples[1][0], "the stripes");
    assert_ne!(hulls(&samples[0]), hulls(&samples[1]));
}

/// Nothing is accepted, so each candidate is one step from the start, and the whole ball is used.
#[test]
fn every_candidate_in_l1_and_l2_spends_the_whole_radius() {
    for norm in [Norm::L1, Norm::L2] {
        for row in &trials(norm, 200, 1, 8)[0] {
            let delta: Vec<f64> = row.iter().map(|&value| f64::from(value) - 0.5).collect();
            let length = norm.of_slice(&delta);
            assert!((length - 0.25).abs() < 1e-4, "{norm}: {length}");
        }
    }
}

/// The start is one query; a sample that it solves pays for no other.
#[test]
fn the_start_costs_one_query_and_a_solved_sample_pays_no_more() {
    for (margin, queries, status) in [(-1.0, 1, Status::Broken), (1e6, 40, Status::Survived)] {
        // The clean row alone has margin 1.
        let recorder = Recorder::new(image(), 2, move |row| {
            let clean = row.iter().all(|value| value.to_bits() == 0.5_f32.to_bits());
            vec![if clean { 1.0 } else { margin }, 0.0]
        });
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let square = attack(Square { queries: 40, ..Square::autoattack() });
            let clean = vec![vec![0.5; FEATURES]; 3];
            let (_, outcome) =
                recorder.attacked(&square, &clean, Target::Ball(threat(norm, 0.25)), 9);
            for sample in outcome.samples {
                assert_eq!((sample.forwards, sample.status), (queries, status), "{norm}");
            }
        }
    }
}

/// Segments of a table; an immutable feature keeps its bits and the others use the whole ball.
#[test]
fn a_row_of_a_table_is_attacked_in_segments() {
    let domain = Domain::table(vec![0.0; 9], vec![1.0; 9]).unwrap();
    let domain = domain.with_immutable(vec![4]).unwrap();
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        let answer = |row: &[f32]| vec![row.iter().sum::<f32>() + 9.0, 0.0];
        let recorder = Recorder::new(domain.clone(), 2, answer);
        let square = attack(Square { queries: 1500, p_init: 0.3, ..Square::paper() });
        let clean = vec![vec![0.5; 9]];
        let (_, outcome) = recorder.attacked(&square, &clean, Target::Ball(threat(norm, 0.3)), 3);
        let row = duress_core::host::floats(outcome.rows).unwrap();
        assert_eq!(row[4].to_bits(), 0.5_f32.to_bits());
        let fall = 4.5 - row.iter().map(|&value| f64::from(value)).sum::<f64>();
        let worst = match norm {
            Norm::L1 => 0.3,
            Norm::L2 => 0.3 * 8.0_f64.sqrt(),
            _ => 0.3 * 8.0,
        };
        assert!(fall > 0.8 * worst && fall < worst + 1e-5, "{norm}: {fall} of {worst}");
    }
}

/// Where the loss is bent, looking around finds more than one descent.
#[test]
fn square_breaks_no_fewer_than_pgd_on_a_model_of_no_particular_shape() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Smooth { domain: Domain::image(1, 8, 8).unwrap(), classes: 10 };
    let oracle = WhiteBox::new(&model, &passes);
    let values: Vec<f32> =
        (0..40 * 64).map(|index| (index as f32 * 0.61).sin().mul_add(0.5, 0.5)).collect();
    let rows: Tensor<2> = Tensor::from_data(TensorData::new(values, [40, 64]), &device);
    let clean = predictions(passes.logits(&model, rows.clone()).unwrap()).unwrap();
    let labels: Vec<usize> = clean.into_iter().map(|(class, _)| class).collect();
    for (norm, radius) in [(Norm::Linf, 0.004), (Norm::L2, 0.03), (Norm::L1, 0.15)] {
        let broken = |attack: &Attack| {
            let goal = Goal::Untargeted(labels.clone());
            let white = Oracle::Gradients(&oracle);
            let problem = Problem::new(white, rows.clone(), goal, threat(norm, radius));
            run(attack, &problem).unwrap().count(Status::Broken)
        };
        let pgd = broken(&Attack::Gradient(Box::new(Pgd::paper())));
        let square = broken(&attack(Square { queries: 2000, ..Square::paper() }));
        assert!(pgd > 10 && pgd < 40 && square >= pgd, "{norm}: {square} of PGD's {pgd}");
    }
}
