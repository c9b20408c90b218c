//! A model trained on a data set and on generated samples of a file.
#![allow(clippy::unwrap_used)]
use std::path::Path;

use burn::prelude::*;
use duress_evaluation::core::{Passes, Progress};
use duress_evaluation::datasets::{Folders, Part, load, npy, npz};
use duress_evaluation::{Context, Error, Experiment, Observer, Summary, run};

struct Quiet;

impl Progress for Quiet {}

impl Observer for Quiet {}

/// `count` digits as an archive of images, values times `scale`.
fn write(path: &Path, count: usize, scale: f32) {
    let set = load("digits", &Folders::default(), Part::Train).unwrap().take(count);
    let values: Vec<f32> = set.values().iter().map(|value| value * scale).collect();
    let labels: Vec<i64> = set.labels().iter().map(|&label| label as i64).collect();
    let x = npy::encode(&[count, 8, 8], &values).unwrap();
    let y = npy::encode(&[count], &labels).unwrap();
    std::fs::write(path, npz::encode(&[("x", x), ("y", y)]).unwrap()).unwrap();
}

fn go(folder: &Path, run_name: &str, mix: &str) -> Result<Summary, Error> {
    let text = format!(
        "name = \"generated\"\n[data]\nname = \"digits\"\ntest = 40\n[[model]]\nname = \"mlp\"\n\
         architecture = {{ name = \"mlp\", hidden = [16] }}\n\
         recipe = {{ epochs = 2, batch_size = 64{mix} }}\n[[threat]]\nnorm = \"linf\"\n\
         epsilons = [0.1]\n[[attack]]\nname = \"fgm\"\n"
    );
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = Context {
        out: folder.join(run_name),
        fresh: false,
        cache: folder.join("cache"),
        folders: Folders::default(),
        device: "flex".into(),
        passes: &passes,
        observer: &Quiet,
        command: String::new(),
        token: None,
        stop: None,
        force: true,
    };
    run(&Experiment::parse(&text).unwrap(), &context)
}

#[test]
fn generated_samples_change_the_weights_and_a_file_that_does_not_fit_is_named() {
    let folder = tempfile::Builder::new().prefix("generated data ").tempdir().unwrap();
    let root = folder.path();
    let file = root.join("generated pictures.npz");
    write(&file, 30, 1.0);
    let mix = format!(", mix = {{ file = '{}', share = 0.25 }}", file.display());
    let plain = go(root, "plain", "").unwrap().rows;
    let mixed = go(root, "mixed", &mix).unwrap().rows;
    assert_ne!(plain[0].model_digest, mixed[0].model_digest);
    // The name stays and the file changes: the weights of before are not taken for these.
    write(&file, 60, 1.0);
    let other = go(root, "other", &mix).unwrap().rows;
    assert_ne!(other[0].model_digest, mixed[0].model_digest);
    assert_eq!(go(root, "again", &mix).unwrap().rows[0].model_digest, other[0].model_digest);

    write(&file, 30, 200.0);
    let error = go(root, "scaled", &mix).unwrap_err().to_string();
    assert!(error.contains("generated pictures.npz") || error.contains("outside"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = go(root, "missing", &mix).unwrap_err().to_string();
    assert!(error.contains("generated pictures.npz"), "{error}");
    let whole = format!(", mix = {{ file = '{}', share = 1.5 }}", file.display());
    let text = format!(
        "name = \"e\"\n[data]\nname = \"digits\"\n[[model]]\nname = \"m\"\n\
         architecture = {{ name = \"mlp\", hidden = [8] }}\nrecipe = {{ epochs = 1{whole} }}\n"
    );
    let error = Experiment::parse(&text).unwrap_err();
    assert!(error.contains("`mix.share` must be in (0, 1), got 1.5"), "{error}");
}
