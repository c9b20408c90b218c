//! FAB, Brendel and Bethge: nearest boundaries on paper, and passes by formula.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Linear, Smooth, quick};
use duress_attacks::{BrendelBethge, Fab, FabT};
use duress_core::{
    Algorithm, Attack, Classifier, Domain, Goal, Norm, Oracle, Outcome, Passes, Problem, Setting,
    Status, Threat, WhiteBox, run,
};

/// Four linear classes over three features: `z = W x + b`.
struct Planes(Domain);

const WEIGHTS: [[f32; 3]; 4] =
    [[0.0, 0.0, 0.0], [2.0, 0.0, 1.0], [-1.0, 1.0, 1.0], [0.2, 0.1, -0.4]];
/// At `x = ½` the margins to classes 1, 2 and 3 are 0.5, 0.3 and 0.2.
const BIASES: [f32; 4] = [0.0, -2.0, -0.8, -0.15];
const MARGINS: [f64; 3] = [0.5, 0.3, 0.2];

impl Classifier for Planes {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        4
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device();
        let weights = Tensor::<2>::from_data(WEIGHTS, &device);
        rows.matmul(weights.transpose()) + Tensor::<1>::from_data(BIASES, &device).unsqueeze()
    }
}

fn attacked(attack: Attack, goal: Goal, norm: Norm, radius: Option<f64>) -> Outcome {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Planes(Domain::image(1, 1, 3).unwrap());
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([goal.labels().len(), 3], 0.5, &device);
    let white = Oracle::Gradients(&oracle);
    let problem = match radius {
        Some(radius) => Problem::new(white, rows, goal, Threat::new(norm, radius).unwrap()),
        None => Problem::nearest(white, rows, goal, norm).unwrap(),
    };
    run(&attack, &problem).unwrap()
}

/// `|f|/‖w‖*` of each boundary.
fn distances(norm: Norm) -> [f64; 3] {
    std::array::from_fn(|index| {
        let weights = WEIGHTS[index + 1].map(f64::from);
        MARGINS[index] / norm.dual().unwrap().of_slice(&weights)
    })
}

const NORMS: [Norm; 3] = [Norm::L1, Norm::L2, Norm::Linf];

#[test]
fn the_nearest_of_three_boundaries_is_found() {
    for norm in NORMS {
        let expected = distances(norm).into_iter().fold(f64::INFINITY, f64::min);
        let fab = Fab { restarts: 1, ..Fab::paper() };
        let fab_t = FabT { targets: 3, ..FabT::paper() };
        for attack in [Attack::Gradient(Box::new(fab)), Attack::Gradient(Box::new(fab_t))] {
            let got = attacked(attack, Goal::Untargeted(vec![0]), norm, None).samples[0].distance;
            assert!(got >= expected * (1.0 - 1e-5), "{norm}: {got} {expected}");
            assert!(got <= expected * 1.01, "{norm}: {got} {expected}");
        }
    }
}

/// Class 3 is the likeliest other class and, at 0.2/0.4583 in L2, not the nearest.
#[test]
fn one_target_is_the_likeliest_class_and_not_the_nearest() {
    let [one, _, three] = distances(Norm::L2);
    assert!(one < three);
    let fab = Attack::Gradient(Box::new(FabT { targets: 1, ..FabT::paper() }));
    let got = attacked(fab, Goal::Untargeted(vec![0]), Norm::L2, None);
    assert_eq!(got.samples[0].prediction, 3);
    assert!((got.samples[0].distance / three - 1.0).abs() < 0.01);
}

#[test]
fn a_named_class_is_refused() {
    let setting = Setting { domain: &Domain::image(1, 1, 3).unwrap(), classes: 4, targeted: true };
    let error = Fab::paper().check(&setting).unwrap_err().to_string();
    assert_eq!(error, "fab: `goal` must be untargeted, got targeted");
    let error = FabT::paper().check(&setting).unwrap_err().to_string();
    assert_eq!(error, "fab-t: `goal` must be untargeted, got targeted");
}

/// One pass at the clean row, then a gradient a boundary and a prediction a step, and one pass and
/// one a step for the final search.
#[test]
fn passes_are_counted_by_formula() {
    let count = |attack: Attack| {
        let got = attacked(attack, Goal::Untargeted(vec![0, 0]), Norm::L2, None);
        (got.samples[1].forwards, got.samples[1].backwards)
    };
    let fab = Fab { steps: 7, restarts: 2, ..Fab::paper() };
    assert_eq!(count(Attack::Gradient(Box::new(fab.clone()))), (1 + 2 * 7 * 4 + 1 + 3, 2 * 7 * 3));
    let fab = Fab { final_search: 0, ..fab };
    assert_eq!(count(Attack::Gradient(Box::new(fab))), (1 + 2 * 7 * 4, 2 * 7 * 3));
    let fab = FabT { steps: 7, restarts: 2, targets: 2, ..FabT::autoattack(9) };
    assert_eq!(count(Attack::Gradient(Box::new(fab))), (1 + 2 * 2 * 7 * 2, 2 * 2 * 7));
    // No more classes than there are.
    let fab = FabT { steps: 7, ..FabT::autoattack(9) };
    assert_eq!(count(Attack::Gradient(Box::new(fab))), (1 + 3 * 7 * 2, 3 * 7));
}

#[test]
fn under_a_radius_a_sample_breaks_exactly_past_its_distance() {
    for norm in NORMS {
        let least = distances(norm).into_iter().fold(f64::INFINITY, f64::min);
        for (factor, status) in [(0.99, Status::Survived), (1.012, Status::Broken)] {
            let fab = Attack::Gradient(Box::new(FabT::autoattack(9)));
            let goal = Goal::Untargeted(vec![0; 3]);
            let got = attacked(fab, goal, norm, Some(least * factor));
            assert_eq!(got.count(status), 3, "{norm} {factor}");
            let most = 1 + 3 * 100 * 2;
            assert!(got.samples.iter().all(|sample| sample.forwards <= most));
        }
    }
}

#[test]
fn a_solved_sample_leaves() {
    let fab = Attack::Gradient(Box::new(FabT::autoattack(9)));
    let got = attacked(fab, Goal::Untargeted(vec![0]), Norm::L2, Some(10.0));
    // One pass at the clean row, one step, and the look at who is solved.
    assert_eq!((got.samples[0].forwards, got.samples[0].backwards), (3, 1));
}

/// More iterations and more restarts only ever find nearer points.
#[test]
fn longer_walks_are_never_farther() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Smooth { domain: Domain::image(1, 3, 4).unwrap(), classes: 5 };
    let oracle = WhiteBox::new(&model, &passes);
    let rows: Vec<f32> = (0..60).map(|index| 0.5 + 0.4 * (index as f32).sin()).collect();
    let rows = Tensor::from_data(TensorData::new(rows, [5, 12]), &device);
    let logits = passes.logits(&model, rows.clone()).unwrap();
    let labels: Vec<usize> =
        duress_core::predictions(logits).unwrap().into_iter().map(|(class, _)| class).collect();
    for norm in NORMS {
        let distances = |steps, restarts| -> Vec<f64> {
            let fab = Fab { steps, restarts, final_search: 0, ..Fab::paper() };
            let goal = Goal::Untargeted(labels.clone());
            let white = Oracle::Gradients(&oracle);
            let problem = Problem::nearest(white, rows.clone(), goal, norm).unwrap();
            let got = run(&Attack::Gradient(Box::new(fab)), &problem).unwrap();
            got.samples.iter().map(|sample| sample.distance).collect()
        };
        let (short, long, again) = (distances(10, 1), distances(20, 1), distances(20, 3));
        for ((short, long), again) in short.iter().zip(&long).zip(&again) {
            assert!(long <= short && again <= long, "{norm}: {short} {long} {again}");
        }
    }
}

/// Class 0 inside a sphere around the middle of the box, class 1 outside: `z = (R², ‖x − ½‖²)`.
struct Sphere {
    domain: Domain,
    radius: f32,
}

impl Classifier for Sphere {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let square = (rows - 0.5).square().sum_dim(1);
        Tensor::cat(vec![square.clone() * 0.0 + self.radius.powi(2), square], 1)
    }
}

const INSIDE: [f32; 5] = [0.20, -0.12, 0.05, 0.03, -0.07];

/// The distance from the middle plus [`INSIDE`] to the sphere of radius 0.45: along the ray (L2),
/// along the longest component (L1), along all components by the same amount (Linf).
fn to_the_sphere(norm: Norm) -> f64 {
    let squares: f64 = INSIDE.iter().map(|&value| f64::from(value).powi(2)).sum();
    let sum: f64 = INSIDE.iter().map(|&value| f64::from(value).abs()).sum();
    let (all, most, features) = (0.45_f64.powi(2), f64::from(INSIDE[0]), 5.0);
    match norm {
        Norm::L2 => 0.45 - squares.sqrt(),
        Norm::L1 => (all - squares + most * most).sqrt() - most,
        // n t² + 2 t Σ|v| + Σv² = R².
        _ => (-sum + (sum * sum - features * (squares - all)).sqrt()) / features,
    }
}

fn distance_to_the_sphere(attack: Attack, norm: Norm) -> f64 {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Sphere { domain: Domain::image(1, 1, 5).unwrap(), radius: 0.45 };
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::<2>::from_data([INSIDE], &device) + 0.5;
    let goal = Goal::Untargeted(vec![0]);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, norm).unwrap();
    run(&attack, &problem).unwrap().samples[0].distance
}

#[test]
fn a_curved_boundary_is_met_where_it_is_nearest() {
    for norm in NORMS {
        let expected = to_the_sphere(norm);
        let fab = Attack::Gradient(Box::new(Fab { restarts: 1, ..Fab::paper() }));
        let got = distance_to_the_sphere(fab, norm);
        assert!(got >= expected * (1.0 - 1e-5), "fab {norm}: {got} {expected}");
        assert!(got <= expected * 1.01, "fab {norm}: {got} {expected}");
    }
    // From a random side of the sphere; in L2 it has one nearest point and no other valley.
    let expected = to_the_sphere(Norm::L2);
    let attack = Attack::Gradient(Box::new(BrendelBethge::paper()));
    let got = distance_to_the_sphere(attack, Norm::L2);
    assert!(got >= expected * (1.0 - 1e-5) && got <= expected * 1.001, "{got} {expected}");
}

fn brendel_bethge(bias: f32, attack: BrendelBethge) -> Outcome {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[-1.0, -1.0, -1.0, -1.0], bias);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::zeros([2, 4], &device);
    let goal = Goal::Untargeted(vec![0; 2]);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, Norm::L2).unwrap();
    run(&Attack::Gradient(Box::new(attack)), &problem).unwrap()
}

/// From the corner of the box almost every draw is in the other class: one draw, ten halvings, a
/// gradient a step, and a last look.
#[test]
fn brendel_bethge_counts_its_passes() {
    let attack = BrendelBethge { steps: 6, ..BrendelBethge::paper() };
    for sample in brendel_bethge(1e-3, attack).samples {
        assert_eq!(sample.status, Status::Broken);
        assert_eq!((sample.forwards, sample.backwards), (1 + 10 + 6 + 1, 6));
    }
}

#[test]
fn without_a_start_brendel_bethge_fails_after_its_draws() {
    let attack = BrendelBethge { start_draws: 25, ..BrendelBethge::paper() };
    for sample in brendel_bethge(50.0, attack).samples {
        assert_eq!(sample.status, Status::Survived);
        assert_eq!((sample.forwards, sample.backwards), (25, 0));
    }
}

/// All samples start in the batch and leave it at different times: whoever stays longer because
/// others do must not end nearer.
#[test]
fn bits_do_not_depend_on_who_else_is_still_there() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Smooth { domain: Domain::image(1, 4, 4).unwrap(), classes: 6 };
    let oracle = WhiteBox::new(&model, &passes);
    let (count, features) = (40, 16);
    let values: Vec<f32> =
        (0..count * features).map(|index| 0.5 + 0.45 * (index as f32 * 1.3).sin()).collect();
    let all = Tensor::from_data(TensorData::new(values, [count, features]), &device);
    let logits = passes.logits(&model, all.clone()).unwrap();
    let labels: Vec<usize> =
        duress_core::predictions(logits).unwrap().into_iter().map(|(class, _)| class).collect();
    let attacks = ["brendel-bethge", "ddn", "fab", "fab-t", "jsma", "sigma-zero", "sparsefool"];
    for name in attacks {
        let attack = quick(name);
        for &norm in attack.algorithm().norms() {
            let radius = if norm == Norm::L0 { 3.0 } else { 0.15 };
            let attacked = |first: usize, size: usize| -> Vec<u32> {
                let rows = all.clone().narrow(0, first, size);
                let goal = Goal::Untargeted(labels[first..first + size].to_vec());
                let threat = Threat::new(norm, radius).unwrap();
                let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat)
                    .with_ids((first as u64..(first + size) as u64).collect());
                let rows = duress_core::host::floats(run(&attack, &problem).unwrap().rows).unwrap();
                rows.into_iter().map(f32::to_bits).collect()
            };
            let whole = attacked(0, count);
            for size in [1, 7] {
                let parts = (0..count).step_by(size);
                let parts = parts.flat_map(|first| attacked(first, size.min(count - first)));
                assert!(parts.collect::<Vec<_>>() == whole, "{name} {norm} by {size}");
            }
        }
    }
}
