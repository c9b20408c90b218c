//! A trained model's own answers, where they are at hand: in the folder of `DURESS_MODELS`, or
//! `../shared/models` beside the workspace. Without them the test says so and passes.
#![allow(clippy::unwrap_used)]
use std::path::{Path, PathBuf};

use duress_evaluation::core::arg_max;
use duress_evaluation::datasets::open::{Options, open};
use duress_evaluation::datasets::{Dataset, Input, npy};
use duress_evaluation::plausible::{Kind, Severity, Subject, examine};

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn model(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("DURESS_MODELS").map_or(beside, PathBuf::from).join(name);
    if folder.join("eval.npz").exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no eval.npz in {} (set DURESS_MODELS)", folder.display());
    None
}

fn kinds(data: &Dataset, logits: &[f32]) -> Vec<(Severity, Kind)> {
    let predicted: Vec<usize> = logits.chunks_exact(10).map(arg_max).collect();
    let subject = Subject { data, predicted: &predicted, classes: 10, logits: Some(logits) };
    let findings = examine(&subject, Vec::new()).unwrap();
    findings.iter().map(|finding| (finding.severity, finding.kind)).collect()
}

#[test]
fn a_trained_model_fits_its_data_and_does_not_fit_them_with_other_labels() {
    let Some(folder) = model("peers/mnist_std") else { return };
    let logits = npy::read(Input::open(&folder.join("logits.npy")).unwrap()).unwrap().floats();
    let read = |options: &str| {
        let options = Options::parse(options).unwrap();
        open(&folder.join("eval.npz"), &options).unwrap().dataset
    };
    let data = read("");
    assert_eq!(kinds(&data, &logits), []);
    let shifted = read("label_offset = -1");
    let missing = [(Severity::Stop, Kind::MissingClasses)];
    let offset = [(Severity::Stop, Kind::Chance), (Severity::Stop, Kind::LabelOffset)];
    assert_eq!(kinds(&shifted, &logits), [&missing[..], &offset].concat());
    let turned: Vec<f32> =
        logits.chunks_exact(10).flat_map(|row| row.iter().rev().copied()).collect();
    let order = [(Severity::Stop, Kind::Chance), (Severity::Stop, Kind::ClassOrder)];
    assert_eq!(kinds(&data, &turned), order);
    let softmax = |row: &[f32]| -> Vec<f32> {
        let total: f32 = row.iter().map(|logit| logit.exp()).sum();
        row.iter().map(|logit| logit.exp() / total).collect()
    };
    let answers: Vec<f32> = logits.chunks_exact(10).flat_map(softmax).collect();
    assert_eq!(kinds(&data, &answers), [(Severity::Warn, Kind::Softmax)]);
    assert_eq!(kinds(&data, &[1.0; 10].repeat(256))[1], (Severity::Stop, Kind::OneAnswer));
}
