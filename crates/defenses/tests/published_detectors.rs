//! Detectors whose claim is about one kind of network and attack, measured on MNIST: PGD that runs
//! all of its steps, as in their papers, and PGD that stops at the first success. It takes a minute,
//! so it runs on request only:
//! `cargo test -p duress-defenses --test published_detectors -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may say and panic")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{
    Attack, Classifier, Goal, Norm, Oracle, Passes, Problem, Seed, Silent, Status, Threat,
    WhiteBox, host, predictions, run,
};
use duress_datasets::{Dataset, Folders, Part, load};
use duress_defenses::detection::scores;
use duress_defenses::{Evidence, find_detector};
use duress_models::train::{OptimizerRecipe, Run};
use duress_models::{Architecture, Card, Model, Recipe, Standard, TrainingData, train};

/// The data set, in the folder of `DURESS_DATA`, else in `../shared/data` beside the workspace.
fn folders(name: &str) -> Option<Folders> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DURESS_DATA").map_or(beside, PathBuf::from);
    let folders = Folders::new([folder.clone()]);
    if load(name, &folders, Part::Test).is_ok() {
        return Some(folders);
    }
    println!("SKIPPED: no {name} in {} (set DURESS_DATA)", folder.display());
    None
}

fn trained(data: &Dataset, passes: &Passes, epochs: u32) -> Model {
    let architecture = Architecture::SmallCnn {};
    let network = architecture.init(data.domain(), 10, Seed(1), passes.device()).unwrap();
    let optimizer = OptimizerRecipe::Adam {
        learning_rate: 0.002,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let recipe = Recipe { epochs, batch_size: 64, optimizer, ..Recipe::default() };
    let samples = TrainingData {
        rows: data.values(),
        labels: data.labels(),
        ids: data.ids(),
        domain: data.domain(),
        classes: 10,
    };
    let trained = train(&network, &Standard, &samples, &recipe, Run::new(passes)).unwrap();
    Model::new(trained.chosen(), Card::new(architecture, data.domain().clone(), 10)).unwrap()
}

/// The samples that `model` gets right.
fn correct(model: &Model, data: &Dataset, passes: &Passes) -> Dataset {
    let logits = passes.logits(model, data.rows(0..data.len(), passes.device())).unwrap();
    let answers = predictions(logits).unwrap();
    let right = |at: &usize| answers[*at].0 == data.label(*at);
    data.select(&(0..data.len()).filter(right).collect::<Vec<_>>())
}

/// The points of PGD that are misclassified, and the clean rows they were made of.
fn broken(
    model: &Model,
    data: &Dataset,
    passes: &Passes,
    epsilon: f64,
    whole: bool,
) -> [Tensor<2>; 2] {
    let oracle = WhiteBox::new(model, passes);
    let rows = data.rows(0..data.len(), passes.device());
    let goal = Goal::Untargeted(data.labels().to_vec());
    let threat = Threat::new(Norm::Linf, epsilon).unwrap();
    let mut problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat);
    if whole {
        // Who is judged by somebody goes on raising the loss.
        problem = problem.judged_by(Oracle::Gradients(&oracle));
    }
    let pgd = Pgd { steps: 10, step_size: 0.25, ..Pgd::paper() };
    let outcome = run(&Attack::Gradient(Box::new(pgd)), &problem).unwrap();
    let found = host::floats(outcome.rows).unwrap();
    let kept: Vec<usize> =
        (0..data.len()).filter(|&at| outcome.samples[at].status == Status::Broken).collect();
    let features = data.features();
    let values = kept.iter().flat_map(|&at| &found[at * features..][..features]).copied();
    let shape = [kept.len(), features];
    let points = TensorData::new(values.collect::<Vec<f32>>(), shape);
    let clean = data.select(&kept);
    [Tensor::from_data(points, passes.device()), clean.rows(0..clean.len(), passes.device())]
}

/// The share of pairs in which the adversarial row scores higher; ties count half.
fn auc(adversarial: &[f32], clean: &[f32]) -> f64 {
    let pairs = adversarial.iter().flat_map(|a| clean.iter().map(move |c| a.partial_cmp(c)));
    let wins = pairs.map(|order| match order.unwrap() {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    });
    wins.sum::<f64>() / (adversarial.len() * clean.len()) as f64
}

/// Areas under the curve by attack: [stops, runs on], of each detector.
fn measured(
    name: &str,
    (train, test, epochs): (usize, usize, u32),
    epsilon: f64,
    detectors: &[(&str, &str)],
) -> Option<Vec<[f64; 2]>> {
    let folders = folders(name)?;
    let passes = Passes::new(&Device::flex()).unwrap();
    let data = load(name, &folders, Part::Train).unwrap().take(train);
    let model = trained(&data, &passes, epochs);
    let test = load(name, &folders, Part::Test).unwrap().take(test);
    let test = correct(&model, &test, &passes);
    let fit = correct(&model, &data.take(800), &passes);
    let attacks = [false, true].map(|whole| broken(&model, &test, &passes, epsilon, whole));
    let evidence = Evidence {
        model: Arc::new(model) as Arc<dyn Classifier>,
        passes: &passes,
        clean: fit.rows(0..fit.len(), passes.device()),
        labels: fit.labels().to_vec(),
        adversarial: Tensor::zeros([0, fit.features()], passes.device()),
        seed: Seed(0),
        progress: &Silent,
    };
    let mut all = Vec::new();
    for (detector, text) in detectors {
        let method = (find_detector(detector).unwrap().parse)(toml::from_str(text).unwrap());
        let fitted = method.unwrap().fit(&evidence).unwrap();
        let areas = [0, 1].map(|attack| {
            let [adversarial, clean] =
                [0, 1].map(|part| scores(&*fitted, &passes, &attacks[attack][part]).unwrap());
            auc(&adversarial, &clean)
        });
        println!(
            "{name}, linf {epsilon}, {} and {} broken of {}: {detector} {text}: {:.3} {:.3}",
            attacks[0][0].dims()[0],
            attacks[1][0].dims()[0],
            test.len(),
            areas[0],
            areas[1]
        );
        all.push(areas);
    }
    Some(all)
}

/// What Speakman et al. observe: anomalies in shallow layers suppress activations in deep ones.
#[test]
#[ignore = "trains on MNIST"]
fn subset_scanning_sees_pgd_in_the_first_layer_and_less_than_nothing_in_the_last() {
    for epsilon in [0.1, 0.2] {
        let detectors = [("subset-scanning", ""), ("subset-scanning", "layer = \"fc1\"")];
        let Some(areas) = measured("mnist", (6000, 300, 4), epsilon, &detectors) else { return };
        assert!(areas[0].iter().all(|&area| area > 0.99), "{areas:?}");
        assert!(areas[1].iter().all(|&area| area < 0.5), "{areas:?}");
    }
}

/// What Roth et al. claim is of CIFAR-10: noise of a tenth to a quarter of the perturbation leaves
/// the cone of adversarial points.
#[test]
#[ignore = "trains on CIFAR-10 and MNIST"]
fn noise_odds_see_pgd_on_pictures_of_things() {
    let detectors =
        [("noise-odds", "draws = 64"), ("noise-odds", "sizes = [0.01, 0.02, 0.03]\ndraws = 32")];
    for (name, train, epsilon) in [("cifar10", 8000, 8.0 / 255.0), ("mnist", 6000, 0.1)] {
        let Some(areas) = measured(name, (train, 200, 6), epsilon, &detectors) else { return };
        if name == "cifar10" {
            assert!(areas.iter().flatten().any(|&area| area > 0.8), "{areas:?}");
        }
    }
}
