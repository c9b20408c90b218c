//! Published files, where they are at hand: in the folder of `DURESS_DATA`, or `../shared/data`
//! beside the workspace; trained models and their inputs in that of `DURESS_MODELS`, or
//! `../shared/models`. Without them each test says so and passes.
use std::path::{Path, PathBuf};

use crate::files::read;

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn at_hand(variable: &str, beside: &str, file: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(beside);
    let folder = std::env::var_os(variable).map_or(beside, PathBuf::from);
    let path = folder.join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {file} in {} (set {variable})", folder.display());
    None
}

fn data(file: &str) -> Option<PathBuf> {
    at_hand("DURESS_DATA", "data", file)
}

#[test]
fn pneumonia_is_read_from_its_archive() {
    let Some(path) = data("medical/pneumoniamnist_balanced.npz") else { return };
    let opened = read(&path, "");
    assert_eq!(opened.dataset.label_histogram(), [234, 234]);
    assert!(opened.notes[0].contains("`test_images`, labels from `test_labels`"));
    let val = read(&path, "part = \"val\"\nclasses = [\"normal\", \"pneumonia\"]").dataset;
    assert_eq!((val.len(), val.domain().image_shape().unwrap()), (270, [1, 28, 28]));
}

#[test]
fn mnist_is_read_from_its_folder() {
    let Some(path) = data("vision/mnist") else { return };
    let set = read(&path, "limit = 100\nresize = [32, 32]\nchannels = 3").dataset;
    assert_eq!(set.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    assert_eq!((set.len(), set.domain().image_shape().unwrap()), (100, [3, 32, 32]));
}

#[test]
fn cifar_records_are_read_from_a_packed_file() {
    let Some(path) = data("vision/cifar10/cifar10_test_9966.bin.gz") else { return };
    let set = read(&path, "limit = 260").dataset;
    assert_eq!(set.labels()[..10], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]);
    assert_eq!((set.len(), set.class_names().len()), (260, 10));
}

#[test]
fn small_tables_are_read_without_a_schema() {
    if let Some(path) = data("tabular/iris.csv") {
        let iris = read(&path, "").dataset;
        assert_eq!((iris.label_histogram(), iris.row(0)), (vec![50; 3], &[5.1, 3.5, 1.4, 0.2][..]));
    }
    if let Some(path) = data("finance/banknote_authentication.csv") {
        assert_eq!(read(&path, "").dataset.label_histogram(), [762, 610]);
    }
    if let Some(path) = data("medical/haberman.csv") {
        assert_eq!(read(&path, "label_offset = 1").dataset.label_histogram(), [225, 81]);
    }
    if let Some(path) = data("finance/uci_credit_default.csv.gz") {
        let opened = read(&path, "");
        assert_eq!(opened.dataset.label_histogram(), [23_364, 6_636]);
        assert!(opened.notes.iter().any(|note| note.starts_with("column `ID` is a feature")));
    }
}

#[test]
fn inputs_of_trained_models_are_read() {
    let Some(path) = at_hand("DURESS_MODELS", "models", "peers/mnist_std/eval.npz") else { return };
    let set = read(&path, "").dataset;
    assert_eq!((set.len(), set.domain().image_shape().unwrap()), (256, [1, 28, 28]));
    assert_eq!(set.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
}
