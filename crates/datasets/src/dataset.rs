//! Labelled rows in a fixed order.
use std::{ops::Range, sync::OnceLock};

use burn::prelude::*;
use duress_core::Domain;
use sha2::{Digest, Sha256};

use crate::{Error, Result, scale::column_range};

/// Labelled samples on the host: every value is finite and in the box of the domain.
///
/// Values are in raw units: a picture holds byte / 255, a table row its own units unless a
/// scaler changed them. Each sample keeps the id it had in the original order, whatever is
/// selected: attacks key their randomness by it.
#[derive(Clone, Debug)]
pub struct Dataset {
    name: String,
    domain: Domain,
    values: Vec<f32>,
    labels: Vec<usize>,
    ids: Vec<u64>,
    classes: Vec<String>,
    feature_names: Vec<String>,
    digest: OnceLock<String>,
}

/// Consecutive samples of a [`Dataset`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batch<'a> {
    /// Values, row-major `[N, F]`.
    pub values: &'a [f32],
    /// Class of each row.
    pub labels: &'a [usize],
    /// Id of each row.
    pub ids: &'a [u64],
}

impl Dataset {
    /// A data set whose samples have the ids `0..N`.
    ///
    /// `values` is row-major `[N, F]` with the `F` of `domain`; `labels` has `N` entries below
    /// `classes.len()`.
    ///
    /// # Errors
    /// [`Error::Core`] for lists that do not fit together, a value outside the domain or not a
    /// number, or a label that names no class.
    pub fn new(
        name: impl Into<String>,
        domain: Domain,
        values: Vec<f32>,
        labels: Vec<usize>,
        classes: Vec<String>,
    ) -> Result<Self> {
        let expected = labels.len().checked_mul(domain.features());
        if expected != Some(values.len()) {
            return Err(Error::Core(duress_core::Error::Shape {
                what: "values of a data set",
                expected: format!("{} rows of {} features", labels.len(), domain.features()),
                got: format!("{} values", values.len()),
            }));
        }
        check_labels(&labels, classes.len())?;
        domain.check(&values)?;
        let ids = (0..labels.len() as u64).collect();
        let name = name.into();
        let (feature_names, digest) = (Vec::new(), OnceLock::new());
        Ok(Self { name, domain, values, labels, ids, classes, feature_names, digest })
    }

    /// A table with the smallest box that holds all rows.
    ///
    /// # Errors
    /// As [`new`](Self::new); a table without rows has no box.
    pub fn table(
        name: impl Into<String>,
        features: usize,
        values: Vec<f32>,
        labels: Vec<usize>,
        classes: Vec<String>,
    ) -> Result<Self> {
        let name = name.into();
        let (lower, upper) = column_range(&name, &values, features)?;
        Self::new(name, Domain::table(lower, upper)?, values, labels, classes)
    }

    /// The same data set with a name for each feature.
    ///
    /// # Errors
    /// [`Error::Core`] unless there is one name a feature.
    pub fn with_feature_names(mut self, names: Vec<String>) -> Result<Self> {
        if names.len() != self.features() {
            return Err(Error::Core(duress_core::Error::Shape {
                what: "feature names",
                expected: format!("{} names", self.features()),
                got: format!("{} names", names.len()),
            }));
        }
        self.feature_names = names;
        Ok(self)
    }

    /// The same samples in another domain: another box, or other features that may change.
    ///
    /// # Errors
    /// [`Error::Core`] for another number of features, or a value outside the box.
    pub fn with_domain(mut self, domain: Domain) -> Result<Self> {
        if domain.features() != self.features() {
            return Err(Error::Core(duress_core::Error::Shape {
                what: "domain of a data set",
                expected: format!("{} features", self.features()),
                got: format!("{} features", domain.features()),
            }));
        }
        domain.check(&self.values)?;
        self.domain = domain;
        Ok(self)
    }

    /// The same samples with other classes, such as those of a model that knows more. The digest
    /// is another if their number is.
    ///
    /// # Errors
    /// [`Error::Core`] for a label that names none of them.
    pub fn with_class_names(mut self, classes: Vec<String>) -> Result<Self> {
        check_labels(&self.labels, classes.len())?;
        self.classes = classes;
        self.digest = OnceLock::new();
        Ok(self)
    }

    /// The same samples with the places they have in a larger set; one a sample.
    pub(crate) fn with_ids(mut self, ids: Vec<u64>) -> Self {
        debug_assert_eq!(ids.len(), self.len(), "one id a sample");
        self.ids = ids;
        self
    }

    /// The same data set under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Name, for reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a row is.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Number of samples `N`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features of a row `F`.
    #[must_use]
    pub fn features(&self) -> usize {
        self.domain.features()
    }

    /// All values, row-major `[N, F]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Class of each sample.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Place of each sample in the original order.
    #[must_use]
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Names of the classes; the label is the index.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// Names of the features, or nothing if they have none.
    #[must_use]
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// Values of sample `index`.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        let features = self.features();
        &self.values[index * features..][..features]
    }

    /// Class of sample `index`.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    /// Consecutive samples as they lie on the host.
    ///
    /// # Panics
    /// If the range leaves the data set.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Batch<'_> {
        let features = self.features();
        Batch {
            values: &self.values[range.start * features..range.end * features],
            labels: &self.labels[range.clone()],
            ids: &self.ids[range],
        }
    }

    /// Consecutive samples as a tensor `[range.len(), F]`.
    ///
    /// # Panics
    /// If the range leaves the data set.
    #[must_use]
    pub fn rows(&self, range: Range<usize>, device: &Device) -> Tensor<2> {
        self.slice(range).rows(device)
    }

    /// All samples in batches of `size` (at least 1); the last may be smaller.
    pub fn batches(&self, size: usize) -> impl ExactSizeIterator<Item = Batch<'_>> {
        let size = size.max(1);
        (0..self.len().div_ceil(size)).map(move |batch| {
            let start = batch * size;
            self.slice(start..self.len().min(start.saturating_add(size)))
        })
    }

    /// The samples at `indices`, in that order, with the ids they have here.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut values = Vec::with_capacity(indices.len() * self.features());
        for &index in indices {
            values.extend_from_slice(self.row(index));
        }
        Self {
            name: self.name.clone(),
            domain: self.domain.clone(),
            values,
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            ids: indices.iter().map(|&index| self.ids[index]).collect(),
            classes: self.classes.clone(),
            feature_names: self.feature_names.clone(),
            digest: OnceLock::new(),
        }
    }

    /// The first `count` samples, or all if there are fewer.
    #[must_use]
    pub fn take(&self, count: usize) -> Self {
        let indices: Vec<_> = (0..self.len().min(count)).collect();
        self.select(&indices)
    }

    /// Samples of each class.
    #[must_use]
    pub fn label_histogram(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }

    /// SHA-256, in hexadecimal, of `N`, `F` and the number of classes, the values, and the
    /// labels: 64-bit and `f32` little-endian. Names, bounds and ids do not enter it.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let mut hash = Sha256::new();
            for size in [self.len(), self.features(), self.classes.len()] {
                hash.update((size as u64).to_le_bytes());
            }
            let mut buffer = Vec::with_capacity(1 << 14);
            for chunk in self.values.chunks(1 << 12) {
                buffer.clear();
                buffer.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
                hash.update(&buffer);
            }
            for &label in &self.labels {
                hash.update((label as u64).to_le_bytes());
            }
            hex(&hash.finalize())
        })
    }

    /// The same samples with other values: a scaler's output.
    pub(crate) fn with_values(&self, domain: Domain, values: Vec<f32>) -> Result<Self> {
        domain.check(&values)?;
        Ok(Self { domain, values, digest: OnceLock::new(), ..self.clone() })
    }
}

impl PartialEq for Dataset {
    /// All but the digest, which follows from the rest and may not have been computed yet.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.domain == other.domain
            && self.values == other.values
            && self.labels == other.labels
            && self.ids == other.ids
            && self.classes == other.classes
            && self.feature_names == other.feature_names
    }
}

impl Batch<'_> {
    /// The values as a tensor `[N, F]`.
    ///
    /// # Panics
    /// If the lengths were changed so that the values are not rows.
    #[must_use]
    pub fn rows(&self, device: &Device) -> Tensor<2> {
        let rows = self.labels.len();
        let features = self.values.len().checked_div(rows).unwrap_or(0);
        Tensor::from_data(TensorData::new(self.values.to_vec(), [rows, features]), device)
    }
}

fn check_labels(labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        Some(row) => {
            let label = labels[row];
            Err(Error::Core(duress_core::Error::Label { row, label, classes }))
        }
        None => Ok(()),
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Class names `"0"`, `"1"`, ...
pub(crate) fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

#[cfg(test)]
mod tests;
