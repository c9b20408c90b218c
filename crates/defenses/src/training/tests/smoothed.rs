//! Losses under noise.
use duress_core::{Use, host};
use duress_models::Objective;
use duress_models::train::Step;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::linear::{CLEAN, LABELS, Linear, batch, divergence, probabilities, value, with_step};
use crate::training::{Consistency, GaussianAugmentation, Macer, SmoothAdv, Stability};

const SIGMA: f64 = 0.25;

/// The noisy rows of a draw, in f64.
fn noisy(step: &Step<'_>, draw: u32) -> [[f64; 2]; 2] {
    std::array::from_fn(|row| {
        let mut rng = step.epoch_seed().stream(row as u64, draw, 0, Use::Noise);
        CLEAN[row].map(|x| {
            let normal: f32 = rng.sample(StandardNormal);
            x + SIGMA * f64::from(normal)
        })
    })
}

fn loss(recipe: &impl Objective<Linear>) -> f64 {
    with_step(|step| value(&recipe.loss(&Linear::new(), &batch(), step).unwrap()))
}

/// The mean over rows of a function of the answers under each of two draws, and of the label.
fn mean_of_two(of: impl Fn([f64; 3], [f64; 3], usize) -> f64) -> f64 {
    with_step(|step| {
        let draws = [0, 1].map(|draw| noisy(step, draw).map(probabilities));
        (0..2).map(|row| of(draws[0][row], draws[1][row], LABELS[row])).sum::<f64>() / 2.0
    })
}

fn middle(p: [f64; 3], q: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|class| f64::midpoint(p[class], q[class]))
}

fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 2e-5 * expected.abs().max(1.0), "{got} is not {expected}");
}

fn cross_entropies(p: [f64; 3], q: [f64; 3], label: usize) -> f64 {
    -f64::midpoint(p[label].ln(), q[label].ln())
}

#[test]
fn consistency_adds_divergence_from_the_mean_and_its_entropy() {
    let expected = mean_of_two(|p, q, label| {
        let mean = middle(p, q);
        let entropy: f64 = mean.iter().map(|p| -p * p.ln()).sum();
        let apart = f64::midpoint(divergence(mean, p), divergence(mean, q));
        cross_entropies(p, q, label) + 20.0 * apart + 0.5 * entropy
    });
    close(loss(&Consistency { sigma: SIGMA, ..Consistency::default() }), expected);
    let plain = Consistency { sigma: SIGMA, lambda: 0.0, eta: 0.0, ..Consistency::default() };
    close(loss(&plain), mean_of_two(cross_entropies));
}

#[test]
fn stability_adds_the_cross_entropy_between_clean_and_noisy_answers() {
    let expected = with_step(|step| {
        let moved = noisy(step, 0);
        let of = |row: usize| {
            let (p, q) = (probabilities(CLEAN[row]), probabilities(moved[row]));
            let stay: f64 = p.iter().zip(q).map(|(p, q)| -p * q.ln()).sum();
            -p[LABELS[row]].ln() + 2.0 * stay
        };
        f64::midpoint(of(0), of(1))
    });
    close(loss(&Stability { sigma: SIGMA, draws: 1, lambda: 2.0 }), expected);
}

#[test]
fn macer_without_its_hinge_is_the_cross_entropy_of_the_mean_answer() {
    let expected = mean_of_two(|p, q, label| -middle(p, q)[label].ln());
    let macer = Macer { sigma: SIGMA, draws: 2, lambda: 0.0, ..Macer::default() };
    close(loss(&macer), expected);
}

/// The hinge, where the mean of the sharpened answers is right.
#[test]
fn macer_adds_the_hinge_of_the_soft_radius() {
    use statrs::distribution::{ContinuousCDF, Normal};
    let normal = Normal::standard();
    let expected = with_step(|step| {
        let draws = [0, 1].map(|draw| noisy(step, draw));
        let of = |row: usize| {
            let mean = middle(probabilities(draws[0][row]), probabilities(draws[1][row]));
            let rival = (0..3).filter(|&k| k != LABELS[row]).map(|k| mean[k]).fold(0.0, f64::max);
            let right = mean[LABELS[row]] > rival;
            let gap = normal.inverse_cdf(mean[LABELS[row]]) - normal.inverse_cdf(rival);
            -mean[LABELS[row]].ln() + if right { 3.0 * SIGMA / 2.0 * (8.0 - gap) } else { 0.0 }
        };
        f64::midpoint(of(0), of(1))
    });
    let macer = Macer { sigma: SIGMA, draws: 2, beta: 1.0, lambda: 3.0, gamma: 8.0 };
    close(loss(&macer), expected);
}

#[test]
fn without_their_own_term_they_are_training_under_gaussian_noise() {
    let plain = loss(&GaussianAugmentation { sigma: SIGMA });
    let adversarial =
        SmoothAdv { sigma: SIGMA, draws: 1, epsilon: "0".parse().unwrap(), ..SmoothAdv::default() };
    assert_eq!(loss(&adversarial).to_bits(), plain.to_bits());
    let macer = Macer { sigma: SIGMA, draws: 1, lambda: 0.0, ..Macer::default() };
    close(loss(&macer), plain);
}

/// One step from `x` goes up the gradient of the loss of the mean answer, here by differences.
#[test]
fn smooth_adv_goes_where_the_smoothed_loss_grows_fastest() {
    let (radius, share) = (0.1, 0.5);
    let recipe = SmoothAdv {
        sigma: SIGMA,
        draws: 2,
        epsilon: radius.to_string().parse().unwrap(),
        steps: 1,
        step_size: share,
        warmup_epochs: 0,
    };
    let expected = with_step(|step| {
        let draws = [0, 1].map(|draw| noisy(step, draw));
        let of = |row: usize| {
            let at = |shift: [f64; 2]| {
                let answers = [0, 1].map(|draw: usize| {
                    let x = draws[draw][row];
                    probabilities([x[0] + shift[0], x[1] + shift[1]])
                });
                (answers[0], answers[1])
            };
            let smoothed = |shift| {
                let (p, q) = at(shift);
                -middle(p, q)[LABELS[row]].ln()
            };
            let h = 1e-5;
            let slope = [
                (smoothed([h, 0.0]) - smoothed([-h, 0.0])) / (2.0 * h),
                (smoothed([0.0, h]) - smoothed([0.0, -h])) / (2.0 * h),
            ];
            let length = slope[0].hypot(slope[1]);
            let (p, q) = at(slope.map(|part| part / length * radius * share));
            cross_entropies(p, q, LABELS[row])
        };
        f64::midpoint(of(0), of(1))
    });
    close(loss(&recipe), expected);
}

#[test]
fn each_repeats_itself_and_its_gradient_reaches_the_weights() {
    let recipes: [Box<dyn Objective<Linear>>; 4] = [
        Box::new(SmoothAdv { warmup_epochs: 0, ..SmoothAdv::default() }),
        Box::new(Macer::default()),
        Box::new(Consistency::default()),
        Box::new(Stability::default()),
    ];
    for recipe in recipes {
        let gradient = || {
            let network = Linear::new();
            let output = with_step(|step| recipe.loss(&network, &batch(), step).unwrap());
            let gradients = output.loss.backward();
            host::floats(network.weight.val().grad(&gradients).unwrap()).unwrap()
        };
        let first = gradient();
        assert!(first.iter().all(|slope| slope.is_finite() && *slope != 0.0), "{first:?}");
        assert_eq!(first, gradient());
    }
}
