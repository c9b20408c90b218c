//! Finding and reading the original files.
use std::path::{Path, PathBuf};

use duress_core::Seed;

use super::{Entry, Folders, Part, classes};
use crate::{
    Dataset, Error, Input, Result,
    cifar::{self, Labels},
    idx::{self, Orientation},
    split::stratified,
};

/// Images and labels in IDX files.
#[derive(Debug)]
pub(super) struct Idx {
    folders: &'static [&'static str],
    /// For the training and the test part: names of the images and of the labels.
    files: [[&'static [&'static str]; 2]; 2],
    orientation: Orientation,
    classes: &'static [&'static str],
}

impl Idx {
    pub(super) const fn mnist_like(
        folders: &'static [&'static str],
        classes: &'static [&'static str],
    ) -> Self {
        Self {
            folders,
            files: [
                [
                    &["train-images-idx3-ubyte", "train-images.idx3-ubyte"],
                    &["train-labels-idx1-ubyte", "train-labels.idx1-ubyte"],
                ],
                [
                    &["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"],
                    &["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"],
                ],
            ],
            orientation: Orientation::Rows,
            classes,
        }
    }

    pub(super) const EMNIST_DIGITS: Self = Self {
        folders: &["emnist_digits", "emnist-digits", "emnist"],
        files: [
            [
                &["emnist-digits-train-images-idx3-ubyte"],
                &["emnist-digits-train-labels-idx1-ubyte"],
            ],
            [&["emnist-digits-test-images-idx3-ubyte"], &["emnist-digits-test-labels-idx1-ubyte"]],
        ],
        orientation: Orientation::Columns,
        classes: &classes::DIGITS,
    };

    pub(super) fn load(&self, entry: &Entry, folders: &Folders, part: Part) -> Result<Dataset> {
        let paths = locate(entry, folders, self.folders, &self.files[part as usize])?;
        let [images, labels] = &paths[..] else {
            unreachable!("`locate` gives a path for each of the two files");
        };
        let (images, labels) = (Input::open(images)?, Input::open(labels)?);
        idx::dataset(entry.name, images, labels, self.orientation, owned(self.classes))
    }
}

/// Files of CIFAR records.
#[derive(Debug)]
pub(super) struct Cifar {
    folders: &'static [&'static str],
    /// Files of the training and of the test part.
    files: [&'static [&'static [&'static str]]; 2],
    labels: Labels,
    classes: &'static [&'static str],
}

impl Cifar {
    pub(super) const CIFAR10: Self = Self {
        folders: &["cifar10", "cifar10/cifar-10-batches-bin", "cifar-10-batches-bin"],
        files: [
            &[
                &["data_batch_1.bin"],
                &["data_batch_2.bin"],
                &["data_batch_3.bin"],
                &["data_batch_4.bin"],
                &["data_batch_5.bin"],
            ],
            &[&["test_batch.bin"]],
        ],
        labels: Labels::Single,
        classes: &classes::CIFAR10,
    };

    pub(super) const CIFAR10_SUBSET: Self = Self {
        folders: &["cifar10-subset", "cifar10"],
        files: [&[&["cifar10_train_10000.bin"]], &[&["cifar10_test_9966.bin"]]],
        labels: Labels::Single,
        classes: &classes::CIFAR10,
    };

    pub(super) const CIFAR100: Self = Self {
        folders: &["cifar100", "cifar100/cifar-100-binary", "cifar-100-binary"],
        files: [&[&["train.bin"]], &[&["test.bin"]]],
        labels: Labels::CoarseAndFine,
        classes: &classes::CIFAR100,
    };

    pub(super) const GTSRB: Self = Self {
        folders: &["gtsrb"],
        files: [&[&["gtsrb32_train.bin"]], &[&["gtsrb32_test.bin"]]],
        labels: Labels::Single,
        classes: &classes::TRAFFIC_SIGNS,
    };

    pub(super) fn load(&self, entry: &Entry, folders: &Folders, part: Part) -> Result<Dataset> {
        let paths = locate(entry, folders, self.folders, self.files[part as usize])?;
        let inputs = paths.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>>>()?;
        cifar::dataset(entry.name, inputs, self.labels, owned(self.classes))
    }
}

/// The stratified 80 : 20 split with `Seed(0)`.
pub(super) fn split(whole: &Dataset, part: Part) -> Result<Dataset> {
    let parts = stratified(whole.labels(), &[0.8, 0.2], Seed(0))?;
    Ok(whole.select(&parts[part as usize]))
}

/// A path for each file, each of which may have several names, packed or not.
fn locate(
    entry: &Entry,
    folders: &Folders,
    names: &[&str],
    files: &[&[&str]],
) -> Result<Vec<PathBuf>> {
    let places: Vec<PathBuf> = folders
        .roots()
        .iter()
        .flat_map(|root| [root.clone(), root.join("vision")])
        .flat_map(|root| names.iter().map(move |name| root.join(name)))
        .collect();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for alternatives in files {
        match places.iter().find_map(|place| first_of(place, alternatives)) {
            Some(path) => found.push(path),
            None => missing.push(shown(alternatives)),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let looked: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    let looked =
        if looked.is_empty() { "no folder (none was given)".to_owned() } else { looked.join(", ") };
    let advice = if entry.is_fetchable() {
        format!("`duress data fetch {}` gets them", entry.name)
    } else {
        format!("put the published files there ({})", entry.reference)
    };
    Err(Error::Missing { set: entry.name, files: missing.join(", "), looked, advice })
}

fn first_of(place: &Path, alternatives: &[&str]) -> Option<PathBuf> {
    let candidates =
        alternatives.iter().flat_map(|name| [(*name).to_owned(), format!("{name}.gz")]);
    candidates.map(|name| place.join(name)).find(|path| path.is_file())
}

fn shown(alternatives: &[&str]) -> String {
    match alternatives {
        [name] => format!("{name}[.gz]"),
        [name, others @ ..] => format!("{name}[.gz] (or {}[.gz])", others.join("[.gz], ")),
        [] => String::new(),
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
