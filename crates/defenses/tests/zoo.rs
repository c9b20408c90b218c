//! Each defence of the zoo holds against those who do not know it and falls to those who do.
#![allow(clippy::unwrap_used)]
mod pipelines;

use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use duress_attacks::{Fgm, LossKind, Pgd};
use duress_core::{
    Attack, Classifier, Domain, Expectation, Goal, GradientOracle, Norm, Oracle, Passes, Problem,
    Seed, Silent, Status, Threat, WhiteBox, run,
};
use duress_defenses::Defended;
use duress_defenses::transformation::Thermometer;
use duress_defenses::transformation::zoo::{Answer, Obstacle, ZOO};
use duress_models::train::{Augmentation, OptimizerRecipe, Run};
use duress_models::{Architecture, Card, Model, Recipe, Standard, TrainingData, train};
use pipelines::transformation;

const TRAINED: usize = 1400;
const TESTED: std::ops::Range<usize> = 1500..1600;

fn passes() -> Passes {
    Passes::with_workers(&Device::flex(), 2).unwrap()
}

/// A small network on the digits, or on what becomes of them.
fn network(
    domain: &Domain,
    (rows, labels): (&[f32], &[usize]),
    learning_rate: f64,
    augmentation: Augmentation,
) -> Arc<dyn Classifier> {
    let architecture = Architecture::Mlp { hidden: vec![64] };
    let passes = passes();
    let net = architecture.init(domain, 10, Seed(0), passes.device()).unwrap();
    let ids: Vec<u64> = (0..labels.len() as u64).collect();
    let data = TrainingData { rows, labels, ids: &ids, domain, classes: 10 };
    let recipe = Recipe {
        epochs: 20,
        batch_size: 64,
        optimizer: OptimizerRecipe::Sgd {
            learning_rate,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
        },
        augmentation,
        ..Recipe::default()
    };
    let how = Run { progress: &Silent, ..Run::new(&passes) };
    let trained = train(&net, &Standard, &data, &recipe, how).unwrap();
    let card = Card::new(architecture, domain.clone(), 10);
    Arc::new(Model::new(trained.chosen(), card).unwrap())
}

fn digits() -> &'static duress_datasets::Dataset {
    static DIGITS: OnceLock<duress_datasets::Dataset> = OnceLock::new();
    DIGITS.get_or_init(|| duress_datasets::embedded::digits().unwrap())
}

/// The network of the plain digits, trained once.
fn plain() -> Arc<dyn Classifier> {
    static PLAIN: OnceLock<Arc<dyn Classifier>> = OnceLock::new();
    let digits = digits();
    let network = || network(digits.domain(), training(), 0.05, Augmentation::default());
    Arc::clone(PLAIN.get_or_init(network))
}

/// One that stands a shift by a pixel.
fn shifted() -> Arc<dyn Classifier> {
    let augmentation = Augmentation { crop_padding: 1, ..Augmentation::default() };
    network(digits().domain(), training(), 0.05, augmentation)
}

fn training() -> (&'static [f32], &'static [usize]) {
    (&digits().values()[..TRAINED * 64], &digits().labels()[..TRAINED])
}

fn defended(name: &str) -> Defended {
    if name != "thermometer" {
        // JPEG as of the paper on bytes; noise and sizes that a network of 8 by 8 stands.
        let (fields, base) = match name {
            "random-resize" => ("smallest = 0.88", shifted()),
            "gaussian-noise" => ("sigma = 0.15", plain()),
            _ => ("", plain()),
        };
        return transformation(name, fields).wrap(base, Seed(11)).unwrap();
    }
    let (digits, thermometer) = (digits(), Thermometer { levels: 8 });
    let domain = thermometer.encoded_domain(digits.domain()).unwrap();
    let rows = thermometer.encode(&digits.values()[..TRAINED * 64], digits.domain()).unwrap();
    let base = network(&domain, (&rows, training().1), 0.02, Augmentation::default());
    duress_defenses::Transformation::wrap(&thermometer, base, Seed(11)).unwrap()
}

/// Correct and robust samples of a hundred.
fn measured(
    attack: &Attack,
    (norm, epsilon): (Norm, f64),
    own: &dyn GradientOracle,
    judge: &dyn GradientOracle,
) -> [usize; 2] {
    let digits = digits();
    let rows = digits.rows(TESTED, &Device::flex());
    let goal = Goal::Untargeted(digits.labels()[TESTED].to_vec());
    let threat = Threat::new(norm, epsilon).unwrap();
    let problem = Problem::new(Oracle::Gradients(own), rows, goal, threat);
    let outcome = run(attack, &problem.judged_by(Oracle::Gradients(judge))).unwrap();
    let survived = outcome.count(Status::Survived);
    [survived + outcome.count(Status::Broken), survived]
}

fn pgd(loss: LossKind) -> Attack {
    Attack::Gradient(Box::new(Pgd { steps: 40, step_size: 0.05, loss, ..Pgd::paper() }))
}

fn fgsm() -> Attack {
    Attack::Gradient(Box::new(Fgm { loss: LossKind::CrossEntropy }))
}

/// `DeepFool` stops just beyond the boundary, where a draw decides.
fn nearest() -> Attack {
    (duress_attacks::find("deepfool").unwrap().parse)(toml::Table::new()).unwrap()
}

/// Two naive views and the adaptive one of a defence, each as `[correct, robust]`.
fn views(name: &str, epsilon: f64) -> Vec<[usize; 2]> {
    let entry = ZOO.iter().find(|entry| entry.name == name).unwrap();
    let (passes, model) = (passes(), defended(name));
    let judge = WhiteBox::new(&model, &passes);
    let base = WhiteBox::new(model.base().as_ref(), &passes);
    let naive_view = model.naive();
    let flat = WhiteBox::new(&naive_view, &passes);
    let naive: &dyn GradientOracle = match entry.obstacle {
        Obstacle::FlatGradient => &flat,
        Obstacle::Saturation => &judge,
        Obstacle::Unaware => &base,
    };
    let adversary = model.adversary();
    let expected = Expectation::new(&adversary, &passes, 20, Seed(5), 0);
    let (adaptive, loss): (&dyn GradientOracle, _) = match entry.answer {
        Answer::PassThrough | Answer::MarginLoss => (&judge, LossKind::Margin),
        Answer::Expectation => (&expected, LossKind::Margin),
    };
    let unaware = entry.obstacle == Obstacle::Unaware;
    let threat = (if unaware { Norm::L2 } else { Norm::Linf }, epsilon);
    let [first, second] =
        if unaware { [nearest(), nearest()] } else { [fgsm(), pgd(LossKind::CrossEntropy)] };
    vec![
        measured(&first, threat, naive, &judge),
        measured(&second, threat, naive, &judge),
        measured(&pgd(loss), threat, adaptive, &judge),
    ]
}

/// FGSM and PGD (`DeepFool` on the base of a random one) leave at least `naive` of a hundred, the adaptive attack at most `adaptive`.
fn falls(name: &str, epsilon: f64, naive: usize, adaptive: usize) {
    let got = views(name, epsilon);
    assert!(got[0][0] >= 75, "{name}: too few are right to begin with, {got:?}");
    assert!(got[0][1] >= naive && got[1][1] >= naive, "{name}: {got:?}");
    assert!(got[2][1] <= adaptive, "{name}: {got:?}");
}

#[test]
fn a_cold_softmax_falls_to_a_loss_on_margins() {
    falls("softmax-temperature", 0.25, 75, 5);
}

#[test]
fn thermometer_codes_fall_to_ramps_in_place_of_steps() {
    falls("thermometer", 0.25, 75, 5);
}

#[test]
fn jpeg_falls_to_the_identity_in_its_place() {
    falls("jpeg", 0.25, 75, 5);
}

#[test]
fn a_sign_quantizer_falls_to_the_identity_in_its_place() {
    falls("sign-quantizer", 0.5, 50, 5);
}

#[test]
fn a_zeroed_gradient_falls_to_the_identity_in_its_place() {
    falls("zeroed-gradient", 0.25, 75, 5);
}

#[test]
fn random_sizes_fall_to_expectations_over_draws() {
    falls("random-resize", 3.0, 18, 5);
}

#[test]
fn random_noise_falls_to_expectations_over_draws() {
    falls("gaussian-noise", 3.0, 25, 5);
}

#[test]
fn the_zoo_is_sorted_and_all_but_distillation_are_transformations() {
    assert!(ZOO.is_sorted_by_key(|entry| entry.name));
    assert_eq!(ZOO.len(), 8);
    for entry in ZOO.iter().filter(|entry| entry.name != "distillation") {
        assert!(!transformation(entry.name, "").name().is_empty());
    }
}
