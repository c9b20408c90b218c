//! `experiments/certified-training-mnist.toml`, trained and certified. It takes minutes, so it runs
//! on request only:
//! `cargo test -p duress-evaluation --test certified_training -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may say and panic")]
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::prelude::*;
use duress_certification::bounds::{InputSet, Method, Network, Options};
use duress_evaluation::core::{Classifier, Norm, Passes, Silent};
use duress_evaluation::datasets::{Dataset, Folders, Part, load};
use duress_evaluation::models::Model;
use duress_evaluation::{Context, Experiment, train_model};

const EXPERIMENT: &str = "../../experiments/certified-training-mnist.toml";

/// Model, Linf radius, least share of the first test samples that must be certified.
const GOALS: [(&str, f64, f64); 2] = [("fast-ibp-0.1", 0.1, 0.93), ("fast-ibp-0.3", 0.3, 0.84)];

/// Test samples that are certified, from the start.
const SAMPLES: usize = 1000;

fn experiment() -> Experiment {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXPERIMENT);
    Experiment::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

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

/// How many samples are classified as labelled on all of the ball, by intervals alone and by
/// CROWN-IBP, in f64.
fn certified(model: &Model, test: &Dataset, radius: f64) -> [usize; 2] {
    let network = Network::new(&model.graph().unwrap()).unwrap();
    let mut counts = [0; 2];
    for (row, &label) in test.values().chunks(model.domain().features()).zip(test.labels()) {
        let centre: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        let set = InputSet::ball(&centre, Norm::Linf, radius, Some(model.domain())).unwrap();
        for (count, method) in counts.iter_mut().zip([Method::Ibp, Method::CrownIbp]) {
            let margins = network.margins(&set, label, method, &Options::default()).unwrap();
            *count += usize::from(margins.is_certified());
        }
    }
    counts
}

#[test]
fn the_experiment_parses_and_trains_what_is_certified() {
    let experiment = experiment();
    for (name, ..) in GOALS {
        let plan = experiment.models.iter().find(|plan| plan.name == name).unwrap();
        assert!(plan.is_trained() && plan.defense.contains("ibp"), "{name}");
    }
}

#[test]
#[ignore = "trains on all of MNIST for minutes"]
fn mnist_is_certified_at_one_tenth_and_at_three_tenths() {
    let Some(folders) = folders() else { return };
    let (experiment, root) = (experiment(), tempfile::tempdir().unwrap());
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let test = load("mnist", &folders, Part::Test).unwrap().take(SAMPLES);
    let context = Context {
        out: root.path().join("run"),
        fresh: false,
        cache: root.path().join("cache"),
        folders,
        device: "flex".into(),
        passes: &passes,
        observer: &Silent,
        command: String::new(),
        token: None,
        stop: None,
        force: false,
    };
    for (name, radius, least) in GOALS {
        let begun = Instant::now();
        let path = train_model(&experiment, name, &context).unwrap().path;
        let seconds = begun.elapsed().as_secs();
        let model = Model::load(path, passes.device()).unwrap();
        let clean = model.card().clean_accuracy.unwrap();
        let [intervals, planes] = certified(&model, &test, radius);
        println!(
            "{name}: {seconds} s, clean {} of {}, of {SAMPLES} at {radius} certified by intervals \
             {intervals}, by CROWN-IBP {planes}",
            clean.correct, clean.samples
        );
        assert!(planes as f64 >= least * SAMPLES as f64, "{name}: {planes} of {SAMPLES}");
    }
}
