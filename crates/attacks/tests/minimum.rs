//! Minimum-norm attacks against closed forms, and the number of their queries.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Linear, Smooth, attack, nearest};
use duress_attacks::find;
use duress_core::{
    Classifier, Domain, Goal, Norm, Oracle, Outcome, Passes, Problem, Status, Threat, WhiteBox,
    host::floats, run,
};

const WEIGHTS: [f32; 4] = [3.0, -1.0, 2.0, 0.5];
/// ‖w‖₂.
const LENGTH: f64 = 3.774_917;

/// `W x + b`.
struct Classes {
    weights: Vec<Vec<f32>>,
    bias: Vec<f32>,
    domain: Domain,
}

impl Classes {
    fn new(weights: &[&[f32]], bias: &[f32]) -> Self {
        let domain = Domain::image(1, 1, weights[0].len()).unwrap();
        let weights = weights.iter().map(|row| row.to_vec()).collect();
        Self { weights, bias: bias.to_vec(), domain }
    }
}

impl Classifier for Classes {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.bias.len()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device();
        let shape = [self.bias.len(), self.weights[0].len()];
        let weights =
            Tensor::<2>::from_data(TensorData::new(self.weights.concat(), shape), &device);
        let bias =
            Tensor::<2>::from_data(TensorData::new(self.bias.clone(), [1, shape[0]]), &device);
        rows.matmul(weights.transpose()) + bias
    }
}

/// Logits `(4 (x₁ − ½)² + (x₂ − ½)² − ¼, 0)`: the second class is inside an ellipse.
struct Ellipse(Domain);

impl Classifier for Ellipse {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let squares = (rows - 0.5).square();
        let margin = squares.clone().narrow(1, 0, 1) * 4.0 + squares.narrow(1, 1, 1) - 0.25;
        Tensor::cat(vec![margin.clone(), margin * 0.0], 1)
    }
}

fn distances(outcome: &Outcome) -> Vec<f64> {
    let broken = outcome.samples.iter().all(|sample| sample.status == Status::Broken);
    assert!(broken, "{:?}", outcome.samples);
    outcome.samples.iter().map(|sample| sample.distance).collect()
}

fn close(got: f64, expected: f64, excess: f64) {
    assert!((got / expected - 1.0).abs() < excess, "{got} {expected}");
}

#[test]
fn a_shift_of_all_logits_to_below_zero_changes_nothing() {
    let parameters = [
        ("carlini-wagner-l2", "search_steps = 4\nsteps = 100\ninitial_constant = 1.0", Norm::L2),
        ("carlini-wagner-linf", "steps = 50\ninitial_constant = 0.1", Norm::Linf),
        ("ead", "search_steps = 4\nsteps = 100\ninitial_constant = 1.0", Norm::L1),
        ("fmn", "steps = 50", Norm::L2),
        ("deepfool", "", Norm::Linf),
        ("superdeepfool", "", Norm::L2),
    ];
    let rows: [&[f32]; 3] = [&WEIGHTS, &[0.0; 4], &[-1.0, 2.0, 0.0, 1.0]];
    let plain = Classes::new(&rows, &[-2.0, 0.0, -1.5]);
    let below = Classes::new(&rows, &[-34.0, -32.0, -33.5]);
    for (name, text, norm) in parameters {
        let goal = || Goal::Untargeted(vec![0]);
        let near = distances(&nearest(&attack(name, text), &plain, &[0.5; 4], goal(), norm))[0];
        let far = distances(&nearest(&attack(name, text), &below, &[0.5; 4], goal(), norm))[0];
        assert!((near / far - 1.0).abs() < 1e-2, "{name}: {near} {far}");
    }
}

/// All features stand on a face of the box; ⟨w, x⟩ = 5.5 and the way down leads inwards.
#[test]
fn pixels_at_the_faces_of_the_box_move() {
    let model = Linear::new(&WEIGHTS, -5.25);
    let text = "steps = 1000\ninitial_constant = 0.1";
    let goal = Goal::Untargeted(vec![0]);
    let row = [1.0, 0.0, 1.0, 1.0];
    let got = nearest(&attack("carlini-wagner-l2", text), &model, &row, goal.clone(), Norm::L2);
    close(distances(&got)[0], 0.25 / LENGTH, 0.01);
    let text = "steps = 500\ninitial_constant = 0.1\ndecrease_factor = 0.97";
    let got = nearest(&attack("carlini-wagner-linf", text), &model, &row, goal, Norm::Linf);
    close(distances(&got)[0], 0.25 / 6.5, 0.03);
}

#[test]
fn confidence_is_part_of_success() {
    let model = Linear::new(&WEIGHTS, -2.0);
    for name in ["carlini-wagner-l2", "ead"] {
        let beta = if name == "ead" { "beta = 0.0\n" } else { "" };
        let text = format!("{beta}steps = 300\ninitial_constant = 0.1\nconfidence = 0.5");
        for goal in [Goal::Untargeted(vec![0]), Goal::Targeted(vec![1])] {
            let got = nearest(&attack(name, &text), &model, &[0.5; 4], goal, Norm::L2);
            close(distances(&got)[0], 0.75 / LENGTH, 0.01);
            let passes = Passes::new(&Device::flex()).unwrap();
            let logits = floats(passes.logits(&model, got.rows).unwrap()).unwrap();
            assert!(logits[1] - logits[0] >= 0.5 - 1e-6, "{name}: {logits:?}");
        }
    }
}

/// From (0.95, ½) along (3, 4) by one: the box stops x₁ at +0.05, so x₂ moves by 0.85/4.
#[test]
fn the_projection_onto_ball_and_box_is_exact() {
    let model = Linear::new(&[-3.0, -4.0], 5.85);
    let expected = (0.05_f64.powi(2) + 0.2125_f64.powi(2)).sqrt();
    let goal = || Goal::Untargeted(vec![0]);
    let fmn = attack("fmn", "steps = 200");
    let got = nearest(&fmn, &model, &[0.95, 0.5], goal(), Norm::L2);
    close(distances(&got)[0], expected, 0.005);
    let text = "steps = 1000\ninitial_constant = 0.1";
    let got = nearest(&attack("carlini-wagner-l2", text), &model, &[0.95, 0.5], goal(), Norm::L2);
    close(distances(&got)[0], expected, 0.01);
}

/// A feature moves by ½: with margin ¼ one of weight 3 is enough, with margin 2 it takes two.
#[test]
fn as_few_features_change_as_the_margin_takes() {
    for (bias, features) in [(-2.0, 1.0), (-0.25, 2.0)] {
        let model = Linear::new(&WEIGHTS, bias);
        let l0 = "steps = 200\nlearning_rate = 0.1\nlargest_constant = 100.0";
        for (name, text) in [("fmn", "steps = 200"), ("carlini-wagner-l0", l0)] {
            for goal in [Goal::Untargeted(vec![0]), Goal::Targeted(vec![1])] {
                let got = nearest(&attack(name, text), &model, &[0.5; 4], goal, Norm::L0);
                assert!((distances(&got)[0] - features).abs() < 1e-9, "{name}: {got:?}");
            }
        }
    }
}

/// z = (0, −0.04, −0.2) at ½: class 1 is next in score, at distance 0.04 / 0.1, class 2 in space, at
/// 0.2 / 2.
#[test]
fn a_cap_on_the_candidates_hides_the_nearest_class() {
    let rows: [&[f32]; 3] = [&[0.0, 0.0], &[0.1, 0.0], &[0.0, 2.0]];
    let model = Classes::new(&rows, &[0.0, -0.09, -1.2]);
    let of = |name: &str, text: &str, goal| {
        distances(&nearest(&attack(name, text), &model, &[0.5; 2], goal, Norm::L2))[0]
    };
    for name in ["deepfool", "superdeepfool"] {
        let exact = "overshoot = 0.001\n";
        let leave = || Goal::Untargeted(vec![0]);
        close(of(name, exact, leave()), 0.1, 2e-3);
        close(of(name, &format!("{exact}candidates = 1"), leave()), 0.4, 2e-3);
        close(of(name, exact, Goal::Targeted(vec![1])), 0.4, 2e-3);
        close(of(name, exact, Goal::Targeted(vec![2])), 0.1, 2e-3);
    }
}

/// The nearest point of the ellipse by a fine scan. `DeepFool` stops where it crosses.
#[test]
fn superdeepfool_finds_the_foot_of_the_perpendicular() {
    let model = Ellipse(Domain::image(1, 1, 2).unwrap());
    let from = [0.9_f32, 0.9];
    let scan = (0..200_000).map(|step| {
        let angle = f64::from(step) / 200_000.0 * std::f64::consts::TAU;
        let (x, y) = (0.5 + 0.25 * angle.cos(), 0.5 + 0.5 * angle.sin());
        (x - f64::from(from[0])).hypot(y - f64::from(from[1]))
    });
    let expected = scan.fold(f64::MAX, f64::min);
    let goal = || Goal::Untargeted(vec![0]);
    let of =
        |name, text| distances(&nearest(&attack(name, text), &model, &from, goal(), Norm::L2))[0];
    let (plain, refined) = (of("deepfool", ""), of("superdeepfool", ""));
    assert!(plain > expected * 1.005, "{plain} {expected}");
    close(refined, expected, 0.002);
}

/// The queries of each sample where nothing can be found.
fn queries(name: &str, text: &str, norm: Norm, budget: Option<u64>) -> (u64, u64) {
    let model = Linear::new(&[1.0, 2.0], 5.0);
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([3, 2], 0.5, &device);
    let goal = Goal::Untargeted(vec![0; 3]);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, norm).unwrap();
    let outcome = run(&attack(name, text), &problem.with_budget(budget)).unwrap();
    let counts: Vec<_> =
        outcome.samples.iter().map(|sample| (sample.forwards, sample.backwards)).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{name}: {counts:?}");
    counts[0]
}

#[test]
fn queries_follow_their_formulas() {
    let l2 = "search_steps = 3\nsteps = 16\nabort_early = false";
    assert_eq!(queries("carlini-wagner-l2", l2, Norm::L2, None), (48, 48));
    assert_eq!(queries("ead", l2, Norm::L1, None), (96, 48));
    // c doubles from 10⁻⁵ past 20 in 21 rounds, and from 10⁻³ past 2·10⁶ in 31.
    assert_eq!(queries("carlini-wagner-linf", "steps = 8", Norm::Linf, None), (168, 168));
    assert_eq!(queries("carlini-wagner-l0", "steps = 4", Norm::L0, None), (124, 124));
    assert_eq!(queries("fmn", "steps = 30", Norm::L2, None), (31, 30));
    // One for the candidates, one gradient a step and rival, one at the end.
    assert_eq!(queries("deepfool", "", Norm::L2, None), (52, 50));
    // Its last search looks at the end and halves ten times.
    assert_eq!(queries("superdeepfool", "steps = 20", Norm::L2, None), (32, 20));
    // Radii from a 256th to the whole box: 9 attempts of 40 gradients and a look.
    assert_eq!(queries("smallest-radius", "", Norm::L2, None), (369, 360));
}

/// Three classes: two rivals a step, unless a cap or a target leaves one.
#[test]
fn deepfool_takes_one_gradient_a_rival() {
    let rows: [&[f32]; 3] = [&[0.0, 0.0], &[0.1, 0.0], &[0.0, 0.2]];
    let model = Classes::new(&rows, &[9.0, 0.0, 0.0]);
    for (text, goal, forwards) in [
        ("steps = 5", Goal::Untargeted(vec![0]), 12),
        ("steps = 5\ncandidates = 1", Goal::Untargeted(vec![0]), 7),
        ("steps = 5", Goal::Targeted(vec![1]), 6),
    ] {
        let got = nearest(&attack("deepfool", text), &model, &[0.5; 2], goal, Norm::L2);
        assert_eq!(got.samples[0].forwards, forwards, "{text}");
    }
}

/// Thousands of rows times three rivals are more than one pass holds: the rivals are then looked at
/// in turns, to the same bits.
#[test]
fn rivals_in_turns_are_rivals_at_once() {
    let model = Smooth { domain: Domain::image(1, 2, 3).unwrap(), classes: 4 };
    let rows: Vec<f32> =
        (0..16_000 * 6).map(|index| (index as f32 * 0.37).sin().mul_add(0.4, 0.5)).collect();
    let labels: Vec<usize> = (0..16_000).map(|index| index % 4).collect();
    let deepfool = attack("deepfool", "steps = 3");
    let of = |count: usize| {
        let goal = Goal::Untargeted(labels[..count].to_vec());
        nearest(&deepfool, &model, &rows[..count * 6], goal, Norm::Linf).samples
    };
    let all = of(16_000);
    assert!(all.iter().filter(|sample| sample.forwards > 0).count() * 3 > 8192);
    for (one, other) in of(30).iter().zip(&all) {
        assert_eq!(one.distance.to_bits(), other.distance.to_bits(), "{one:?} {other:?}");
    }
}

/// Pairs of queries and whole looks are not started where the budget does not reach.
#[test]
fn a_budget_ends_a_search_in_the_middle() {
    let l2 = "search_steps = 3\nsteps = 16\nabort_early = false";
    assert_eq!(queries("carlini-wagner-l2", l2, Norm::L2, Some(37)), (37, 37));
    assert_eq!(queries("ead", l2, Norm::L1, Some(37)), (36, 18));
    assert_eq!(queries("carlini-wagner-linf", "steps = 8", Norm::Linf, Some(37)), (37, 37));
    assert_eq!(queries("carlini-wagner-l0", "steps = 4", Norm::L0, Some(37)), (37, 37));
    assert_eq!(queries("fmn", "steps = 100", Norm::L0, Some(37)), (37, 37));
    assert_eq!(queries("deepfool", "", Norm::Linf, Some(37)), (37, 36));
    assert_eq!(queries("superdeepfool", "", Norm::L2, Some(37)), (37, 36));
    assert_eq!(queries("smallest-radius", "", Norm::L2, Some(60)), (60, 59));
}

/// A fixed radius ends the search with the first point inside it; each sample has its own.
#[test]
fn a_radius_ends_the_search_early() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&WEIGHTS, -2.0);
    let oracle = WhiteBox::new(&model, &passes);
    let text = "search_steps = 4\nsteps = 200\ninitial_constant = 0.1";
    let (near, far) = (0.9 * 0.25 / LENGTH, 1.5 * 0.25 / LENGTH);
    let threat = Threat::per_sample(Norm::L2, vec![near, far]).unwrap();
    let rows = Tensor::full([2, 4], 0.5, &device);
    let problem =
        Problem::new(Oracle::Gradients(&oracle), rows, Goal::Untargeted(vec![0; 2]), threat);
    let outcome = run(&attack("carlini-wagner-l2", text), &problem).unwrap();
    let [first, second] = &outcome.samples[..] else { panic!("two samples") };
    assert_eq!([first.status, second.status], [Status::Survived, Status::Broken]);
    assert!(second.distance <= far && second.distance > near, "{second:?}");
}

#[test]
fn the_smallest_radius_wants_a_gradient_attack_of_a_ball() {
    let table = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    let parse = |text| (find("smallest-radius").unwrap().parse)(table(text));
    let error = parse("attack = \"pdg\"").unwrap_err().to_string();
    assert!(error.contains("no attack `pdg`"), "{error}");
    let error = parse("hyperparameters = { setps = 3 }").unwrap_err().to_string();
    assert!(error.contains("unknown field `setps`"), "{error}");
    let model = Smooth { domain: Domain::image(1, 2, 2).unwrap(), classes: 3 };
    for name in ["ddn", "gaussian-noise"] {
        let attack = attack("smallest-radius", &format!("attack = \"{name}\""));
        let setting = duress_core::Setting { domain: model.domain(), classes: 3, targeted: false };
        let error = attack.algorithm().check(&setting).unwrap_err().to_string();
        let expected = format!(
            "smallest-radius: `attack` must be a gradient attack of a fixed budget, got {name}"
        );
        assert_eq!(error, expected);
    }
}
