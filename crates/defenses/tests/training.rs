//! The inner maximisation of a linear network is on paper: the loss that adversarial training
//! minimises is `log(1 + exp(−(m − ε‖w‖*)))` with the clean margin `m` and weight difference `w`.
#![allow(clippy::unwrap_used)]
use burn::module::{Module, Param};
use burn::prelude::*;
use duress_core::{Domain, Norm, Passes, Seed, Silent, Threat, host::floats};
use duress_defenses::{
    AblationAugmentation, CollapseCheck, DiscreteAugmentation, FgsmTraining, GaussianAugmentation,
    PgdTraining, RobustnessWatch, TrainingDefense,
};
use duress_models::train::{EpochReport, Step, Watch};
use duress_models::{Batch, Objective, Trainable};

const WEIGHTS: [f32; 3] = [2.0, -1.0, 0.5];

/// Logits `(⟨w, x⟩, 0)`.
#[derive(Module, Debug)]
struct LinearNet {
    weights: Param<Tensor<2>>,
}

impl LinearNet {
    fn new(weights: [f32; 3]) -> Self {
        let device = Device::flex().autodiff();
        let column = weights.map(|weight| [weight, 0.0]);
        Self { weights: Param::from_data(column, &device) }
    }
}

impl Trainable for LinearNet {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        rows.matmul(self.weights.val())
    }
}

fn step<'a>(domain: &'a Domain, passes: &'a Passes, epoch: u32) -> Step<'a> {
    Step {
        epoch,
        step: 0,
        steps: 1,
        epochs: 2,
        seed: Seed(5),
        label_smoothing: 0.0,
        domain,
        classes: 2,
        passes,
        progress: &Silent,
    }
}

fn batch(rows: &[[f32; 3]]) -> Batch {
    let values: Vec<f32> = rows.iter().flatten().copied().collect();
    let shape = [rows.len(), 3];
    Batch {
        rows: Tensor::from_data(TensorData::new(values, shape), &Device::flex()),
        labels: vec![0; rows.len()],
        ids: (0..rows.len() as u64).collect(),
    }
}

fn loss_of(objective: &dyn Objective<LinearNet>, rows: &[[f32; 3]], epoch: u32) -> f32 {
    let domain = Domain::image(1, 1, 3).unwrap();
    let passes = Passes::new(&Device::flex()).unwrap();
    let net = LinearNet::new(WEIGHTS);
    let output = objective.loss(&net, &batch(rows), &step(&domain, &passes, epoch)).unwrap();
    floats(output.loss).unwrap()[0]
}

/// `log(1 + exp(−margin))`.
fn logistic(margin: f64) -> f64 {
    (-margin).exp().ln_1p()
}

#[test]
fn pgd_training_minimises_the_worst_case_of_a_linear_network() {
    // ‖w‖₁ and ‖w‖₂ of the weight difference.
    for (norm, dual) in [(Norm::Linf, 3.5), (Norm::L2, 5.25_f64.sqrt())] {
        let epsilon = "0.1".parse().unwrap();
        let training =
            PgdTraining { norm, epsilon, steps: 30, step_size: 0.2, ..PgdTraining::default() };
        training.check().unwrap();
        // ⟨w, ½⟩ = 0.75, for both samples of the mean.
        let got = loss_of(&training, &[[0.5; 3], [0.5; 3]], 0);
        let expected = logistic(0.75 - 0.1 * dual);
        assert!((f64::from(got) - expected).abs() < 1e-4, "{norm}: {got} {expected}");
    }
}

/// Epoch 1 of a warm-up of 4: a quarter of the radius.
#[test]
fn the_radius_rises_over_the_warm_up() {
    let epsilon = "0.4".parse().unwrap();
    let base = PgdTraining { epsilon, steps: 30, step_size: 0.2, ..PgdTraining::default() };
    let training = PgdTraining { warmup_epochs: 4, ..base.clone() };
    for (epoch, radius) in [(0, 0.0), (1, 0.1), (4, 0.4), (7, 0.4)] {
        let got = loss_of(&training, &[[0.5; 3]], epoch);
        let expected = logistic(0.75 - radius * 3.5);
        assert!((f64::from(got) - expected).abs() < 1e-4, "{epoch}: {got} {expected}");
    }
    assert!((f64::from(loss_of(&base, &[[0.5; 3]], 0)) - logistic(0.75 - 1.4)).abs() < 1e-4);
}

/// One step of 1.25 ε from any start reaches the corner when the start is within ε/4 of it or the
/// step overshoots: from the clean row, a full step does.
#[test]
fn one_step_from_the_clean_row_is_exact_on_a_linear_network() {
    let epsilon = "0.1".parse().unwrap();
    let training = FgsmTraining { epsilon, random_start: false, ..FgsmTraining::default() };
    let got = loss_of(&training, &[[0.5; 3]], 0);
    assert!((f64::from(got) - logistic(0.75 - 0.35)).abs() < 1e-5, "{got}");
    // From a random start some feature may fall short, but never beyond the ball.
    let random = loss_of(&FgsmTraining { epsilon, ..FgsmTraining::default() }, &[[0.5; 3]], 0);
    assert!(random <= got + 1e-6 && f64::from(random) > logistic(0.75), "{random}");
}

#[test]
fn each_epoch_draws_its_own_starts_and_noise() {
    let noise = GaussianAugmentation { sigma: 0.25 };
    let row = [[0.5; 3]];
    assert_eq!(loss_of(&noise, &row, 0).to_bits(), loss_of(&noise, &row, 0).to_bits());
    assert_ne!(loss_of(&noise, &row, 0).to_bits(), loss_of(&noise, &row, 1).to_bits());
    let epsilon = "0.1".parse().unwrap();
    let one = PgdTraining { epsilon, steps: 1, step_size: 0.01, ..PgdTraining::default() };
    assert_ne!(loss_of(&one, &row, 0).to_bits(), loss_of(&one, &row, 1).to_bits());
}

/// Levels 0 and 1 of three features at 0.9, kept with probability 0.8; and two of the three kept, the
/// others at −1: all outcomes enumerated, against the mean over many samples.
#[test]
fn sparse_noises_have_the_stated_probabilities() {
    let rows = vec![[0.9_f32; 3]; 4000];
    let (mut mean, mut square) = ([0.0_f64; 2], [0.0_f64; 2]);
    for outcome in 0..8_u32 {
        let kept = [0, 1, 2].map(|feature| outcome >> feature & 1 == 1);
        let count = outcome.count_ones() as i32;
        let margin = |on: f64, off: f64| {
            let values = kept.map(|kept| if kept { on } else { off });
            let products =
                values.iter().zip(WEIGHTS).map(|(value, weight)| value * f64::from(weight));
            logistic(products.sum())
        };
        let resampled = 0.8_f64.powi(count) * 0.2_f64.powi(3 - count);
        let ablated = if count == 2 { 1.0 / 3.0 } else { 0.0 };
        let cases = [(resampled, margin(1.0, 0.0)), (ablated, margin(f64::from(0.9_f32), -1.0))];
        for (at, (share, loss)) in cases.into_iter().enumerate() {
            mean[at] += share * loss;
            square[at] += share * loss * loss;
        }
    }
    let got = [
        loss_of(&DiscreteAugmentation::default(), &rows, 0),
        loss_of(&AblationAugmentation { keep: 2, fill: -1.0 }, &rows, 0),
    ];
    for at in 0..2 {
        let error = 5.0 * ((square[at] - mean[at] * mean[at]) / 4000.0).sqrt();
        assert!((f64::from(got[at]) - mean[at]).abs() < error, "{got:?} {mean:?} {error}");
    }
    assert!(DiscreteAugmentation { levels: 1, ..Default::default() }.check().is_err());
    assert!(AblationAugmentation { keep: 0, fill: 0.0 }.check().is_err());
}

/// `E log(1 + exp(−(m + σ‖w‖Z)))` by Simpson's rule, against the mean over many samples.
#[test]
fn gaussian_augmentation_has_the_stated_deviation() {
    let (sigma, count) = (0.5, 4000);
    let got = f64::from(loss_of(&GaussianAugmentation { sigma }, &vec![[0.5; 3]; count], 0));
    let scale = sigma * 5.25_f64.sqrt();
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (low, high, pieces) = (-8.0, 8.0, 2000);
    let width = (high - low) / f64::from(pieces);
    let value = |z: f64| density(z) * logistic(0.75 + scale * z);
    let square = |z: f64| density(z) * logistic(0.75 + scale * z).powi(2);
    let integral = |f: &dyn Fn(f64) -> f64| -> f64 {
        (0..=pieces)
            .map(|index| {
                let factor = if index == 0 || index == pieces {
                    1.0
                } else {
                    f64::from(2 + 2 * (index % 2))
                };
                factor * f(low + width * f64::from(index))
            })
            .sum::<f64>()
            * width
            / 3.0
    };
    let mean = integral(&value);
    let deviation = (integral(&square) - mean * mean).sqrt() / (count as f64).sqrt();
    assert!((got - mean).abs() < 5.0 * deviation, "{got} {mean} ± {deviation}");
}

fn watch<'a>(domain: &'a Domain, passes: &'a Passes) -> RobustnessWatch<'a> {
    let rows = batch(&[[0.5; 3], [0.52; 3], [0.6; 3], [0.9; 3]]);
    RobustnessWatch {
        rows: rows.rows,
        labels: rows.labels,
        ids: rows.ids,
        domain,
        threat: Threat::new(Norm::Linf, 0.22).unwrap(),
        attack: duress_attacks::Pgd { steps: 20, step_size: 0.2, ..duress_attacks::Pgd::paper() },
        collapse: Some(CollapseCheck { fall: 0.2, mismatch: 0.2, full_radius: 1 }),
        seed: Seed(0),
        passes,
        progress: &Silent,
    }
}

fn report(score: Option<f64>) -> EpochReport {
    EpochReport {
        epoch: 0,
        loss: 0.0,
        correct: None,
        samples: 4,
        learning_rate: 0.1,
        score,
        seconds: 0.0,
    }
}

/// A sample survives if `1.5 x > 0.22 · 3.5 = 0.77`: 0.5 does not, 0.52 (0.78) and more do.
#[test]
fn the_watch_counts_survivors_and_stops_a_collapse() {
    let domain = Domain::image(1, 1, 3).unwrap();
    let passes = Passes::new(&Device::flex()).unwrap();
    let net = LinearNet::new(WEIGHTS).valid();
    let first = watch(&domain, &passes).epoch(&net, &[report(None)], false).unwrap();
    assert_eq!((first.score, first.stop), (Some(0.75), None));
    let history = [report(Some(0.9)), report(None)];
    let small = watch(&domain, &passes).epoch(&net, &history, false).unwrap();
    assert_eq!(small.stop, None);
    let history = [report(Some(0.96)), report(None)];
    let fall = watch(&domain, &passes).epoch(&net, &history, false).unwrap();
    let reason = fall.stop.unwrap();
    assert_eq!(reason, "catastrophic overfitting: robust accuracy fell from 96.0 % to 75.0 %");
    // All right at the points trained on: not robust to begin with, but for the first epoch.
    let trained = |epoch| EpochReport { epoch, correct: Some(4), ..report(None) };
    let early = watch(&domain, &passes).epoch(&net, &[trained(0)], false).unwrap();
    assert_eq!(early.stop, None);
    let never = watch(&domain, &passes).epoch(&net, &[trained(1)], false).unwrap();
    let reason = never.stop.unwrap();
    let expected = "catastrophic overfitting: more steps take the accuracy from 100.0 % to 75.0 %";
    assert_eq!(reason, expected);
}

#[test]
fn wrong_hyperparameters_are_named() {
    let l0 = PgdTraining { norm: Norm::L0, ..PgdTraining::default() };
    assert!(l0.check().unwrap_err().to_string().contains("does not support the l0 norm"));
    let none = PgdTraining { steps: 0, ..PgdTraining::default() };
    assert_eq!(
        none.check().unwrap_err().to_string(),
        "pgd-training: `steps` must be at least 1, got 0"
    );
    assert!(GaussianAugmentation { sigma: f64::NAN }.check().is_err());
    assert!(FgsmTraining { collapse: 2.0, ..FgsmTraining::default() }.check().is_err());
}
