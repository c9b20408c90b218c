//! Experiments on a user's own files.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::sync::Mutex;

use burn::prelude::*;
use duress_evaluation::core::{Passes, Progress};
use duress_evaluation::datasets::{Folders, Part, load};
use duress_evaluation::{Context, Error, Experiment, Observer, Summary, run};

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn note(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

impl Observer for Notes {}

/// Digits as a table with a header, times `scale`; the labels begin at `first`.
fn write(folder: &Path, name: &str, part: Part, scale: f32, first: usize) {
    let set = load("digits", &Folders::default(), part).unwrap().take(300);
    let mut lines = vec![(0..64).map(|pixel| format!("p{pixel}")).collect::<Vec<_>>()];
    lines[0].push("label".into());
    for index in 0..set.len() {
        let pixels = set.row(index).iter().map(|value| (value * scale).to_string());
        lines.push(pixels.chain([(set.label(index) + first).to_string()]).collect());
    }
    let text: Vec<String> = lines.into_iter().map(|cells| cells.join(",")).collect();
    std::fs::write(folder.join(name), text.join("\n")).unwrap();
}

fn experiment(folder: &Path, data: &str) -> Experiment {
    let text = format!(
        "name = \"own\"\n[data]\npath = '{}'\nshape = [1, 8, 8]\n{data}\n[[model]]\nname = \"mlp\"\n\
         architecture = {{ name = \"mlp\", hidden = [16] }}\nrecipe = {{ epochs = 6, batch_size = 32 \
         }}\n[[threat]]\nnorm = \"linf\"\nepsilons = [0.1]\n[[attack]]\nname = \"fgm\"\n",
        folder.join("test.csv").display()
    );
    Experiment::parse(&text).unwrap()
}

fn go(folder: &Path, data: &str, notes: &Notes) -> Result<Summary, Error> {
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = Context {
        out: folder.join("run"),
        fresh: false,
        cache: folder.join("cache"),
        folders: Folders::default(),
        device: "flex".into(),
        passes: &passes,
        observer: notes,
        command: String::new(),
        token: None,
        stop: None,
        force: false,
    };
    run(&experiment(folder, data), &context)
}

#[test]
fn a_model_is_trained_and_attacked_on_files_and_the_guesses_are_noted() {
    let folder = tempfile::Builder::new().prefix("own data ").tempdir().unwrap();
    let root = folder.path();
    write(root, "test.csv", Part::Test, 1.0, 1);
    write(root, "train.csv", Part::Train, 1.0, 1);
    let train = format!(
        "units = \"unit\"\nlabel_offset = 1\ntest = 40\ntrain_path = '{}'",
        root.join("train.csv").display()
    );
    let notes = Notes::default();
    let rows = go(root, &train, &notes).unwrap().rows;
    let known = load("digits", &Folders::default(), Part::Test).unwrap().take(40);
    assert_eq!(rows[0].data, "test.csv[..40]");
    assert_eq!((rows[0].samples, rows[0].data_digest.as_str()), (40, known.digest()));
    let heard = notes.0.into_inner().unwrap();
    assert!(heard.iter().any(|note| note.starts_with("[data]: the first line names")), "{heard:?}");
    assert!(heard.iter().any(|note| note.starts_with("[data] (training): ")), "{heard:?}");
    // The file changes and the text does not: another run.
    write(root, "test.csv", Part::Train, 1.0, 1);
    let error = go(root, &train, &Notes::default()).unwrap_err();
    assert!(matches!(&error, Error::OtherRun { what, .. } if what == "data"), "{error}");
}

#[test]
fn wrong_files_are_faults_of_the_data_table() {
    let folder = tempfile::Builder::new().prefix("own data ").tempdir().unwrap();
    let train = "train_part = \"train\"";
    let error = go(folder.path(), train, &Notes::default()).unwrap_err();
    assert!(error.is_bad_input());
    let message = error.to_string();
    assert!(message.starts_with("own: [data]: ") && message.contains("No such file"), "{message}");
    write(folder.path(), "test.csv", Part::Test, 255.0, 0);
    let train = format!("train_path = '{}'", folder.path().join("test.csv").display());
    let message = go(folder.path(), &train, &Notes::default()).unwrap_err().to_string();
    assert!(message.contains("[data]: ") && message.contains("give `units = "), "{message}");
}
