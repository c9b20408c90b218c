//! Known data sets by name.
mod classes;
mod load;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Dataset, Error, Manifest, Result};
use load::{Cifar, Idx};

/// The part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// To learn from.
    Train,
    /// To judge with.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Train => "train",
            Part::Test => "test",
        })
    }
}

/// Where the files of data sets lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    roots: Vec<PathBuf>,
}

impl Folders {
    /// Folders to search, in this order. The set `mnist` is looked for in `<root>/mnist` and in
    /// `<root>/vision/mnist`; a name with `_` is also tried with `-`.
    pub fn new(roots: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { roots: roots.into_iter().map(Into::into).collect() }
    }

    /// The folders.
    #[must_use]
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }
}

impl From<&Path> for Folders {
    fn from(root: &Path) -> Self {
        Self::new([root])
    }
}

/// One known data set.
#[derive(Debug)]
pub struct Entry {
    /// Name in experiments and reports.
    pub name: &'static str,
    /// What it is, in a line.
    pub description: &'static str,
    /// What to cite.
    pub reference: &'static str,
    /// Samples of the training and of the test part.
    pub samples: [usize; 2],
    source: Source,
}

/// How an entry is read.
#[derive(Debug)]
enum Source {
    /// Compiled in and split by [`load::split`].
    Embedded(fn() -> Result<Dataset>),
    Idx(Idx),
    Cifar(Cifar),
}

impl Entry {
    /// Whether the set needs no files.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.source, Source::Embedded(_))
    }

    /// Whether [`Fetch`](crate::Fetch) can get the files.
    #[must_use]
    pub fn is_fetchable(&self) -> bool {
        Manifest::find(self.name).is_ok()
    }

    /// Reads one part, in the canonical order. The data set is named `<name>/<part>`.
    ///
    /// Sets without an official split (`digits`, `breast_cancer`) are split 80 : 20,
    /// stratified, with `Seed(0)` ([`split::stratified`](crate::split::stratified)); their ids
    /// are the places in the whole set.
    ///
    /// # Errors
    /// [`Error::Missing`] names the files, where they were looked for, and how to get them;
    /// [`Error::Format`] if the number of samples is not that of the published set; the errors
    /// of the readers.
    pub fn load(&self, folders: &Folders, part: Part) -> Result<Dataset> {
        let set = match &self.source {
            Source::Embedded(whole) => load::split(&whole()?, part)?,
            Source::Idx(source) => source.load(self, folders, part)?,
            Source::Cifar(source) => source.load(self, folders, part)?,
        };
        let expected = self.samples[part as usize];
        if set.len() != expected {
            let at = format!("{part} part");
            return Err(Error::format(
                self.name,
                at,
                format!("the {expected} samples of the set"),
                set.len().to_string(),
            ));
        }
        Ok(set.named(format!("{}/{part}", self.name)))
    }
}

/// The entry of a name; `-` and `_` are the same.
///
/// # Errors
/// [`Error::Unknown`] lists the names there are.
pub fn find(name: &str) -> Result<&'static Entry> {
    let same = |known: &str| known.replace('-', "_") == name.replace('-', "_");
    DATASETS.iter().find(|entry| same(entry.name)).ok_or_else(|| {
        let known: Vec<_> = DATASETS.iter().map(|entry| entry.name).collect();
        Error::Unknown { name: name.into(), known: known.join(", ") }
    })
}

/// Reads one part of a known data set: [`find`] and [`Entry::load`].
///
/// # Errors
/// As [`find`] and [`Entry::load`].
pub fn load(name: &str, folders: &Folders, part: Part) -> Result<Dataset> {
    find(name)?.load(folders, part)
}

/// All known data sets.
pub const DATASETS: &[Entry] = &[
    Entry {
        name: "digits",
        description: "8 x 8 grey handwritten digits, embedded",
        reference: "Alpaydin, Kaynak. Cascading Classifiers. Kybernetika 34(4), 1998",
        samples: [1438, 359],
        source: Source::Embedded(crate::embedded::digits),
    },
    Entry {
        name: "breast_cancer",
        description: "30 measurements of cell nuclei, each scaled to [0, 1], embedded",
        reference: "Wolberg, Street, Mangasarian. Breast Cancer Wisconsin (Diagnostic). UCI, 1995",
        samples: [456, 113],
        source: Source::Embedded(crate::embedded::breast_cancer),
    },
    Entry {
        name: "mnist",
        description: "28 x 28 grey handwritten digits",
        reference: "LeCun, Bottou, Bengio, Haffner. Proc. IEEE 86(11), 1998",
        samples: [60_000, 10_000],
        source: Source::Idx(Idx::mnist_like(&["mnist"], &classes::DIGITS)),
    },
    Entry {
        name: "fashion_mnist",
        description: "28 x 28 grey articles of clothing",
        reference: "Xiao, Rasul, Vollgraf. arXiv:1708.07747",
        samples: [60_000, 10_000],
        source: Source::Idx(Idx::mnist_like(
            &["fashion_mnist", "fashion-mnist"],
            &classes::FASHION,
        )),
    },
    Entry {
        name: "kmnist",
        description: "28 x 28 grey cursive Japanese characters",
        reference: "Clanuwat et al. Classical Japanese Literature. arXiv:1812.01718",
        samples: [60_000, 10_000],
        source: Source::Idx(Idx::mnist_like(&["kmnist"], &classes::KUZUSHIJI)),
    },
    Entry {
        name: "emnist_digits",
        description: "28 x 28 grey handwritten digits of many more writers",
        reference: "Cohen, Afshar, Tapson, van Schaik. EMNIST. arXiv:1702.05373",
        samples: [240_000, 40_000],
        source: Source::Idx(Idx::EMNIST_DIGITS),
    },
    Entry {
        name: "cifar10",
        description: "32 x 32 colour photographs of 10 kinds of things",
        reference: "Krizhevsky. Learning Multiple Layers of Features from Tiny Images. 2009",
        samples: [50_000, 10_000],
        source: Source::Cifar(Cifar::CIFAR10),
    },
    Entry {
        name: "cifar10-subset",
        description: "1,000 training images of each CIFAR-10 class and 9,966 test images",
        reference: "Krizhevsky. Learning Multiple Layers of Features from Tiny Images. 2009",
        samples: [10_000, 9_966],
        source: Source::Cifar(Cifar::CIFAR10_SUBSET),
    },
    Entry {
        name: "cifar100",
        description: "32 x 32 colour photographs of 100 kinds of things, fine labels",
        reference: "Krizhevsky. Learning Multiple Layers of Features from Tiny Images. 2009",
        samples: [50_000, 10_000],
        source: Source::Cifar(Cifar::CIFAR100),
    },
    Entry {
        name: "gtsrb",
        description: "32 x 32 colour traffic signs, split by track; not the official test set",
        reference: "Stallkamp et al. Man vs. computer. Neural Networks 32, 2012",
        samples: [10_214, 3_105],
        source: Source::Cifar(Cifar::GTSRB),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_are_distinct_and_found_in_both_spellings() {
        for entry in DATASETS {
            assert_eq!(find(entry.name).unwrap().name, entry.name);
            assert_eq!(DATASETS.iter().filter(|other| other.name == entry.name).count(), 1);
        }
        assert_eq!(find("cifar10_subset").unwrap().name, "cifar10-subset");
        assert_eq!(find("fashion-mnist").unwrap().name, "fashion_mnist");
        let error = find("minst").unwrap_err().to_string();
        assert!(error.starts_with("no data set `minst`; known: digits, breast_cancer, mnist,"));
    }

    #[test]
    fn embedded_sets_split_without_overlap_and_keep_their_ids() {
        for (name, whole) in [("digits", 1797), ("breast_cancer", 569)] {
            let load = |part| load(name, &Folders::default(), part).unwrap();
            let (train, test) = (load(Part::Train), load(Part::Test));
            assert_eq!(train.name(), format!("{name}/train"));
            let mut ids = [train.ids(), test.ids()].concat();
            ids.sort_unstable();
            assert_eq!(ids, (0..whole).collect::<Vec<u64>>());
            assert!(find(name).unwrap().is_embedded());
        }
        // Malignant 212 = 169.6 + 42.4, benign 357 = 285.6 + 71.4.
        let test = load("breast_cancer", &Folders::default(), Part::Test).unwrap();
        assert_eq!(test.label_histogram(), [42, 71]);
    }

    #[test]
    fn missing_files_are_named_with_the_place_and_the_remedy() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("mnist")).unwrap();
        fs::write(root.path().join("mnist/t10k-labels-idx1-ubyte"), b"").unwrap();
        let folders = Folders::from(root.path());
        let error = load("mnist", &folders, Part::Test).unwrap_err().to_string();
        let place = root.path().join("mnist").display().to_string();
        assert!(error.starts_with("mnist: no t10k-images-idx3-ubyte[.gz] (or "), "{error}");
        assert!(error.contains(&place) && !error.contains("t10k-labels"), "{error}");
        assert!(error.ends_with("`duress data fetch mnist` gets them"), "{error}");
        let error = load("kmnist", &folders, Part::Train).unwrap_err().to_string();
        assert!(!error.contains("duress data fetch"), "{error}");
        let nowhere = load("mnist", &Folders::default(), Part::Test).unwrap_err().to_string();
        assert!(nowhere.contains("in no folder (none was given)"), "{nowhere}");
    }

    #[test]
    fn a_part_of_another_size_is_not_the_published_set() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("vision/gtsrb");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("gtsrb32_test.bin"), vec![0; 2 * 3073]).unwrap();
        let error = load("gtsrb", &Folders::from(root.path()), Part::Test).unwrap_err();
        let expected = "gtsrb: test part: expected the 3105 samples of the set, got 2";
        assert_eq!(error.to_string(), expected);
    }
}
