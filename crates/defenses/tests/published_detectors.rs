//! Detectors whose claim is about one kind of network and attack, measured on MNIST: PGD that runs
//! all of its steps, as in their papers, and PGD that stops at the first success. It takes
//! minutes, so it runs on request only:
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

/// MNIST, in the folder of `DURESS_DATA`, else in `../shared/data` beside the workspace.
fn folders() -> Option<Folders> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DURESS_DATA").map_or(beside, PathBuf::from);
    let folders = Folders::new([folder.clone()]);
    if load("mnist", &folders, Part::Test).is_ok() {
        return Some(folders);
    }
    println!("SKIPPED: no MNIST in {} (set DURESS_DATA)", folder.display());
    None
}

fn trained(data: &Dataset, passes: &Passes) -> Model {
    let architecture = Architecture::SmallCnn {};
    let network = architecture.init(data.domain(), 10, Seed(1), passes.device()).unwrap();
    let optimizer = OptimizerRecipe::Adam {
        learning_rate: 0.002,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let recipe = Recipe { epochs: 5, batch_size: 64, optimizer, ..Recipe::default() };
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

/// Areas under the curve of a detector, by radius and attack: PGD that stops, PGD that runs on.
fn areas(name: &str, settings: &str, radii: &[f64]) -> Option<Vec<[f64; 2]>> {
    let folders = folders()?;
    let passes = Passes::new(&Device::flex()).unwrap();
    let data = load("mnist", &folders, Part::Train).unwrap().take(6000);
    let model = trained(&data, &passes);
    let test = load("mnist", &folders, Part::Test).unwrap().take(300);
    let test = correct(&model, &test, &passes);
    let fit = correct(&model, &data.take(800), &passes);
    let model = Arc::new(model);
    let evidence = Evidence {
        model: Arc::clone(&model) as Arc<dyn Classifier>,
        passes: &passes,
        clean: fit.rows(0..fit.len(), passes.device()),
        labels: fit.labels().to_vec(),
        adversarial: Tensor::zeros([0, fit.features()], passes.device()),
        seed: Seed(0),
        progress: &Silent,
    };
    let method = (find_detector(name).unwrap().parse)(toml::from_str(settings).unwrap()).unwrap();
    let detector = method.fit(&evidence).unwrap();
    let area = |epsilon: f64, whole: bool| {
        let rows = broken(&model, &test, &passes, epsilon, whole);
        let count = rows[0].dims()[0];
        let [adversarial, clean] = rows.map(|rows| scores(&*detector, &passes, &rows).unwrap());
        let area = auc(&adversarial, &clean);
        let steps = if whole { "all steps" } else { "to the first success" };
        println!(
            "{name} {settings}: linf {epsilon}, {steps}, {count} of {}: {area:.3}",
            test.len()
        );
        area
    };
    Some(radii.iter().map(|&epsilon| [area(epsilon, false), area(epsilon, true)]).collect())
}

/// What Speakman et al. observe: anomalies in shallow layers suppress activations in deep ones.
#[test]
#[ignore = "trains on MNIST"]
fn subset_scanning_sees_pgd_in_the_first_layer_and_less_than_nothing_in_the_last() {
    let radii = [0.1, 0.2];
    let Some(first) = areas("subset-scanning", "", &radii) else { return };
    let Some(last) = areas("subset-scanning", "layer = \"fc1\"", &radii) else { return };
    assert!(first.iter().flatten().all(|&area| area > 0.99), "{first:?}");
    assert!(last.iter().flatten().all(|&area| area < 0.5), "{last:?}");
}

/// At the authors' kinds and sizes of noise, with a quarter of their draws.
#[test]
#[ignore = "trains on MNIST"]
fn noise_odds_see_pgd() {
    let Some(areas) = areas("noise-odds", "draws = 64", &[0.1, 0.2]) else { return };
    assert!(areas.iter().flatten().all(|&area| area > 0.9), "{areas:?}");
}
