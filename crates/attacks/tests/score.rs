//! Score attacks on models whose answers are on paper: what they reach and what they ask.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Linear;
use common::recorder::{Recorder, Target};
use duress_attacks::{Bandits, GenAttack, Nes, Simba, SimbaBasis, Spsa, Square, Zoo, find};
use duress_core::{
    Attack, Domain, Error, Goal, Norm, Oracle, Passes, Problem, ScoreAttack, Status, Threat,
    WhiteBox, host, run,
};

const WEIGHTS: [f32; 8] = [3.0, -1.0, 2.0, 0.5, -2.5, 1.0, -0.7, 1.5];

fn image() -> Domain {
    Domain::image(2, 2, 2).unwrap()
}

fn at_half() -> Vec<Vec<f32>> {
    vec![vec![0.5; 8]]
}

/// `⟨w, x − ½⟩`, for a first logit that no ball brings below the second.
fn inner(row: &[f32]) -> f32 {
    row.iter().zip(WEIGHTS).map(|(value, weight)| (value - 0.5) * weight).sum()
}

fn plane() -> Recorder<impl Fn(&[f32]) -> Vec<f32> + Send + Sync> {
    Recorder::new(image(), 2, |row| vec![inner(row) + 20.0, 0.0])
}

fn attack(attack: impl ScoreAttack + 'static) -> Attack {
    Attack::Score(Box::new(attack))
}

fn ball(norm: Norm, radius: f64) -> Target {
    Target::Ball(Threat::new(norm, radius).unwrap())
}

/// `ε‖w‖*`: how far a point of the ball can lower the margin.
fn worst(norm: Norm, radius: f64) -> f64 {
    let weights: Vec<f64> = WEIGHTS.iter().map(|&weight| f64::from(weight)).collect();
    radius * norm.dual().unwrap().of_slice(&weights)
}

/// The rows asked, the fall of the margin at the row returned, and that row.
fn fall(attack: &Attack, norm: Norm, radius: f64) -> (Vec<Vec<f32>>, f64, Vec<f32>) {
    let (asked, outcome) = plane().attacked(attack, &at_half(), ball(norm, radius), 4);
    let row = host::floats(outcome.rows).unwrap();
    (asked, -f64::from(inner(&row)), row)
}

/// Minus succeeds where the weight is positive, for one query; plus where it is negative, for two.
#[test]
fn simba_asks_once_or_twice_a_feature_and_reaches_the_worst_case_in_linf() {
    let (asked, got, _) = fall(&attack(Simba::paper()), Norm::Linf, 0.1);
    let negative = WEIGHTS.iter().filter(|&&weight| weight < 0.0).count();
    assert_eq!(asked.len(), 1 + 8 + negative);
    assert!((got - worst(Norm::Linf, 0.1)).abs() < 1e-5, "{got}");
    let (asked, ..) = fall(&attack(Simba { steps: 3, ..Simba::paper() }), Norm::Linf, 0.1);
    assert!((4..=7).contains(&asked.len()));
}

/// At the lower corner minus goes nowhere: it is not asked about.
#[test]
fn simba_does_not_ask_about_a_step_that_the_box_stops() {
    let recorder = plane();
    let simba = attack(Simba::paper());
    let (asked, outcome) = recorder.attacked(&simba, &[vec![0.0; 8]], ball(Norm::Linf, 0.1), 1);
    assert_eq!(asked.len(), 1 + 8);
    let row = host::floats(outcome.rows).unwrap();
    for (value, weight) in row.iter().zip(WEIGHTS) {
        let expected: f32 = if weight < 0.0 { 0.1 } else { 0.0 };
        assert!((value - expected).abs() < 1e-6);
    }
}

#[test]
fn simba_in_l2_stays_at_the_edge_of_the_ball_that_its_steps_leave() {
    for basis in [SimbaBasis::Pixel, SimbaBasis::Dct] {
        let simba = Simba { basis, frequencies: 1.0, ..Simba::paper() };
        let (asked, got, _) = fall(&attack(simba), Norm::L2, 0.3);
        for row in &asked {
            let delta: Vec<f64> = row.iter().map(|&value| f64::from(value) - 0.5).collect();
            assert!(Norm::L2.of_slice(&delta) <= 0.3 * (1.0 + 1e-6));
        }
        assert!(got > 0.6 * worst(Norm::L2, 0.3), "{basis:?}: {got}");
    }
}

/// A step is 50 probes in pairs `x ± σu` and one look; 515 queries pay for ten.
#[test]
fn nes_asks_in_pairs_and_comes_near_the_worst_case() {
    let nes = Nes { queries: 515, step_size: 0.2, ..Nes::paper() };
    for norm in [Norm::L2, Norm::Linf] {
        let (asked, got, _) = fall(&attack(nes.clone()), norm, 0.1);
        assert_eq!(asked.len(), 10 * 51);
        for step in 0..10 {
            let around =
                if step == 0 { at_half()[0].clone() } else { asked[step * 51 - 1].clone() };
            for pair in asked[step * 51..][..50].chunks(2) {
                for ((a, b), middle) in pair[0].iter().zip(&pair[1]).zip(&around) {
                    assert!(((a + b) / 2.0 - middle).abs() < 1e-6);
                    assert!((a - b).abs() < 2.0 * 6.0 * 0.001);
                }
            }
        }
        assert!(got > 0.93 * worst(norm, 0.1) && got < worst(norm, 0.1) + 1e-4, "{norm}: {got}");
    }
}

/// Two queries a direction and one look; a probe moves each feature by δ, and no two samples share
/// their directions.
#[test]
fn spsa_probes_with_signs_of_each_samples_own() {
    let spsa = attack(Spsa { steps: 30, samples: 16, ..Spsa::paper() });
    let (asked, got, _) = fall(&spsa, Norm::Linf, 0.1);
    assert_eq!(asked.len(), 30 * 33);
    assert!(got > 0.95 * worst(Norm::Linf, 0.1), "{got}");
    let rows = vec![vec![0.5; 8]; 2];
    let (asked, _) = plane().attacked(&spsa, &rows, ball(Norm::Linf, 0.1), 4);
    let probes = |start: usize| asked[start..start + 32].concat();
    assert!(probes(0).iter().all(|value| ((value - 0.5).abs() - 0.01).abs() < 1e-6));
    assert_ne!(probes(0), probes(32), "the first questions of both samples");
}

/// A step is a pair of probes, of one length, and one look. With a tile a channel the two channels
/// move as wholes.
#[test]
fn bandits_follow_their_prior_tile_by_tile() {
    let bandits = Bandits { queries: 901, ..Bandits::paper() };
    for (norm, length) in [(Norm::Linf, 0.1), (Norm::L2, 0.01)] {
        let (asked, got, _) = fall(&attack(bandits.clone()), norm, 0.1);
        assert_eq!(asked.len(), 900);
        let far = |row: &[f32]| {
            let delta: Vec<f64> = row.iter().map(|&value| f64::from(value) - 0.5).collect();
            Norm::L2.of_slice(&delta)
        };
        assert!((far(&asked[0]) - length).abs() < 1e-5 && (far(&asked[1]) - length).abs() < 1e-5);
        assert!(got > 0.9 * worst(norm, 0.1), "{norm}: {got} of {}", worst(norm, 0.1));
    }
    let whole = attack(Bandits { queries: 300, tiles: 1, ..Bandits::paper() });
    let (_, got, row) = fall(&whole, Norm::Linf, 0.1);
    for channel in row.chunks(4) {
        assert!(channel.iter().all(|value| value.to_bits() == channel[0].to_bits()));
    }
    // Sums of the weights: 4.5 and −0.7.
    assert!((got - 0.1 * (4.5 + 0.7)).abs() < 1e-5, "{got}");
}

/// `searches · (iterations · (2 · coordinates + 1) + 1)`.
#[test]
fn zoo_asks_twice_a_coordinate_and_once_a_step() {
    let zoo =
        Zoo { iterations: 20, searches: 3, coordinates: 5, abort_early: false, ..Zoo::paper() };
    let (asked, _) = plane().attacked(&attack(zoo), &at_half(), Target::Nearest(Norm::L2), 2);
    assert_eq!(asked.len(), 3 * (20 * (2 * 5 + 1) + 1));
    // Before anything moved, a probe changes one feature by h, and the five are distinct.
    let changed = |row: &Vec<f32>| {
        let moved = |&at: &usize| row[at].to_bits() != 0.5_f32.to_bits();
        (0..8).filter(moved).collect::<Vec<_>>()
    };
    let mut features: Vec<usize> = asked[1..11].iter().flat_map(changed).collect();
    assert_eq!(features.len(), 10, "one feature a probe");
    features.dedup();
    features.sort_unstable();
    features.dedup();
    assert_eq!(features.len(), 5, "two probes a feature");
}

/// `population + generations · (population − 1)` within the queries; nothing fitter is ever lost.
#[test]
fn the_fittest_of_gen_attack_survives_for_free() {
    let fitness = |queries| {
        let (asked, got, _) =
            fall(&attack(GenAttack { queries, ..GenAttack::paper() }), Norm::Linf, 0.1);
        (asked, got)
    };
    let (asked, _) = fitness(60);
    assert_eq!(asked.len(), 6 + 10 * 5);
    assert_eq!(fitness(5).0.len(), 6, "the first candidates are asked about together");
    let mut before = 0.0;
    for queries in [6, 100, 1000, 8000] {
        let (asked, got) = fitness(queries);
        assert!(got >= before, "{queries}");
        before = got;
        let best = asked.iter().map(|row| -f64::from(inner(row))).fold(f64::MIN, f64::max);
        assert!((got - best).abs() < 1e-6, "{queries}: {got} {best}");
    }
    assert!(before > 0.9 * worst(Norm::Linf, 0.1), "{before}");
}

/// Hyperparameters for a small image, and a norm and radius that suffice (or not).
const EASY: [(&str, &str, Norm); 9] = [
    ("bandits", "queries = 300", Norm::Linf),
    ("gen-attack", "queries = 500", Norm::Linf),
    ("nes", "queries = 600", Norm::L2),
    ("one-pixel", "population = 30\ngenerations = 10", Norm::L0),
    ("simba", "", Norm::L2),
    ("sparse-rs", "queries = 300", Norm::L0),
    ("spsa", "steps = 20\nsamples = 20", Norm::Linf),
    ("square", "queries = 300", Norm::L1),
    ("zoo", "iterations = 100\nsearches = 3\ninitial_constant = 1.0", Norm::L2),
];

/// Three times the distance is enough for all of them, 0.99 of it for none. In L0 one pixel of two
/// channels lowers the margin by `½ (3 + 2.5)` at most.
#[test]
fn all_break_a_linear_model_well_past_its_boundary_and_none_before_it_with_and_without_a_target() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let clean: f32 = WEIGHTS.iter().sum::<f32>() / 2.0;
    for (name, parameters, norm) in EASY {
        let attack = (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap();
        for (share, status) in [(3.0, Status::Broken), (0.99, Status::Survived)] {
            let (margin, radius) = match norm {
                Norm::L0 => (2.75 / share as f32, 2.0),
                _ => (0.1, share * 0.1 / worst(norm, 1.0)),
            };
            let mut model = Linear::new(&WEIGHTS, margin - clean);
            model.domain = image();
            let oracle = WhiteBox::new(&model, &passes);
            for goal in [Goal::Untargeted(vec![0; 3]), Goal::Targeted(vec![1; 3])] {
                let rows = Tensor::full([3, 8], 0.5, &device);
                let threat = Threat::new(norm, radius).unwrap();
                let problem = Problem::new(Oracle::Scores(&oracle), rows, goal, threat);
                let outcome = run(&attack, &problem).unwrap();
                assert_eq!(outcome.count(status), 3, "{name} {norm} {share}");
            }
        }
    }
}

/// What a sample is asked does not depend on the class it has reached, only on its slopes: a
/// surrogate that is fooled at once is queried as often as one that never is.
#[test]
fn a_transfer_goes_on_after_the_surrogate_is_fooled() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let clean: f32 = WEIGHTS.iter().sum::<f32>() / 2.0;
    for (name, parameters, norm) in EASY {
        let attack = (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap();
        if attack.algorithm().reach() != duress_core::Reach::Ball {
            continue;
        }
        let models = [0.01, 6.0].map(|margin| {
            let mut model = Linear::new(&WEIGHTS, margin - clean);
            model.domain = image();
            model
        });
        let spent = models.each_ref().map(|model| {
            let (surrogate, target) =
                (WhiteBox::new(model, &passes), WhiteBox::new(&models[1], &passes));
            let radius = if norm == Norm::L0 { 4.0 } else { 0.1 / worst(norm, 1.0) };
            let problem = Problem::new(
                Oracle::Scores(&surrogate),
                Tensor::full([2, 8], 0.5, &device),
                Goal::Untargeted(vec![0; 2]),
                Threat::new(norm, radius).unwrap(),
            );
            let outcome = run(&attack, &problem.judged_by(Oracle::Scores(&target))).unwrap();
            assert_eq!(outcome.count(Status::Survived), 2);
            let loss = outcome.samples[0].loss.unwrap();
            let untouched = (1.0 + (-6.0_f64).exp()).ln();
            assert!(loss > untouched * 1.02, "{name}: {loss} {untouched}");
            outcome.samples[0].forwards
        });
        assert_eq!(spent[0], spent[1], "{name}");
    }
}

/// The driver refuses a row outside its own ball or with an immutable feature changed.
#[test]
fn each_sample_has_its_own_radius_and_immutable_features_stay() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let mut model = Linear::new(&WEIGHTS, 20.0);
    model.domain = image().with_immutable(vec![0, 5]).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    for (name, parameters, norm) in EASY {
        let attack = (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap();
        let unit = if norm == Norm::L0 { 2.0 } else { 0.1 };
        let radii = vec![0.0, unit, 3.0 * unit];
        let problem = Problem::new(
            Oracle::Scores(&oracle),
            Tensor::full([3, 8], 0.5, &device),
            Goal::Untargeted(vec![0; 3]),
            Threat::per_sample(norm, radii).unwrap(),
        );
        let outcome = run(&attack, &problem).unwrap();
        let falls: Vec<f32> =
            host::floats(outcome.rows).unwrap().chunks(8).map(|row| -inner(row)).collect();
        assert!(falls[0].abs() < 1e-6 && falls[0] < falls[1], "{name}: {falls:?}");
        assert!(falls[1] < falls[2], "{name}: {falls:?}");
        assert_eq!(outcome.samples[0].forwards == 0, name != "zoo", "{name}: nowhere to go");
    }
}

#[test]
fn rows_of_a_table_are_attacked_unless_pixels_are_needed() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let mut model = Linear::new(&WEIGHTS, 0.1 - WEIGHTS.iter().sum::<f32>() / 2.0);
    model.domain = Domain::table(vec![0.0; 8], vec![1.0; 8]).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    for (name, parameters, norm) in EASY {
        let attack = (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap();
        let radius = if norm == Norm::L0 { 1.0 } else { 0.3 / worst(norm, 1.0) };
        let problem = Problem::new(
            Oracle::Scores(&oracle),
            Tensor::full([1, 8], 0.5, &device),
            Goal::Untargeted(vec![0]),
            Threat::new(norm, radius).unwrap(),
        );
        match run(&attack, &problem) {
            Ok(outcome) => assert_eq!(outcome.count(Status::Broken), 1, "{name}"),
            Err(error) => {
                assert!(name == "one-pixel" && matches!(error, Error::NotAnImage(_)), "{error}");
            }
        }
    }
}

#[test]
fn a_restart_starts_elsewhere_and_pays_again() {
    let spent = |restarts| {
        let square = attack(Square { queries: 1, restarts, ..Square::paper() });
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let mut model = Linear::new(&WEIGHTS, 20.0);
        model.domain = image();
        let oracle = WhiteBox::new(&model, &passes);
        let problem = Problem::new(
            Oracle::Scores(&oracle),
            Tensor::full([1, 8], 0.5, &device),
            Goal::Untargeted(vec![0]),
            Threat::new(Norm::Linf, 0.5).unwrap(),
        );
        let outcome = run(&square, &problem).unwrap();
        (outcome.samples[0].forwards, outcome.samples[0].loss.unwrap())
    };
    let ((once, loss), (often, best)) = (spent(1), spent(8));
    assert_eq!((once, often), (1, 8));
    assert!(best > loss, "{best} {loss}");
}

/// Inside the ball nothing meets the goal, outside everything: the probes do not count as found.
#[test]
fn a_probe_that_leaves_the_ball_and_meets_the_goal_ends_nothing() {
    let recorder = Recorder::new(image(), 2, |row| {
        let inside = row.iter().all(|value| (value - 0.5).abs() < 0.006);
        vec![if inside { 1.0 } else { -1.0 }, 0.0]
    });
    for (attack, queries) in [
        (attack(Spsa { steps: 3, samples: 4, ..Spsa::paper() }), 3 * 9),
        (attack(Nes { queries: 33, samples: 10, sigma: 0.1, ..Nes::paper() }), 3 * 11),
        (attack(Bandits { queries: 30, ..Bandits::paper() }), 30),
    ] {
        let (asked, outcome) = recorder.attacked(&attack, &at_half(), ball(Norm::Linf, 0.005), 1);
        assert_eq!(asked.len(), queries);
        assert_eq!(outcome.count(Status::Survived), 1);
    }
}
