//! Attacks that see labels: closed forms, hand-counted queries, starts and odd inputs.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Constant, Linear, Smooth};
use duress_attacks::find;
use duress_core::{
    Attack, Bound, Classifier, Domain, Goal, Layout, Norm, Oracle, Outcome, Passes, Problem,
    Sample, Seed, Status, Use, WhiteBox, run,
};
use rand::RngExt;
use rand_distr::StandardNormal;

/// Every attack of the family, with each of its norms.
const ALL: [(&str, &[Norm]); 7] = [
    ("boundary", &[Norm::L2]),
    ("geoda", &[Norm::L1, Norm::L2, Norm::Linf]),
    ("hop-skip-jump", &[Norm::L2, Norm::Linf]),
    ("pointwise", &[Norm::L0, Norm::L1, Norm::L2]),
    ("rays", &[Norm::Linf]),
    ("sign-opt", &[Norm::L2, Norm::Linf]),
    ("surfree", &[Norm::L2]),
];

fn attack(name: &str, parameters: &str) -> Attack {
    (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap()
}

fn tensor(rows: &[f32], features: usize) -> Tensor<2> {
    let shape = [rows.len() / features, features];
    Tensor::from_data(TensorData::new(rows.to_vec(), shape), &Device::flex())
}

/// Attacks `rows`, which the model puts in class 0, for the nearest points of another.
fn nearest(
    attack: &Attack,
    model: &dyn Classifier,
    rows: &[f32],
    norm: Norm,
    budget: Option<u64>,
) -> Outcome {
    let passes = Passes::new(&Device::flex()).unwrap();
    let oracle = WhiteBox::new(model, &passes);
    let rows = tensor(rows, model.domain().features());
    let goal = Goal::Untargeted(vec![0; rows.dims()[0]]);
    let problem = Problem::nearest(Oracle::Labels(&oracle), rows, goal, norm).unwrap();
    run(attack, &problem.with_budget(budget)).unwrap()
}

/// 30 weights of both signs between 0.1 and 1.
fn weights(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| {
            let size = 0.1 + 0.9 * ((index * 7 % 13) as f32 / 12.0);
            if index % 3 == 0 { -size } else { size }
        })
        .collect()
}

/// A linear model over `domain` whose margin at the middle of a box `[low, high]` is `margin`.
fn plane(domain: Domain, (low, high): (f32, f32), margin: f32) -> Linear {
    let weights = weights(domain.features());
    let middle = 0.5 * (low + high);
    let bias = margin - weights.iter().map(|weight| weight * middle).sum::<f32>();
    Linear { weights, bias, domain }
}

/// Distance found from the middle of the box over that on paper, `|f|/‖w‖*`.
fn excess(name: &str, parameters: &str, norm: Norm) -> f64 {
    let domain = Domain::image(1, 5, 6).unwrap();
    let model = plane(domain, (0.0, 1.0), 0.5);
    let weights: Vec<f64> = model.weights.iter().map(|&weight| f64::from(weight)).collect();
    // In L1 one feature alone reaches its end before the boundary: two share the way.
    let mut expected = 0.5 / norm.dual().unwrap().of_slice(&weights);
    if norm == Norm::L1 {
        expected = expected.min(0.5);
    }
    let got = nearest(&attack(name, parameters), &model, &[0.5; 60], norm, None);
    assert_eq!(got.count(Status::Broken), 2, "{name} {norm}");
    let worst = got.samples.iter().map(|sample| sample.distance / expected - 1.0);
    let worst = worst.fold(f64::NEG_INFINITY, f64::max);
    assert!(worst > -1e-5, "{name} {norm}: nearer than the boundary");
    worst
}

#[test]
fn the_boundary_of_a_plane_of_thirty_features_is_reached() {
    assert!(excess("boundary", "", Norm::L2) < 0.001);
    assert!(excess("hop-skip-jump", "steps = 30", Norm::L2) < 0.01);
    assert!(excess("hop-skip-jump", "steps = 30", Norm::Linf) < 0.01);
    assert!(excess("geoda", "", Norm::L1) < 0.01);
    assert!(excess("geoda", "", Norm::L2) < 0.03);
    assert!(excess("geoda", "", Norm::Linf) < 0.05);
    assert!(excess("sign-opt", "", Norm::L2) < 0.001);
    assert!(excess("sign-opt", "", Norm::Linf) < 0.05);
    assert!(excess("surfree", "frequencies = 1.0", Norm::L2) < 0.001);
}

/// In the corners of the box some features cannot move the way they would: the boundary is at
/// `|f|/‖w‖*` of those that can.
#[test]
fn the_boundary_of_a_plane_is_reached_from_a_corner() {
    let weights = weights(12);
    let clean: Vec<f32> = (0..12).map(|index| [0.0, 1.0, 0.5, 0.0][index % 4]).collect();
    let bias = 0.3 - weights.iter().zip(&clean).map(|(weight, value)| weight * value).sum::<f32>();
    let free: Vec<f64> = weights
        .iter()
        .zip(&clean)
        .filter(|&(&weight, &value)| (value > 0.0 || weight < 0.0) && (value < 1.0 || weight > 0.0))
        .map(|(&weight, _)| f64::from(weight))
        .collect();
    let mut model = Linear::new(&weights, bias);
    model.domain = Domain::image(1, 3, 4).unwrap();
    for (name, parameters, norm, most) in [
        ("boundary", "", Norm::L2, 0.01),
        ("geoda", "", Norm::L2, 0.05),
        ("geoda", "", Norm::Linf, 0.05),
        ("hop-skip-jump", "steps = 30\ngamma = 0.1", Norm::L2, 0.02),
        ("hop-skip-jump", "steps = 30\ngamma = 0.1", Norm::Linf, 0.02),
        ("sign-opt", "", Norm::L2, 0.01),
        ("sign-opt", "", Norm::Linf, 0.05),
        ("rays", "", Norm::Linf, 0.02),
        ("surfree", "frequencies = 1.0", Norm::L2, 0.01),
    ] {
        let expected = 0.3 / norm.dual().unwrap().of_slice(&free);
        let got = nearest(&attack(name, parameters), &model, &clean, norm, None);
        let excess = got.samples[0].distance / expected - 1.0;
        assert!(excess > -1e-4 && excess < most, "{name} {norm}: {excess}");
    }
}

/// The signs `−sign(w)` reach the boundary at `|f|/‖w‖₁`, to within the tolerance of the radius.
#[test]
fn rays_finds_the_signs_of_a_plane_of_equal_weights() {
    let weights: Vec<f32> = (0..16).map(|index| if index % 5 < 2 { 0.5 } else { -0.5 }).collect();
    let bias = 0.6 - weights.iter().sum::<f32>() * 0.5;
    let model = Linear::new(&weights, bias);
    let got = nearest(&attack("rays", ""), &model, &[0.5; 16], Norm::Linf, None);
    let (distance, expected) = (got.samples[0].distance, 0.6 / 8.0);
    assert!(distance >= expected - 1e-6 && distance <= expected + 1e-3 / 4.0, "{distance}");
}

/// Class 1 where feature 0 is farther than `reach` from `middle`; other features do not count.
struct Apart {
    domain: Domain,
    middle: f32,
    reach: f32,
}

impl Classifier for Apart {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let first = rows.narrow(1, 0, 1);
        let inside = -(first - self.middle).abs() + self.reach;
        Tensor::cat(vec![inside.clone(), inside * 0.0], 1)
    }
}

fn apart(features: usize, reach: f32) -> Apart {
    Apart { domain: Domain::image(1, 1, features).unwrap(), middle: 0.5, reach }
}

fn one(name: &str, parameters: &str, model: &dyn Classifier, clean: f32, norm: Norm) -> Sample {
    let rows = vec![clean; model.domain().features()];
    nearest(&attack(name, parameters), model, &rows, norm, None).samples.remove(0)
}

/// From the corner of all ones with a margin of 0.1, any uniform row meets the goal: one query.
#[test]
fn hop_skip_jump_counts_start_bisections_estimate_and_step() {
    let model = Linear::new(&[1.0; 4], -3.9);
    // θ = 1/8: three halvings.
    let start = one("hop-skip-jump", "steps = 0", &model, 1.0, Norm::L2);
    assert_eq!(start.forwards, 1 + 3);
    // 300 rows in two questions; the first, longest step already meets the goal.
    let step = "steps = 1\ninitial_evaluations = 300";
    assert_eq!(one("hop-skip-jump", step, &model, 1.0, Norm::L2).forwards, 4 + 300 + 1 + 3);
    // θ = 1/16.
    assert_eq!(one("hop-skip-jump", step, &model, 1.0, Norm::Linf).forwards, 5 + 300 + 1 + 4);
    // B₁ = 300√2 = 424, but no more than 310.
    let capped = "steps = 2\ninitial_evaluations = 300\nmax_evaluations = 310";
    let second = one("hop-skip-jump", capped, &model, 1.0, Norm::L2).forwards - (4 + 300 + 1 + 3);
    assert!((310 + 1 + 3..=310 + 3 + 3).contains(&second), "{second}");
}

/// Class 1 in the corners of the box only, which no step along the normal leaves or gets beyond.
struct Corners(Domain);

impl Classifier for Corners {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let inside = -(rows - 0.5).abs().min_dim(1) + 0.4999;
        Tensor::cat(vec![inside.clone(), inside * 0.0], 1)
    }
}

/// Start (1), three halvings that fail, five estimates, and no query for steps that move nothing.
#[test]
fn hop_skip_jump_ends_where_no_step_moves() {
    let model = Corners(Domain::image(1, 2, 2).unwrap());
    let parameters = "steps = 5\ninitial_evaluations = 200\nstart = \"salt-and-pepper\"\n\
                      initial_draws = 1";
    for (norm, halvings) in [(Norm::L2, 3), (Norm::Linf, 4)] {
        let got = one("hop-skip-jump", parameters, &model, 0.5, norm);
        assert_eq!(got.forwards, 1 + halvings + 200 + 282 + 346 + 400 + 447, "{norm}");
    }
}

#[test]
fn boundary_counts_a_query_a_candidate_and_one_for_each_tenth_sphere() {
    let model = Linear::new(&[1.0; 4], -3.9);
    assert_eq!(one("boundary", "steps = 45", &model, 1.0, Norm::L2).forwards, 1 + 45 + 4);
    let often = "steps = 45\nupdate_every = 1";
    assert_eq!(one("boundary", often, &model, 1.0, Norm::L2).forwards, 1 + 45 + 45);
}

/// All ones do not meet the goal (1), all zeros do (1); of the 11 halvings of √2 to 10⁻³ the first
/// is the same corner. Then each of the two signs is tried alone (2) and nothing changes.
#[test]
fn rays_asks_at_the_current_radius_first_and_ends_when_nothing_changes() {
    let model = Linear::new(&[1.0, 1.0], -0.75);
    let got = one("rays", "", &model, 0.5, Norm::Linf);
    assert_eq!(got.forwards, 1 + 1 + 10 + 2);
    assert!((got.distance - 0.125).abs() < 1e-3, "{}", got.distance);
}

/// Salt and pepper of all features at once (1). Way of 0.5 to 10⁻³: 9 halvings. 70 queries leave 45
/// for one estimate; the point of the same distance meets the goal (1), and 0.1 has 7 halvings.
#[test]
fn geoda_counts_start_estimate_and_both_bisections() {
    let parameters =
        "queries = 70\ntolerance = 1e-3\nstart = \"salt-and-pepper\"\ninitial_draws = 1";
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        let got = one("geoda", parameters, &apart(1, 0.1), 0.5, norm);
        assert_eq!(got.forwards, 1 + 9 + 45 + 1 + 7, "{norm}");
        assert!((got.distance - 0.1).abs() < 1e-3, "{norm} {}", got.distance);
    }
}

/// One feature: the first direction is ±1 at a length known from its stream. With β = 1 the
/// tolerance of the line search is wider than its bracket, so each of its 16 steps costs two.
#[test]
fn sign_opt_counts_first_direction_estimate_and_line_search() {
    let draw: f64 = Seed(0).stream(0, 0, 0, Use::Step).sample(StandardNormal);
    let layout = Layout::Image { channels: 1, height: 1, width: 1 };
    let domain = Domain::new(layout, Bound::Uniform(-10.0), Bound::Uniform(10.0)).unwrap();
    let model = Apart { domain, middle: 0.0, reach: 0.7 };
    let length = 20.0 * draw.abs();
    let halvings = (length / (20.0 * 1e-5)).log2().ceil() as i32;
    // Rows past the end of the box, 10, are one and the same: no question.
    let asked = (1..=halvings).filter(|&halving| length * 0.5_f64.powi(halving) < 10.0).count();
    assert!(length > 0.7, "the stream's first direction meets the goal");
    let start = "initial_directions = 1\nsteps = 0";
    let got = one("sign-opt", start, &model, 0.0, Norm::L2);
    assert_eq!(got.forwards, 1 + asked as u64);
    let step = "initial_directions = 1\nsteps = 1\nsmoothing = 1.0\ndirections = 300";
    let more = one("sign-opt", step, &model, 0.0, Norm::L2).forwards - got.forwards;
    assert_eq!(more, 300 + 16 * 2);
}

/// All eight features change (1). A pass puts seven back (8), the next has one to ask about (1).
/// One halving, to 0.75, meets the goal (2); the next, to 0.625, does not, and ends it (2).
#[test]
fn pointwise_counts_each_feature_of_each_pass() {
    let parameters = "restarts = 1\nbisections = 1\nstart = \"salt-and-pepper\"\ninitial_draws = 1";
    let got = one("pointwise", parameters, &apart(8, 0.24), 0.5, Norm::L0);
    assert_eq!((got.forwards, got.distance.to_bits()), (1 + 8 + 1, 1.0_f64.to_bits()));
    for norm in [Norm::L1, Norm::L2] {
        let got = one("pointwise", parameters, &apart(8, 0.24), 0.5, norm);
        assert_eq!((got.forwards, got.distance.to_bits()), (10 + 2 + 2, 0.25_f64.to_bits()));
    }
    let twice = parameters.replace("restarts = 1", "restarts = 2");
    assert_eq!(one("pointwise", &twice, &apart(8, 0.24), 0.5, Norm::L0).forwards, 20);
}

/// One feature: nothing is at right angles to it. Two, on the normal: `2T` failing angles each.
#[test]
fn surfree_counts_start_bisection_and_angles() {
    let start = "start = \"salt-and-pepper\"\ninitial_draws = 1\n";
    let got = one("surfree", start, &apart(1, 0.1), 0.5, Norm::L2);
    assert_eq!(got.forwards, 1 + 10);
    assert!((got.distance - 0.1).abs() < 0.5 / 1024.0, "{}", got.distance);
    let capped = format!("{start}queries = 47");
    assert_eq!(one("surfree", &capped, &apart(2, 0.1), 0.5, Norm::L2).forwards, 47);
}

/// A start costs its draws of both kinds where there is none, and the sample survives.
#[test]
fn a_sample_without_a_start_survives_and_its_queries_are_counted() {
    let domain = Domain::image(1, 2, 3).unwrap();
    let model = Constant { domain, answer: 1.0 };
    for (name, norms) in ALL {
        for &norm in norms {
            let draws = if name == "rays" { "" } else { "initial_draws = 7" };
            let got = one(name, draws, &model, 0.5, norm);
            let expected = match name {
                // All +1, then one flip of each block: 1 + 2 + 4 blocks of 6 features, at last 6.
                "rays" => 1 + 1 + 2 + 3 + 6,
                "sign-opt" => 100 + 14,
                "pointwise" => 10 * 14,
                _ => 14,
            };
            assert_eq!((got.status, got.forwards), (Status::Survived, expected), "{name} {norm}");
        }
    }
}

/// Class 1 far from the middle in most features: uniform noise does not get there.
struct Extreme(Domain);

impl Classifier for Extreme {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let inside = -(rows - 0.5).square().mean_dim(1) + 0.2;
        Tensor::cat(vec![inside.clone(), inside * 0.0], 1)
    }
}

/// Uniform rows have a mean square of 1/12 around the middle, salt and pepper of a share `p` of
/// `p/4`: at 80 % and more.
#[test]
fn salt_and_pepper_finds_what_uniform_noise_does_not() {
    let model = Extreme(Domain::image(1, 8, 8).unwrap());
    for start in ["noise", "salt-and-pepper", "blend"] {
        let parameters = format!("start = \"{start}\"\ninitial_draws = 10\nsteps = 0");
        let got = one("boundary", &parameters, &model, 0.5, Norm::L2);
        assert_eq!(got.status, Status::Broken, "{start}");
        let before = if start == "salt-and-pepper" { 0 } else { 10 };
        let blend = if start == "blend" { 49 } else { 0 };
        assert!(got.forwards > before + 6 && got.forwards <= before + 10 + blend, "{start}");
    }
}

/// The first fiftieth of the way that meets the goal: at most 1/50 of the way past the boundary.
#[test]
fn a_blend_starts_nearer_than_its_noise() {
    let model = Linear::new(&[1.0; 4], -3.9);
    let noise = one("boundary", "steps = 0", &model, 1.0, Norm::L2);
    let blend = one("boundary", "steps = 0\nstart = \"blend\"", &model, 1.0, Norm::L2);
    let fiftieths = blend.distance / noise.distance * 50.0;
    assert!((fiftieths - fiftieths.round()).abs() < 1e-4, "{fiftieths}");
    assert_eq!(blend.forwards, 1 + fiftieths.round() as u64);
    // On the way the sum falls from 4 by less than 0.1 before the boundary.
    assert!(fiftieths >= 1.0 && blend.distance < noise.distance);
}

/// The same problem in the box [−3, 5] has distances eight times as large.
#[test]
fn attacks_follow_the_box() {
    let layout = Layout::Image { channels: 1, height: 3, width: 4 };
    let wide = Domain::new(layout, Bound::Uniform(-3.0), Bound::Uniform(5.0)).unwrap();
    let (unit, wide) =
        (plane(Domain::image(1, 3, 4).unwrap(), (0.0, 1.0), 0.4), plane(wide, (-3.0, 5.0), 3.2));
    for (name, parameters) in [
        ("boundary", "steps = 2000"),
        ("geoda", ""),
        ("hop-skip-jump", "steps = 10"),
        ("pointwise", ""),
        ("rays", ""),
        ("sign-opt", "queries = 5000"),
        ("surfree", "frequencies = 1.0\nqueries = 3000"),
    ] {
        for &norm in find(name).unwrap().norms {
            let attack = attack(name, parameters);
            let small = nearest(&attack, &unit, &[0.5; 12], norm, None).samples.remove(0);
            let large = nearest(&attack, &wide, &[1.0; 12], norm, None).samples.remove(0);
            let factor = if norm == Norm::L0 { 1.0 } else { 8.0 };
            let ratio = large.distance / small.distance / factor;
            assert!((0.95..1.05).contains(&ratio), "{name} {norm}: {ratio}");
        }
    }
}

/// Pixels at 0 and 1, grey and coloured images that are not square, a sound and a table.
#[test]
fn corners_and_shapes_of_all_kinds_are_attacked() {
    let domains = [
        Domain::image(1, 5, 6).unwrap(),
        Domain::image(3, 2, 7).unwrap(),
        Domain::waveform(1, 20).unwrap(),
        Domain::table(vec![-1.0; 18], (1..19).map(|side| side as f32 * 0.2).collect()).unwrap(),
    ];
    for domain in domains {
        let features = domain.features();
        let corner = |index: usize| {
            let low = (index * index).is_multiple_of(3);
            if low { domain.lower().at(index) } else { domain.upper().at(index) }
        };
        let clean: Vec<f32> = (0..features).map(corner).collect();
        let smooth = Smooth { domain: domain.clone(), classes: 4 };
        let passes = Passes::new(&Device::flex()).unwrap();
        let oracle = WhiteBox::new(&smooth, &passes);
        let rows = tensor(&clean, features);
        let logits = passes.logits(&smooth, rows.clone()).unwrap();
        let label = duress_core::predictions(logits).unwrap()[0].0;
        for (name, norms) in ALL {
            for &norm in norms {
                let goal = Goal::Untargeted(vec![label]);
                let problem =
                    Problem::nearest(Oracle::Labels(&oracle), rows.clone(), goal, norm).unwrap();
                let got = run(&common::quick(name), &problem).unwrap();
                assert_eq!(got.count(Status::Broken), 1, "{name} {norm} {domain:?}");
            }
        }
    }
}

/// A search with fewer queries is the beginning of the same search.
#[test]
fn a_budget_ends_any_phase_and_more_of_it_is_never_worse() {
    let model = plane(Domain::image(1, 3, 4).unwrap(), (0.0, 1.0), 0.4);
    for (name, norms) in ALL {
        for &norm in norms {
            let mut before = f64::INFINITY;
            for budget in [1, 2, 3, 5, 9, 14, 20, 33, 60, 120, 180, 400, 700] {
                let attack = attack(name, "");
                let got = nearest(&attack, &model, &[0.5; 12], norm, Some(budget));
                let sample = &got.samples[0];
                assert!(sample.forwards <= budget, "{name} {norm}: {}", sample.forwards);
                if sample.status == Status::Broken {
                    assert!(sample.distance <= before, "{name} {norm} at {budget}");
                    before = sample.distance;
                } else {
                    assert!(before.is_infinite(), "{name} {norm} at {budget}");
                }
            }
            assert!(before.is_finite(), "{name} {norm}");
        }
    }
}

/// A sample's row, distance and queries in a batch of eight, backwards, and alone.
#[test]
fn a_sample_has_the_same_bits_in_every_batch() {
    let smooth = Smooth { domain: Domain::image(2, 3, 4).unwrap(), classes: 5 };
    let passes = Passes::new(&Device::flex()).unwrap();
    let oracle = WhiteBox::new(&smooth, &passes);
    let all: Vec<f32> =
        (0..8 * 24).map(|index| (index as f32 * 0.61).sin().mul_add(0.5, 0.5)).collect();
    let logits = passes.logits(&smooth, tensor(&all, 24)).unwrap();
    let labels: Vec<usize> =
        duress_core::predictions(logits).unwrap().into_iter().map(|(class, _)| class).collect();
    let attacked = |name: &str, norm: Norm, ids: &[u64]| {
        let rows: Vec<f32> =
            ids.iter().flat_map(|&id| all[id as usize * 24..][..24].to_vec()).collect();
        let goal = Goal::Untargeted(ids.iter().map(|&id| labels[id as usize]).collect());
        let problem = Problem::nearest(Oracle::Labels(&oracle), tensor(&rows, 24), goal, norm);
        let problem = problem.unwrap().with_ids(ids.to_vec()).with_seed(Seed(7));
        let got = run(&common::quick(name), &problem).unwrap();
        let values = duress_core::host::floats(got.rows).unwrap();
        let bits = values.chunks(24).map(|row| row.iter().map(|v| v.to_bits()).collect());
        let bits: Vec<Vec<u32>> = bits.collect();
        let mut found: Vec<_> = got
            .samples
            .into_iter()
            .zip(bits)
            .map(|(it, bits)| (it.id, it.forwards, bits))
            .collect();
        found.sort();
        assert_eq!(found.len(), ids.len());
        found
    };
    for (name, norms) in ALL {
        for &norm in norms {
            let whole = attacked(name, norm, &[0, 1, 2, 3, 4, 5, 6, 7]);
            assert!(whole.iter().all(|(_, forwards, _)| *forwards > 0), "{name} {norm}");
            let backwards = attacked(name, norm, &[7, 6, 5, 4, 3, 2, 1, 0]);
            assert_eq!(whole, backwards, "{name} {norm}: backwards");
            let alone: Vec<_> = (0..8).flat_map(|id| attacked(name, norm, &[id])).collect();
            assert_eq!(whole, alone, "{name} {norm}: one by one");
        }
    }
}

/// The surrogate of a transfer may be wrong already: the nearest point is the clean row itself.
#[test]
fn a_clean_row_that_meets_the_goal_ends_the_search() {
    let passes = Passes::new(&Device::flex()).unwrap();
    let (surrogate, target) = (Linear::new(&[1.0; 4], -9.0), Linear::new(&[1.0; 4], -1.9));
    let (surrogate, target) = (WhiteBox::new(&surrogate, &passes), WhiteBox::new(&target, &passes));
    for (name, norms) in ALL {
        for &norm in norms {
            let goal = Goal::Untargeted(vec![0]);
            let rows = tensor(&[0.5; 4], 4);
            let problem = Problem::nearest(Oracle::Labels(&surrogate), rows, goal, norm).unwrap();
            let problem = problem.judged_by(Oracle::Labels(&target));
            assert_eq!(run(&common::quick(name), &problem).unwrap().samples.len(), 1, "{name}");
        }
    }
}

#[test]
fn a_row_that_may_not_change_costs_nothing() {
    let mut model = Linear::new(&[1.0; 4], -1.9);
    model.domain = model.domain.clone().with_immutable(vec![0, 1, 2, 3]).unwrap();
    for (name, norms) in ALL {
        for &norm in norms {
            let got = one(name, "", &model, 0.5, norm);
            assert_eq!((got.status, got.forwards), (Status::Survived, 0), "{name} {norm}");
        }
    }
}

#[test]
fn hyperparameters_out_of_range_are_named() {
    for (name, parameters, field) in [
        ("boundary", "source_step = 2.0", "source_step"),
        ("boundary", "update_every = 0", "update_every"),
        ("geoda", "lambda = 0.0", "lambda"),
        ("hop-skip-jump", "gamma = 0.0", "gamma"),
        ("pointwise", "restarts = 0", "restarts"),
        ("rays", "tolerance = -1.0", "tolerance"),
        ("sign-opt", "directions = 0", "directions"),
        ("surfree", "frequencies = 1.5", "frequencies"),
    ] {
        let passes = Passes::new(&Device::flex()).unwrap();
        let model = Linear::new(&[1.0; 4], 0.0);
        let oracle = WhiteBox::new(&model, &passes);
        let norm = find(name).unwrap().norms[0];
        let goal = Goal::Untargeted(vec![0]);
        let problem =
            Problem::nearest(Oracle::Labels(&oracle), tensor(&[0.5; 4], 4), goal, norm).unwrap();
        let error = run(&attack(name, parameters), &problem).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: `{field}` must be")), "{error}");
    }
}
