//! Training samples on the host and batches on the device.
use burn::prelude::*;
use duress_core::Domain;
use sha2::{Digest, Sha256};

use super::recipe::Recipe;
use crate::Result;
use crate::weights::{hash_floats, hex};

/// Labelled samples on the host, in raw units.
#[derive(Clone, Copy, Debug)]
pub struct TrainingData<'a> {
    /// Values, row-major `[N, F]`.
    pub rows: &'a [f32],
    /// Class of each row.
    pub labels: &'a [usize],
    /// Id of each row: randomness that belongs to a sample is keyed by it.
    pub ids: &'a [u64],
    /// The input space.
    pub domain: &'a Domain,
    /// Number of classes `K`.
    pub classes: usize,
}

impl TrainingData<'_> {
    /// Checks that there is a sample, that the lists fit together, that each value is in the
    /// domain and each label below `classes`.
    ///
    /// # Errors
    /// [`duress_core::Error::Shape`], [`duress_core::Error::Input`] or
    /// [`duress_core::Error::Label`].
    pub fn check(&self) -> Result<()> {
        let (features, count) = (self.domain.features(), self.labels.len());
        let fault = |what, expected: String, got: usize| {
            Err(duress_core::Error::Shape { what, expected, got: got.to_string() }.into())
        };
        if count == 0 {
            return fault("training samples", "at least one".into(), 0);
        }
        if count.checked_mul(features) != Some(self.rows.len()) {
            let expected = format!("{count} rows of {features} values");
            return fault("values of the training samples", expected, self.rows.len());
        }
        if self.ids.len() != count {
            return fault("ids of the training samples", format!("{count}"), self.ids.len());
        }
        let classes = self.classes;
        if let Some(row) = self.labels.iter().position(|&label| label >= classes) {
            let label = self.labels[row];
            return Err(duress_core::Error::Label { row, label, classes }.into());
        }
        Ok(self.domain.check(self.rows)?)
    }

    /// SHA-256 over values, labels, ids and classes, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update((self.labels.len() as u64).to_le_bytes());
        hasher.update((self.classes as u64).to_le_bytes());
        hash_floats(&mut hasher, self.rows);
        for (&label, id) in self.labels.iter().zip(self.ids) {
            hasher.update((label as u64).to_le_bytes());
            hasher.update(id.to_le_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// The samples of one step.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Rows `[B, F]` in raw units, augmented, off the tape.
    pub rows: Tensor<2>,
    /// Class of each row.
    pub labels: Vec<usize>,
    /// Id of each row.
    pub ids: Vec<u64>,
}

impl Batch {
    /// Number of rows `B`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labels on the device of the rows, `[B]`.
    #[must_use]
    pub fn targets(&self) -> Tensor<1, Int> {
        let labels: Vec<i64> = self.labels.iter().map(|&label| label as i64).collect();
        let shape = [labels.len()];
        Tensor::from_data(TensorData::new(labels, shape), &self.rows.device().inner())
    }
}

/// A batch that grows on the host, sample by sample.
#[derive(Default)]
pub(super) struct Assembled {
    values: Vec<f32>,
    labels: Vec<usize>,
    ids: Vec<u64>,
}

impl Assembled {
    /// Adds the sample at `position`, augmented by what `id` draws in `epoch`.
    pub(super) fn push(
        &mut self,
        data: &TrainingData<'_>,
        position: usize,
        id: u64,
        recipe: &Recipe,
        epoch: u32,
    ) {
        let features = data.domain.features();
        let row = &data.rows[position * features..(position + 1) * features];
        let draw = (recipe.seed, id, epoch);
        recipe.augmentation.append(row, data.domain, draw, &mut self.values);
        self.labels.push(data.labels[position]);
        self.ids.push(id);
    }

    /// The batch on `device`.
    pub(super) fn on(self, device: &Device, features: usize) -> Batch {
        let shape = [self.labels.len(), features];
        Batch {
            rows: Tensor::from_data(TensorData::new(self.values, shape), device),
            labels: self.labels,
            ids: self.ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_do_not_fit_and_labels_out_of_range_are_named() {
        let domain = Domain::image(1, 1, 2).unwrap();
        let data = TrainingData {
            rows: &[0.0, 1.0, 0.5, 0.5],
            labels: &[0, 1],
            ids: &[7, 8],
            domain: &domain,
            classes: 2,
        };
        assert!(data.check().is_ok());
        assert!(TrainingData { rows: &[0.0; 3], ..data }.check().is_err());
        assert!(TrainingData { ids: &[1], ..data }.check().is_err());
        assert!(TrainingData { rows: &[], labels: &[], ids: &[], ..data }.check().is_err());
        let error = TrainingData { classes: 1, ..data }.check().unwrap_err().to_string();
        assert_eq!(error, "row 1: label 1 but the model has 1 classes");
        assert!(TrainingData { rows: &[0.0, 2.0, 0.0, 0.0], ..data }.check().is_err());
    }

    #[test]
    fn each_part_of_the_data_changes_the_digest() {
        let domain = Domain::image(1, 1, 1).unwrap();
        let data = TrainingData {
            rows: &[0.0, 1.0],
            labels: &[0, 1],
            ids: &[7, 8],
            domain: &domain,
            classes: 2,
        };
        let base = data.digest();
        assert_eq!(base.len(), 64);
        for other in [
            TrainingData { rows: &[0.5, 1.0], ..data },
            TrainingData { labels: &[1, 1], ..data },
            TrainingData { ids: &[7, 9], ..data },
            TrainingData { classes: 3, ..data },
        ] {
            assert_ne!(base, other.digest());
        }
    }
}
