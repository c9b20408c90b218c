//! One perturbation for a batch, on a linear model: it fools a class of samples beyond the largest
//! `margin/‖w‖*` and no sample before its own.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Linear;
use duress_attacks::find;
use duress_core::{
    Attack, Domain, Error, Goal, Norm, Oracle, Outcome, Passes, Problem, Status, Threat, WhiteBox,
    host::floats, run,
};

const WEIGHTS: [f32; 4] = [3.0, -1.0, 2.0, 0.5];
/// ‖w‖₂ and ‖w‖₁.
const DUALS: [(Norm, f64); 2] = [(Norm::L2, 3.774_917), (Norm::Linf, 6.5)];

/// Rows around ½ whose margins are these, far from the box.
fn rows(margins: &[f32]) -> Vec<f32> {
    let square: f32 = WEIGHTS.iter().map(|weight| weight * weight).sum();
    let row = |margin: &f32| WEIGHTS.map(|weight| 0.5 + margin * weight / square);
    margins.iter().flat_map(row).collect()
}

fn attack(name: &str, parameters: &str) -> Attack {
    (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap()
}

/// `⟨w, ½⟩ = 2.25` is the bias taken away, so that the margins are those asked for.
fn outcome(attack: &Attack, margins: &[f32], threat: Threat, budget: Option<u64>) -> Outcome {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, -2.25);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::from_data(TensorData::new(rows(margins), [margins.len(), 4]), &device);
    let goal = Goal::Untargeted(vec![0; margins.len()]);
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat);
    run(attack, &problem.with_budget(budget)).unwrap()
}

/// What was added to each row.
fn added(got: Outcome, margins: &[f32]) -> Vec<[f32; 4]> {
    let values = floats(got.rows).unwrap();
    let clean = rows(margins);
    let pairs = values.chunks(4).zip(clean.chunks(4));
    pairs.map(|(new, old)| std::array::from_fn(|index| new[index] - old[index])).collect()
}

const MARGINS: [f32; 5] = [0.1, 0.3, 0.2, 0.25, 0.15];

#[test]
fn one_perturbation_fools_all_beyond_the_largest_distance() {
    for (norm, dual) in DUALS {
        for (name, parameters) in
            [("universal-deepfool", "passes = 50\ndelta = 0.0"), ("universal-sgd", "")]
        {
            // DeepFool's steps are Euclidean: cut to the ball of Linf they gain little near its corner.
            let radius = 1.3 * 0.3 / dual;
            let threat = Threat::new(norm, radius).unwrap();
            let got = outcome(&attack(name, parameters), &MARGINS, threat, None);
            assert_eq!(got.count(Status::Broken), 5, "{name} {norm}");
            let added = added(got, &MARGINS);
            for other in &added {
                for (a, b) in other.iter().zip(&added[0]) {
                    assert!((a - b).abs() < 1e-6, "{name} {norm}: one for all");
                }
                let length = norm.of_slice(&other.map(f64::from));
                assert!(length <= radius * (1.0 + 1e-5), "{name} {norm}: {length} {radius}");
            }
        }
    }
}

#[test]
fn no_sample_is_fooled_within_its_own_distance() {
    for (norm, dual) in DUALS {
        for (name, parameters) in
            [("universal-deepfool", "passes = 50\ndelta = 0.0"), ("universal-sgd", "")]
        {
            let threat = Threat::new(norm, 0.22 / dual).unwrap();
            let got = outcome(&attack(name, parameters), &MARGINS, threat, None);
            for (sample, margin) in got.samples.iter().zip(MARGINS) {
                let near = margin < 0.22;
                assert_eq!(sample.status == Status::Broken, near, "{name} {norm} {margin}");
            }
        }
    }
}

/// A perturbation far inside the ball stays as short as `DeepFool` made it: 0.2/‖w‖, overshoot on
/// top.
#[test]
fn the_ball_is_not_filled() {
    for (norm, _) in DUALS {
        let threat = Threat::new(norm, 0.4).unwrap();
        let got = outcome(&attack("universal-deepfool", ""), &[0.2], threat, None);
        let length = Norm::L2.of_slice(&added(got, &[0.2])[0].map(f64::from));
        let expected = 1.02 * 0.2 / DUALS[0].1;
        assert!((length / expected - 1.0).abs() < 1e-4, "{length} {expected}");
    }
}

/// Clean 1; a pass: turn 1, `DeepFool` 2 gradients and 1 look, measurement 1. The second sample of
/// the second batch is fooled before its turn.
#[test]
fn queries_of_deepfool_by_hand() {
    let spent = |margins: &[f32], parameters: &str, radius: f64| -> Vec<(u64, u64)> {
        let threat = Threat::new(Norm::L2, radius).unwrap();
        let got = outcome(&attack("universal-deepfool", parameters), margins, threat, None);
        got.samples.iter().map(|sample| (sample.forwards, sample.backwards)).collect()
    };
    assert_eq!(spent(&[0.1, 0.2], "", 0.4), [(6, 2), (6, 2)]);
    assert_eq!(spent(&[0.2, 0.1], "", 0.4), [(6, 2), (3, 0)]);
    // Too small a ball: the first is fooled (nine tenths suffice), the second asks in each pass.
    let radius = 0.12 / DUALS[0].1;
    assert_eq!(spent(&[0.1, 0.2], "passes = 3", radius), [(10, 2), (16, 6)]);
    // Half of the batch is enough: one pass.
    assert_eq!(spent(&[0.1, 0.2], "passes = 3\ndelta = 0.5", radius), [(6, 2), (6, 2)]);
}

/// Class 0 is predicted where two logits tie, and left all the same.
#[test]
fn an_exact_tie_is_left() {
    let threat = Threat::new(Norm::L2, 0.1).unwrap();
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, -1.0], 0.0);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::<2>::full([1, 2], 0.5, &device);
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, Goal::Untargeted(vec![0]), threat);
    let got = run(&attack("universal-deepfool", ""), &problem).unwrap();
    assert_eq!(got.samples[0].status, Status::Broken);
    assert!(got.samples[0].distance < 1e-5, "{}", got.samples[0].distance);
}

/// Whoever has no query left drops out, and the others go on without it.
#[test]
fn a_budget_ends_one_turn_and_not_the_others() {
    let threat = || Threat::new(Norm::L2, 0.12 / DUALS[0].1).unwrap();
    let attack = attack("universal-deepfool", "passes = 3");
    for budget in 0..16 {
        let got = outcome(&attack, &[0.1, 0.2], threat(), Some(budget));
        assert!(got.samples.iter().all(|sample| sample.forwards <= budget), "{budget}");
        let broken = got.samples[0].status == Status::Broken;
        assert_eq!(broken, budget >= 5, "{budget}: its step takes five queries");
    }
}

/// `m − ε‖w‖*`, as from one step of the whole radius.
#[test]
fn ascent_reaches_the_worst_case_and_each_sample_keeps_its_radius() {
    for (norm, dual) in DUALS {
        let radii = vec![0.0, 0.01, 0.05];
        let threat = Threat::per_sample(norm, radii.clone()).unwrap();
        let margins = [0.4, 0.4, 0.4];
        let got = outcome(&attack("universal-sgd", ""), &margins, threat, None);
        assert!(got.samples.iter().all(|sample| sample.forwards == 100));
        for (by, radius) in added(got, &margins).into_iter().zip(radii) {
            let moved: f32 = by.iter().zip(WEIGHTS).map(|(by, weight)| by * weight).sum();
            assert!((f64::from(moved) + radius * dual).abs() < 1e-4, "{norm} {radius}: {moved}");
        }
    }
}

#[test]
fn deepfool_scales_down_to_a_smaller_radius() {
    for (norm, _) in DUALS {
        let threat = Threat::per_sample(norm, vec![0.0, 0.2, 0.01]).unwrap();
        let margins = [0.3, 0.3, 0.3];
        let got = outcome(&attack("universal-deepfool", "delta = 0.0"), &margins, threat, None);
        assert_eq!(got.count(Status::Broken), 1);
        assert_eq!(got.samples[1].status, Status::Broken);
        let lengths: Vec<f64> =
            added(got, &margins).into_iter().map(|by| norm.of_slice(&by.map(f64::from))).collect();
        assert!(lengths[0] < 1e-9 && (lengths[2] - 0.01).abs() < 1e-5, "{lengths:?}");
    }
}

/// Feature 0 is black and would have to become blacker: the step is made of the others, at
/// `margin/‖(−1, 2, ½)‖`, and one of them is enough.
#[test]
fn a_step_does_not_run_into_a_face_of_the_box() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, -0.55);
    let oracle = WhiteBox::new(&model, &passes);
    let distance = 0.2 / 5.25_f64.sqrt();
    for (factor, status) in [(0.99, Status::Survived), (1.03, Status::Broken)] {
        let rows = Tensor::<2>::from_data([[0.0, 0.5, 0.5, 0.5]], &device);
        let threat = Threat::new(Norm::L2, distance * factor).unwrap();
        let goal = Goal::Untargeted(vec![0]);
        let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat);
        let got = run(&attack("universal-deepfool", "passes = 1"), &problem).unwrap();
        assert_eq!((got.samples[0].status, got.samples[0].forwards), (status, 6), "{factor}");
    }
}

/// The surrogate gets the second sample wrong: its prediction must change all the same, and the
/// target decides.
#[test]
fn a_transfer_counts_changes_of_the_surrogate_s_prediction() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let (surrogate, target) = (Linear::new(&WEIGHTS, -2.25), Linear::new(&WEIGHTS, -2.0));
    let (near, judge) = (WhiteBox::new(&surrogate, &passes), WhiteBox::new(&target, &passes));
    let margins = [0.3, -0.1, 0.1];
    for norm in [Norm::L2, Norm::Linf] {
        let rows = Tensor::from_data(TensorData::new(rows(&margins), [3, 4]), &device);
        let threat = Threat::new(norm, 0.3).unwrap();
        let goal = Goal::Untargeted(vec![0; 3]);
        let problem = Problem::new(Oracle::Gradients(&near), rows, goal, threat);
        let problem = problem.judged_by(Oracle::Gradients(&judge));
        for name in ["universal-deepfool", "universal-sgd"] {
            let got = run(&attack(name, ""), &problem).unwrap();
            let added = added(got, &margins);
            assert!(added.iter().flatten().any(|by| by.abs() > 1e-3), "{name}");
            for other in &added {
                assert!(other.iter().zip(&added[0]).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
            }
        }
    }
}

/// Feature 0 has the largest weight and may not move: ‖w‖ counts the others.
#[test]
fn immutable_features_are_left_out_of_the_perturbation() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let mut model = Linear::new(&WEIGHTS, -2.25);
    model.domain = Domain::table(vec![0.0; 4], vec![1.0; 4]).unwrap();
    model.domain = model.domain.with_immutable(vec![0]).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    for (norm, dual) in [(Norm::L2, 5.25_f64.sqrt()), (Norm::Linf, 3.5)] {
        for (factor, broken) in [(0.99, 0), (1.1, 2)] {
            for (name, parameters) in [("universal-deepfool", "passes = 50"), ("universal-sgd", "")]
            {
                let values = rows(&[0.2, 0.2]);
                let rows = Tensor::from_data(TensorData::new(values, [2, 4]), &device);
                let threat = Threat::new(norm, 0.2 * factor / dual).unwrap();
                let goal = Goal::Untargeted(vec![0; 2]);
                let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat);
                let got = run(&attack(name, parameters), &problem).unwrap();
                assert_eq!(got.count(Status::Broken), broken, "{name} {norm} {factor}");
            }
        }
    }
}

#[test]
fn a_target_is_refused_by_deepfool_and_reached_by_ascent() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, -2.25);
    let oracle = WhiteBox::new(&model, &passes);
    let attempt = |name: &str| {
        let rows = Tensor::from_data(TensorData::new(rows(&[0.1, 0.2]), [2, 4]), &device);
        let threat = Threat::new(Norm::L2, 0.1).unwrap();
        let goal = Goal::Targeted(vec![1; 2]);
        run(&attack(name, ""), &Problem::new(Oracle::Gradients(&oracle), rows, goal, threat))
    };
    assert_eq!(attempt("universal-sgd").unwrap().count(Status::Broken), 2);
    let error = attempt("universal-deepfool").unwrap_err();
    assert!(matches!(error, Error::Parameter { field: "goal", .. }), "{error}");
}
