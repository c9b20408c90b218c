//! The iterative attacks and the one-step ones, against steps computed by hand.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Constant, Linear, Smooth};
use duress_attacks::{FgsmRs, IterativeFgsm, KlPgd, LossKind, Pgd, RFgsm, find};
use duress_core::{
    Attack, Classifier, Domain, Goal, GradientAttack, Job, Norm, Oracle, Passes, Problem, Region,
    Seed, Silent, Threat, Use, WhiteBox, host::floats, run,
};
use rand::RngExt;

/// Two features and the margin loss `h − 100` with `∇h = (3 + a₁ (x₁ − ½), 1 + a₂ (x₂ − ½))`: no
/// sample is ever solved.
struct Bowl {
    curvature: [f64; 2],
    domain: Domain,
}

impl Bowl {
    fn new(curvature: [f64; 2]) -> Self {
        Self { curvature, domain: Domain::image(1, 1, 2).unwrap() }
    }

    fn slope(&self, at: [f64; 2]) -> [f64; 2] {
        [3.0 + self.curvature[0] * (at[0] - 0.5), 1.0 + self.curvature[1] * (at[1] - 0.5)]
    }
}

impl Classifier for Bowl {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device();
        let linear = Tensor::<2>::from_data([[3.0, 1.0]], &device);
        let curvature = Tensor::<2>::from_data([self.curvature], &device);
        let from = rows - 0.5;
        let height = from.clone() * linear + from.clone() * from * curvature * 0.5;
        let height = height.sum_dim(1);
        Tensor::cat(vec![-height.clone() + 100.0, height * 0.0], 1)
    }
}

fn boxed(attack: impl GradientAttack + 'static) -> Attack {
    Attack::Gradient(Box::new(attack))
}

fn default_of(name: &str) -> Attack {
    (find(name).unwrap().parse)(toml::Table::new()).unwrap()
}

/// Where the attack takes `count` samples at ½ of a model whose label is 0.
fn ends(attack: &Attack, model: &dyn Classifier, threat: Threat, count: usize) -> Vec<f32> {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(model, &passes);
    let rows = Tensor::full([count, model.domain().features()], 0.5, &device);
    let goal = Goal::Untargeted(vec![0; count]);
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat).with_seed(Seed(5));
    floats(run(attack, &problem).unwrap().rows).unwrap()
}

/// Where two steps of a tenth of a ball that holds the box end.
fn two_steps(attack: IterativeFgsm, norm: Norm, radius: f64) -> [f32; 2] {
    let attack = IterativeFgsm { steps: 2, step_size: 0.1, loss: LossKind::Margin, ..attack };
    let model = Bowl::new([-10.0, 20.0]);
    ends(&boxed(attack), &model, Threat::new(norm, radius).unwrap(), 1).try_into().unwrap()
}

fn close(got: &[f32], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (&got, &expected) in got.iter().zip(expected) {
        assert!((f64::from(got) - expected).abs() < 2e-5, "{got} {expected}");
    }
}

/// A first step of length 0.1 √10 along (3, 1): x₁ = (0.8, 0.6), where the slope is (0, 3).
fn second_step(direction: [f64; 2]) -> [f64; 2] {
    let length = 0.1 * 10.0_f64.sqrt() / direction[0].hypot(direction[1]);
    [0.8 + length * direction[0], 0.6 + length * direction[1]]
}

#[test]
fn two_steps_with_and_without_momentum_by_hand() {
    let radius = 10.0_f64.sqrt();
    let plain = IterativeFgsm { momentum: 0.0, ..IterativeFgsm::momentum() };
    close(&two_steps(plain, Norm::L2, radius), &second_step([0.0, 1.0]));
    // g₁ = (¾, ¼), g₂ = g₁ + (0, 1).
    close(&two_steps(IterativeFgsm::momentum(), Norm::L2, radius), &second_step([0.75, 1.25]));
    let half = IterativeFgsm { momentum: 0.5, ..IterativeFgsm::momentum() };
    close(&two_steps(half, Norm::L2, radius), &second_step([0.375, 1.125]));
}

/// The gradient is that at `x₁ + 0.1 √10 · √2 · g₁`; in Linf at `x₁ + 0.1 · 2 · g₁`.
#[test]
fn two_steps_of_nesterov_by_hand() {
    let model = Bowl::new([-10.0, 20.0]);
    let ahead = 0.1 * 20.0_f64.sqrt();
    let slope = model.slope([0.8 + ahead * 0.75, 0.6 + ahead * 0.25]);
    let total = slope[0].abs() + slope[1].abs();
    let velocity = [0.75 + slope[0] / total, 0.25 + slope[1] / total];
    assert!(slope[0] < -3.0, "the point ahead lies beyond the ridge");
    let got = two_steps(IterativeFgsm::nesterov(), Norm::L2, 10.0_f64.sqrt());
    close(&got, &second_step(velocity));

    // The slope is (0, 1) at x₁ = (0.6, 0.6), (−2.25, 1) an L1-sized look-ahead on, and (−4.5, 1) at
    // the point ahead: only there does its share exceed the first velocity of ¾.
    let steep = Bowl::new([-30.0, 0.0]);
    for (attack, expected) in
        [(IterativeFgsm::momentum(), [0.7, 0.7]), (IterativeFgsm::nesterov(), [0.5, 0.7])]
    {
        let attack = IterativeFgsm { steps: 2, step_size: 0.1, loss: LossKind::Margin, ..attack };
        let threat = Threat::new(Norm::Linf, 1.0).unwrap();
        close(&ends(&boxed(attack), &steep, threat, 1), &expected);
    }
}

/// At ½, ¼ and ⅛ the slopes are (3, 1), (5.5, −4) and (6.75, −6.5), with the factors 1, ½, ¼.
#[test]
fn copies_are_divided_by_powers_of_two_and_the_slope_goes_through_them() {
    for (scales, slope) in [(2, [5.75, -1.0]), (3, [7.4375, -2.625])] {
        let attack = IterativeFgsm {
            scales,
            steps: 1,
            step_size: 0.1,
            loss: LossKind::Margin,
            ..IterativeFgsm::momentum()
        };
        let length = 0.1 / f64::hypot(slope[0], slope[1]);
        let expected = [0.5 + length * slope[0], 0.5 + length * slope[1]];
        let threat = Threat::new(Norm::L2, 1.0).unwrap();
        close(&ends(&boxed(attack), &Bowl::new([-10.0, 20.0]), threat, 1), &expected);
    }
}

/// Four steps of both variance-tuned attacks in double precision, from the paper's algorithm 1 and
/// the same draws. The slope is linear in the point, so that the mean over the neighbours is the
/// slope at their mean.
#[test]
fn variance_is_that_of_the_raw_gradient_and_tunes_the_next_step() {
    let (model, neighbors, radius) = (Bowl::new([-1.0, 2.0]), 3, 0.5);
    for look_ahead in [false, true] {
        let (mut at, mut velocity, mut variance) = ([0.5; 2], [0.0; 2], [0.0; 2]);
        for step in 0..4_u32 {
            let reach = if look_ahead { 0.1 * radius * 2.0_f64.sqrt() } else { 0.0 };
            let point = [0, 1].map(|axis| at[axis] + reach * velocity[axis]);
            let raw = model.slope(point);
            let tuned = [raw[0] + variance[0], raw[1] + variance[1]];
            let mut mean = [0.0; 2];
            for neighbor in 1..=neighbors {
                let place = 2 * (step * (neighbors + 1) + neighbor);
                let mut rng = Seed(5).stream(0, 0, place, Use::Step);
                for value in &mut mean {
                    *value += f64::from(rng.random_range(-1.0..=1.0_f32)) / f64::from(neighbors);
                }
            }
            for axis in 0..2 {
                variance[axis] = model.curvature[axis] * 1.5 * radius * mean[axis];
            }
            let total = tuned[0].abs() + tuned[1].abs();
            velocity = [0, 1].map(|axis| velocity[axis] + tuned[axis] / total);
            let length = 0.1 * radius / velocity[0].hypot(velocity[1]);
            at = [0, 1].map(|axis| at[axis] + length * velocity[axis]);
        }
        let attack = IterativeFgsm {
            look_ahead,
            neighbors,
            steps: 4,
            loss: LossKind::Margin,
            ..IterativeFgsm::variance_tuned()
        };
        let threat = Threat::new(Norm::L2, radius).unwrap();
        close(&ends(&boxed(attack), &model, threat, 1), &at);
    }
}

/// One step in Linf goes along the signs of the smoothed weights, plane by plane.
#[test]
fn the_gradient_is_smoothed_before_its_sign() {
    let weights = [1.0, -0.1, 1.0, 1.0, -3.0, 0.5, -1.0, 0.1];
    for (channels, expected) in [
        // −0.1 between ones, 1 beside −3, ½ between −3 and −1, 0.1 beside −1 change sides.
        (1, [1, 1, 1, -1, -1, -1, -1, -1]),
        // 1 at the end of the first plane has −3 in another plane.
        (2, [1, 1, 1, 1, -1, -1, -1, -1]),
    ] {
        let mut model = Linear::new(&weights, 100.0);
        model.domain = Domain::image(channels, 1, 8 / channels).unwrap();
        let attack = IterativeFgsm {
            kernel_size: 3,
            // Weights of e^(−½) beside the centre.
            kernel_sigmas: 1.0,
            steps: 1,
            step_size: 1.0,
            loss: LossKind::Margin,
            ..IterativeFgsm::translation_invariant()
        };
        let threat = Threat::new(Norm::Linf, 0.1).unwrap();
        let expected: Vec<f64> = expected.iter().map(|&sign| 0.5 - 0.1 * f64::from(sign)).collect();
        close(&ends(&boxed(attack), &model, threat, 1), &expected);
    }
}

#[test]
fn each_sample_is_resized_by_a_draw_of_its_own() {
    let model = Smooth { domain: Domain::image(2, 5, 7).unwrap(), classes: 3 };
    let distinct = |diversity: f64| {
        let attack = IterativeFgsm { diversity, steps: 2, ..IterativeFgsm::diverse() };
        let got = ends(&boxed(attack), &model, Threat::new(Norm::L2, 0.01).unwrap(), 8);
        let mut rows: Vec<Vec<u32>> =
            got.chunks(70).map(|row| row.iter().map(|value| value.to_bits()).collect()).collect();
        rows.sort();
        rows.dedup();
        rows.len()
    };
    assert_eq!(distinct(0.0), 1);
    // A size and eight places: a few of eight samples may agree.
    assert!(distinct(1.0) > 3, "{}", distinct(1.0));
}

/// A zero gradient has no direction: every row stays where it is, to the bit.
#[test]
fn without_a_gradient_nothing_moves() {
    let model = Constant { domain: Domain::image(1, 2, 3).unwrap(), answer: 1.0 };
    for name in ["bim", "di-fgsm", "mi-fgsm", "ni-fgsm", "si-ni-fgsm", "ti-fgsm", "vni-fgsm"] {
        for norm in [Norm::L2, Norm::Linf] {
            let got = ends(&default_of(name), &model, Threat::new(norm, 0.1).unwrap(), 2);
            assert!(got.iter().all(|value| value.to_bits() == 0.5_f32.to_bits()), "{name}");
        }
    }
}

/// The features that may not move share neither the norm nor the step.
#[test]
fn the_whole_budget_goes_to_the_features_that_may_move() {
    let mut model = Linear::new(&[3.0, 100.0, 4.0], 500.0);
    model.domain = Domain::image(1, 1, 3).unwrap().with_immutable(vec![1]).unwrap();
    for attack in [IterativeFgsm::momentum(), IterativeFgsm::nesterov()] {
        let attack = IterativeFgsm { steps: 1, step_size: 1.0, loss: LossKind::Margin, ..attack };
        let got = ends(&boxed(attack), &model, Threat::new(Norm::L2, 0.1).unwrap(), 1);
        close(&got, &[0.5 - 0.06, 0.5, 0.5 - 0.08]);
    }
}

/// Forward and backward passes of one sample that is never solved, at the papers' parameters.
#[test]
fn passes_are_those_of_the_formula() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, 2.0], 50.0);
    let oracle = WhiteBox::new(&model, &passes);
    let white = Oracle::Gradients(&oracle);
    // Gradient passes, and the looks at the point where no gradient is taken there.
    for (name, gradients, looks) in [
        ("r-fgsm", 1, 0),
        ("fgsm-rs", 1, 0),
        ("bim", 20, 0),
        ("mi-fgsm", 10, 0),
        ("ni-fgsm", 10, 10),
        ("si-ni-fgsm", 50, 10),
        ("di-fgsm", 19, 19),
        ("ti-fgsm", 10, 0),
        ("vmi-fgsm", 10 + 9 * 20, 0),
        ("vni-fgsm", 10 + 9 * 20, 10),
        ("kl-pgd", 10, 1),
    ] {
        let rows = Tensor::full([3, 2], 0.5, &device);
        let threat = Threat::new(Norm::Linf, 0.1).unwrap();
        let problem = Problem::new(white, rows, Goal::Untargeted(vec![0; 3]), threat);
        for sample in run(&default_of(name), &problem).unwrap().samples {
            assert_eq!(
                (sample.forwards, sample.backwards),
                (gradients + looks, gradients),
                "{name}"
            );
        }
        // Where another model judges, nobody looks.
        let looks = u64::from(name == "kl-pgd");
        for sample in run(&default_of(name), &problem.judged_by(white)).unwrap().samples {
            assert_eq!(
                (sample.forwards, sample.backwards),
                (gradients + looks, gradients),
                "{name}"
            );
        }
    }
}

/// All parts at once: TI-DI-SI-VNI-FGSM. Same bits alone and among others.
#[test]
fn all_parts_combine_and_no_sample_sees_another() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Smooth { domain: Domain::image(1, 4, 6).unwrap(), classes: 5 };
    let oracle = WhiteBox::new(&model, &passes);
    let attack = boxed(IterativeFgsm {
        steps: 4,
        scales: 3,
        diversity: 0.7,
        kernel_size: 5,
        neighbors: 2,
        ..IterativeFgsm::nesterov()
    });
    let attacked = |ids: std::ops::Range<u64>| {
        let values: Vec<f32> = ids
            .clone()
            .flat_map(|id| (0..24).map(move |at| ((id * 24 + at) as f32).sin() * 0.5 + 0.5))
            .collect();
        let count = values.len() / 24;
        let rows = Tensor::from_data(TensorData::new(values, [count, 24]), &device);
        let goal = Goal::Untargeted(ids.clone().map(|id| id as usize % 5).collect());
        let threat = Threat::new(Norm::Linf, 0.05).unwrap();
        let problem =
            Problem::new(Oracle::Gradients(&oracle), rows, goal, threat).with_ids(ids.collect());
        floats(run(&attack, &problem).unwrap().rows).unwrap()
    };
    let together = attacked(0..40);
    for id in [0, 7, 39] {
        assert_eq!(together[id as usize * 24..][..24], attacked(id..id + 1));
    }
}

/// Each feature: `± α` by the coin, then `(ε − α)` down the weight's sign.
#[test]
fn r_fgsm_moves_by_a_coin_and_then_by_the_rest_of_the_budget() {
    let model = Linear::new(&[1.0, -2.0, 3.0, -4.0], 100.0);
    let attack = boxed(RFgsm { random_step: 0.25, loss: LossKind::Margin, ..RFgsm::paper() });
    let got = ends(&attack, &model, Threat::new(Norm::Linf, 0.1).unwrap(), 50);
    let mut heads = 0;
    for (index, &value) in got.iter().enumerate() {
        let down = if index % 2 == 0 { -0.075 } else { 0.075 };
        let coin = f64::from(value) - 0.5 - down;
        assert!((coin.abs() - 0.025).abs() < 1e-6, "{coin}");
        heads += i32::from(coin > 0.0);
    }
    // Five standard deviations of 200 coins.
    assert!((heads - 100).abs() < 36, "{heads}");
}

/// From `u` uniform in the ball, a step of 1.25 ε ends at `max(u − 1.25 ε, −ε)`; with a step of 2 ε
/// at the worst case wherever it starts.
#[test]
fn fgsm_from_a_random_start_ends_in_the_far_part_of_the_ball() {
    let model = Linear::new(&[1.0; 8], 100.0);
    let threat = || Threat::new(Norm::Linf, 0.1).unwrap();
    let got =
        ends(&boxed(FgsmRs { loss: LossKind::Margin, ..FgsmRs::paper() }), &model, threat(), 50);
    let moved: Vec<f32> = got.iter().map(|value| (value - 0.5) / 0.1).collect();
    assert!(moved.iter().all(|moved| (-1.00001..=-0.249).contains(moved)));
    // 62.5 % of the starts reach the side of the ball; five standard deviations of 400.
    let at_the_side = moved.iter().filter(|moved| **moved < -0.99999).count();
    assert!((at_the_side as f64 - 250.0).abs() < 5.0 * 9.7, "{at_the_side}");
    let far = boxed(FgsmRs { step_size: 2.0, loss: LossKind::Margin, ..FgsmRs::paper() });
    close(&ends(&far, &model, threat(), 2), &[0.4; 16]);
}

/// The divergence of a linear model grows on both sides of the clean row: the margin ends at
/// `ε ‖w‖*` from the clean one, on the side of the start; restarts find the side that breaks.
#[test]
fn kl_pgd_reaches_the_worst_case_on_the_side_of_its_start() {
    let weights = [3.0, -1.0, 2.0, 0.5];
    for (norm, dual) in [(Norm::L2, 14.25_f64.sqrt()), (Norm::Linf, 6.5)] {
        let model = Linear::new(&weights, -2.0);
        let threat = || Threat::new(norm, 0.03).unwrap();
        // The slope of the divergence vanishes at the clean row: ten steps of the paper.
        let got = ends(&boxed(KlPgd::paper()), &model, threat(), 20);
        let mut sides = [0, 0];
        for row in got.chunks(4) {
            let change: f64 = row
                .iter()
                .zip(weights)
                .map(|(&value, weight)| (f64::from(value) - 0.5) * f64::from(weight))
                .sum();
            assert!((change.abs() - 0.03 * dual).abs() < 1e-4, "{norm}: {change}");
            sides[usize::from(change > 0.0)] += 1;
        }
        assert!(sides[0] > 2 && sides[1] > 2, "{norm}: {sides:?}");
        // A margin of ¼ breaks beyond its distance from the boundary, from some start.
        let threat = Threat::new(norm, 0.26 / dual).unwrap();
        let attack = boxed(KlPgd { restarts: 10, ..KlPgd::paper() });
        let got = ends(&attack, &model, threat, 8);
        for row in got.chunks(4) {
            let margin: f32 = row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>() - 2.0;
            assert!(margin < 0.0, "{norm}: {margin}");
        }
    }
}

/// Two loops, one definition: the same bits.
#[test]
fn mi_fgsm_is_projected_descent_with_momentum() {
    let model = Smooth { domain: Domain::image(1, 3, 4).unwrap(), classes: 4 };
    for norm in [Norm::L2, Norm::Linf] {
        let threat = || Threat::new(norm, 0.2).unwrap();
        let ours = ends(&boxed(IterativeFgsm::momentum()), &model, threat(), 3);
        assert_eq!(ours, ends(&boxed(Pgd::momentum_paper()), &model, threat(), 3), "{norm}");
    }
}

/// As TRADES uses it: nobody leaves, nothing is read, one forward and ten gradient passes.
#[test]
fn kl_pgd_is_an_inner_maximisation() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[3.0, -1.0, 2.0, 0.5], -2.0);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([5, 4], 0.5, &device);
    let threat = Threat::new(Norm::Linf, 0.1).unwrap();
    let region = Region::new(rows, &threat, &model.domain).unwrap();
    let aim = Goal::Untargeted(vec![0; 5]).aim(&device);
    let mut job = Job::maximise(&oracle as _, region, aim, (Seed(0), (0..5).collect()), &Silent);
    let got = floats(KlPgd::paper().perturb(&mut job).unwrap()).unwrap();
    for row in got.chunks(4) {
        let side = if row[0] > 0.5 { 0.1 } else { -0.1 };
        close(row, &[0.5 + side, 0.5 - side, 0.5 + side, 0.5 + side]);
    }
}

#[test]
fn hyperparameters_out_of_range_are_named() {
    for (name, text, message) in [
        ("ti-fgsm", "kernel_size = 4", "ti-fgsm: `kernel_size` must be odd, got 4"),
        ("di-fgsm", "diversity_ratio = 1.0", "di-fgsm: `diversity_ratio` must be above 1, got 1"),
        ("si-ni-fgsm", "scales = 0", "si-ni-fgsm: `scales` must be at least 1, got 0"),
        ("vmi-fgsm", "neighborhood = -1", "vmi-fgsm: `neighborhood` must be positive, got -1"),
    ] {
        let attack = (find(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap();
        let model = Linear::new(&[1.0, 2.0], 0.0);
        let setting = duress_core::Setting { domain: &model.domain, classes: 2, targeted: false };
        assert_eq!(attack.algorithm().check(&setting).unwrap_err().to_string(), message);
    }
    let table = Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap();
    for (name, fits) in [("mi-fgsm", true), ("ti-fgsm", false), ("di-fgsm", false)] {
        let setting = duress_core::Setting { domain: &table, classes: 2, targeted: true };
        let check = default_of(name).algorithm().check(&setting);
        assert_eq!(check.is_ok(), fits, "{name}");
    }
}
