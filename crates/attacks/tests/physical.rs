//! Attacks under a constraint of their own: what they may change, what they reach, what they ask.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Constant, Linear, Smooth, quick};
use duress_attacks::{ATTACKS, find};
use duress_core::{
    Attack, Classifier, Domain, Error, Goal, Norm, Oracle, Outcome, Passes, Problem, Reach, Status,
    Threat, WhiteBox, host::floats, run,
};

const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;

fn attack(name: &str, parameters: &str) -> Attack {
    (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap()
}

/// A linear model over square grey pictures.
fn linear(weights: &[f32], bias: f32) -> Linear {
    let mut model = Linear::new(weights, bias);
    model.domain = Domain::image(1, SIDE, SIDE).unwrap();
    model
}

fn outcome(attack: &Attack, model: &dyn Classifier, rows: &[f32], goal: Goal) -> Outcome {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(model, &passes);
    let shape = [goal.labels().len(), model.domain().features()];
    let rows = Tensor::from_data(TensorData::new(rows.to_vec(), shape), &device);
    let threat = Threat::new(Norm::Linf, 1.0).unwrap();
    run(attack, &Problem::new(Oracle::Gradients(&oracle), rows, goal, threat)).unwrap()
}

fn stay(count: usize) -> Goal {
    Goal::Untargeted(vec![0; count])
}

/// The goal to leave the predictions of the clean rows.
fn away(model: &dyn Classifier, rows: &[f32], count: usize) -> Goal {
    let one = attack("corruption", "kind = \"contrast\"");
    let got = outcome(&one, model, rows, stay(count));
    Goal::Untargeted(got.samples.iter().map(|sample| sample.clean_prediction).collect())
}

/// Nothing moves the prediction: each try is made.
#[test]
fn queries_of_a_survivor_by_formula() {
    let model = linear(&[0.001; PIXELS], 5.0);
    let rows = vec![0.5; 2 * PIXELS];
    for (name, parameters, forwards, backwards) in [
        ("spatial", "", 775, 0),
        ("spatial", "angles = 3\nshifts = 2", 12, 0),
        ("spatial", "search = \"random\"", 10, 0),
        ("elastic", "", 10, 0),
        ("sticker", "steps = 7\nrestarts = 3", 21, 21),
        ("adversarial-patch", "steps = 4\ndraws = 3", 12, 12),
        ("corruption", "", 14, 0),
        ("corruption", "kind = \"fog\"", 1, 0),
    ] {
        for sample in outcome(&attack(name, parameters), &model, &rows, stay(2)).samples {
            let got = (sample.forwards, sample.backwards);
            assert_eq!(got, (forwards, backwards), "{name} {parameters}");
        }
    }
}

/// A white picture whose label needs every pixel: the first rotation blackens corners.
#[test]
fn a_solved_sample_asks_no_more() {
    let model = linear(&[1.0; PIXELS], 0.5 - PIXELS as f32);
    let got = outcome(&attack("spatial", ""), &model, &[1.0; PIXELS], stay(1));
    assert_eq!((got.samples[0].status, got.samples[0].forwards), (Status::Broken, 1));
}

#[test]
fn a_finer_grid_breaks_whatever_a_coarser_one_breaks() {
    let model = Smooth { domain: Domain::image(1, SIDE, SIDE).unwrap(), classes: 10 };
    let rows: Vec<f32> = (0..30 * PIXELS).map(|i| (i as f32 * 0.61).sin() * 0.5 + 0.5).collect();
    let goal = away(&model, &rows, 30);
    let broken = |angles: u32, shifts: u32| -> Vec<bool> {
        let parameters = format!("rotation = 6.0\nangles = {angles}\nshifts = {shifts}");
        let got = outcome(&attack("spatial", &parameters), &model, &rows, goal.clone());
        got.samples.iter().map(|sample| sample.status == Status::Broken).collect()
    };
    let fine = broken(5, 5);
    let mut some_survive_the_coarse = false;
    for (angles, shifts) in [(1, 3), (3, 1), (3, 3), (5, 1), (1, 5)] {
        let coarse = broken(angles, shifts);
        assert!(coarse.iter().zip(&fine).all(|(coarse, fine)| *fine || !coarse));
        some_survive_the_coarse |= coarse.contains(&false);
    }
    assert!(some_survive_the_coarse);
}

/// The rectangle goes to the corners of the box that the weights name, the rest stays.
#[test]
fn a_sticker_reaches_the_worst_case_of_its_rectangle() {
    let weights: Vec<f32> = (0..PIXELS).map(|index| (index as f32 * 1.1 + 0.2).sin()).collect();
    let model = linear(&weights, 100.0);
    let parameters =
        "top = 0.25\nleft = 0.5\nheight = 0.25\nwidth = 0.375\nsteps = 40\nloss = \"margin\"";
    let clean = vec![0.3; PIXELS];
    let got = outcome(&attack("sticker", parameters), &model, &clean, stay(1));
    assert_eq!(got.samples[0].status, Status::Survived);
    for (pixel, value) in floats(got.rows).unwrap().into_iter().enumerate() {
        let inside = (2..4).contains(&(pixel / SIDE)) && (4..7).contains(&(pixel % SIDE));
        let corner = if weights[pixel] > 0.0 { 0.0 } else { 1.0 };
        let expected = if inside { corner } else { 0.3 };
        assert!((value - expected).abs() < 1e-6, "{pixel}: {value}");
    }
}

/// Every weight is one, so the patch becomes black: 4 × 4 black pixels in a block somewhere.
#[test]
fn a_square_patch_covers_its_pixels_at_each_sample_s_own_place() {
    let model = linear(&[1.0; PIXELS], 100.0);
    let parameters = "shape = \"square\"\nsize = 0.5\nscale_min = 1.0\nrotation = 0.0\nsteps = 60\nloss = \"margin\"";
    let mut places = Vec::new();
    let goals = [stay(12), Goal::Targeted(vec![1; 12])];
    for goal in goals {
        let rows = vec![0.5; 12 * PIXELS];
        let got = outcome(&attack("adversarial-patch", parameters), &model, &rows, goal);
        for row in floats(got.rows).unwrap().chunks(PIXELS) {
            let black: Vec<usize> = (0..PIXELS).filter(|&pixel| row[pixel] < 0.01).collect();
            assert_eq!(black.len(), 16);
            assert!((0..PIXELS).filter(|&pixel| (row[pixel] - 0.5).abs() < 1e-6).count() == 48);
            let first = black[0];
            let square = (0..16).map(|index| first + index / 4 * SIDE + index % 4);
            assert_eq!(black, square.collect::<Vec<_>>());
            places.push(first);
        }
    }
    places.truncate(12);
    places.sort_unstable();
    places.dedup();
    assert!(places.len() > 3, "{places:?}");
}

/// As large as the picture there is one placement: each row is the patch itself.
#[test]
fn a_patch_is_the_same_for_all_samples_and_the_worst_case_of_a_linear_model() {
    let weights: Vec<f32> = (0..PIXELS).map(|index| (index as f32 * 1.1 + 0.2).sin()).collect();
    let model = linear(&weights, 100.0);
    let parameters =
        "shape = \"square\"\nscale_min = 1.0\nrotation = 0.0\nsteps = 60\nloss = \"margin\"";
    let rows: Vec<f32> = (0..3 * PIXELS).map(|index| (index % 7) as f32 / 7.0).collect();
    let got = outcome(&attack("adversarial-patch", parameters), &model, &rows, stay(3));
    for row in floats(got.rows).unwrap().chunks(PIXELS) {
        for (value, weight) in row.iter().zip(&weights) {
            let corner = if *weight > 0.0 { 0.0 } else { 1.0 };
            assert!((value - corner).abs() < 1e-5, "{value} {weight}");
        }
    }
}

/// A disc of 6 pixels and its area of 28, within its rim.
#[test]
fn a_disc_covers_its_area() {
    let model = linear(&[1.0; PIXELS], 100.0);
    let parameters = "size = 0.75\nscale_min = 1.0\nsteps = 60\nloss = \"margin\"";
    let rows = vec![0.5; 10 * PIXELS];
    let got = outcome(&attack("adversarial-patch", parameters), &model, &rows, stay(10));
    let values = floats(got.rows).unwrap();
    let black = values.iter().filter(|&&value| value < 0.01).count() as f64 / 10.0;
    assert!((black - 28.27).abs() < 2.0, "{black}");
}

#[test]
fn a_flow_of_zero_is_the_clean_picture() {
    let model = Constant { domain: Domain::image(1, SIDE, SIDE).unwrap(), answer: 1.0 };
    let rows: Vec<f32> = (0..PIXELS).map(|index| (index as f32 * 0.3).sin().abs()).collect();
    let got = outcome(&attack("flow", ""), &model, &rows, stay(1));
    assert_eq!((got.samples[0].status, got.samples[0].forwards), (Status::Survived, 1));
    assert_eq!(floats(got.rows).unwrap(), rows);
}

/// On a ramp the class turns where a pixel shows its neighbour's value: no other way is left, since
/// a flow only shows what is there.
#[test]
fn a_flow_turns_a_class_with_values_that_are_there() {
    let mut weights = [0.0; PIXELS];
    (weights[27], weights[36]) = (-4.0, -4.0);
    let rows: Vec<f32> = (0..PIXELS).map(|pixel| (pixel % SIDE) as f32 / 10.0).collect();
    // x₂₇ + x₃₆ = 0.3 + 0.4; the largest sum there is 1.4.
    for (turns, status) in [(1.2, Status::Broken), (1.5, Status::Survived)] {
        let model = linear(&weights, 4.0 * turns);
        for goal in [stay(1), Goal::Targeted(vec![1])] {
            let got = outcome(&attack("flow", ""), &model, &rows, goal);
            assert_eq!(got.samples[0].status, status, "{turns}");
            let values = floats(got.rows).unwrap();
            assert!(values.iter().all(|value| (0.0..=0.700_001).contains(value)));
        }
    }
}

/// Colour, not square, with pixels that nobody may touch: the driver checks box and mask.
#[test]
fn immutable_pixels_stay_in_pictures_of_any_shape() {
    for shape in [[3, 5, 7], [1, 1, 9], [2, 6, 1]] {
        let [channels, height, width] = shape;
        let domain = Domain::image(channels, height, width).unwrap();
        let model = Smooth { domain: domain.with_immutable(vec![1, 4, 8]).unwrap(), classes: 4 };
        let count = channels * height * width;
        let rows: Vec<f32> = (0..5 * count).map(|i| (i as f32 * 0.37).sin() * 0.5 + 0.5).collect();
        let names = ATTACKS.iter().filter(|entry| {
            let attack = quick(entry.name);
            attack.algorithm().reach() == Reach::Box || attack.algorithm().joint()
        });
        for entry in names {
            let got = outcome(&quick(entry.name), &model, &rows, away(&model, &rows, 5));
            assert!(got.samples.iter().all(|sample| sample.forwards > 0), "{}", entry.name);
            let moved = floats(got.rows).unwrap() != rows;
            assert!(moved, "{} {shape:?} moves something", entry.name);
        }
    }
}

/// A box that is not `[0, 1]` and a feature that has only one value.
#[test]
fn boxes_of_other_units_are_kept() {
    use duress_core::{Bound, Layout};
    let layout = Layout::Image { channels: 1, height: 4, width: 4 };
    let (lower, mut upper) = (vec![-2.0; 16], vec![3.0; 16]);
    upper[5] = -2.0;
    let domain = Domain::new(layout, Bound::PerFeature(lower), Bound::PerFeature(upper)).unwrap();
    let model = Smooth { domain, classes: 4 };
    let mut rows: Vec<f32> = (0..48).map(|i| (i as f32 * 0.37).sin() * 2.0 + 0.4).collect();
    (0..3).for_each(|sample| rows[sample * 16 + 5] = -2.0);
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    for entry in ATTACKS {
        let attack = quick(entry.name);
        if attack.algorithm().reach() != Reach::Box {
            continue;
        }
        let clean = Tensor::from_data(TensorData::new(rows.clone(), [3, 16]), &device);
        let goal = Goal::Untargeted(vec![0, 1, 2]);
        let threat = Threat::new(Norm::L2, 20.0).unwrap();
        let problem = Problem::new(Oracle::Gradients(&oracle), clean, goal, threat);
        run(&attack, &problem).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
    }
}

#[test]
fn a_row_that_is_no_picture_is_refused_and_so_is_a_small_ball() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let table = Domain::table(vec![0.0; 4], vec![1.0; 4]).unwrap();
    let picture = Domain::image(1, 2, 2).unwrap();
    for entry in ATTACKS {
        let attack = quick(entry.name);
        if attack.algorithm().reach() != Reach::Box {
            continue;
        }
        let error = |domain: &Domain, radius: f64| {
            let model = Smooth { domain: domain.clone(), classes: 3 };
            let oracle = WhiteBox::new(&model, &passes);
            let rows = Tensor::full([1, 4], 0.5, &device);
            let threat = Threat::new(Norm::Linf, radius).unwrap();
            let problem = Problem::new(Oracle::Gradients(&oracle), rows, stay(1), threat);
            run(&attack, &problem).unwrap_err()
        };
        let name = entry.name;
        assert!(matches!(error(&table, 1.0), Error::NotAnImage(_)), "{name}");
        assert!(matches!(error(&picture, 0.5), Error::Reach { .. }), "{name}");
    }
}

/// The same streams alone and among all: what one corruption breaks, all of them break.
#[test]
fn all_corruptions_break_what_one_breaks() {
    use duress_attacks::CorruptionKind;
    let model = Smooth { domain: Domain::image(1, SIDE, SIDE).unwrap(), classes: 10 };
    let rows: Vec<f32> = (0..12 * PIXELS).map(|i| (i as f32 * 0.23).sin() * 0.5 + 0.5).collect();
    let broken = |kind: CorruptionKind, goal: Goal| -> Outcome {
        let corruption = duress_attacks::Corruption { kind, severity: 3 };
        outcome(&Attack::Label(Box::new(corruption)), &model, &rows, goal)
    };
    let labels = || away(&model, &rows, 12);
    let all = broken(CorruptionKind::All, labels());
    let mut count = 0;
    for kind in CorruptionKind::EACH {
        for (one, all) in broken(kind, labels()).samples.iter().zip(&all.samples) {
            if one.status == Status::Broken {
                count += 1;
                assert_eq!(all.status, Status::Broken, "{kind:?}");
            }
        }
    }
    assert!(count > 0);
}

#[test]
fn a_severity_is_between_one_and_five() {
    let model = linear(&[1.0; PIXELS], 0.0);
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([1, PIXELS], 0.5, &device);
    let threat = Threat::new(Norm::Linf, 1.0).unwrap();
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, stay(1), threat);
    let error = run(&attack("corruption", "severity = 6"), &problem).unwrap_err().to_string();
    assert_eq!(error, "corruption: `severity` must be between 1 and 5, got 6");
}
