//! Normalisation of raw rows inside a model, so that its domain stays raw.
use burn::prelude::*;
use duress_core::{Domain, Layout};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// `(x − mean) / std`, one pair a channel of an image or a waveform, or a column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Normalization {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalization {
    /// A normalisation by `mean` and `std`, in the units of the raw input.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are as many means as deviations, at least one, all
    /// finite and each deviation positive.
    pub fn new(mean: Vec<f32>, std: Vec<f32>) -> Result<Self> {
        let fault = |field, expected: &str, got: String| {
            Err(Error::Parameter { what: "normalisation", field, expected: expected.into(), got })
        };
        if mean.is_empty() || mean.len() != std.len() {
            let got = format!("{} values for {} means", std.len(), mean.len());
            return fault("std", "as long as `mean` and not empty", got);
        }
        if let Some(bad) = mean.iter().find(|mean| !mean.is_finite()) {
            return fault("mean", "finite", bad.to_string());
        }
        if let Some(bad) = std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return fault("std", "finite and positive", bad.to_string());
        }
        Ok(Self { mean, std })
    }

    /// The subtracted values.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The divisors.
    #[must_use]
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// Checks that there is one pair a channel (image, waveform) or a column (table).
    ///
    /// # Errors
    /// [`Error::Parameter`] with both numbers.
    pub fn check(&self, domain: &Domain) -> Result<()> {
        let needed = match domain.layout() {
            Layout::Image { channels, .. } | Layout::Waveform { channels, .. } => channels,
            Layout::Table { features } => features,
        };
        if self.mean.len() == needed {
            return Ok(());
        }
        Err(Error::Parameter {
            what: "normalisation",
            field: "mean",
            expected: format!("{needed} values, one a channel or column"),
            got: format!("{} values", self.mean.len()),
        })
    }

    /// Normalised rows, `[N, F] → [N, F]`.
    #[must_use]
    pub fn apply(&self, rows: Tensor<2>) -> Tensor<2> {
        let ([count, features], groups) = (rows.dims(), self.mean.len());
        let device = rows.device().inner();
        let column = |values: &[f32]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), [1, groups, 1]), &device)
        };
        let parts = rows.reshape([count, groups, features / groups]);
        ((parts - column(&self.mean)) / column(&self.std)).reshape([count, features])
    }
}

/// What a file holds before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl TryFrom<Unchecked> for Normalization {
    type Error = Error;

    fn try_from(raw: Unchecked) -> Result<Self> {
        Self::new(raw.mean, raw.std)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    #[test]
    fn each_channel_is_shifted_and_scaled_by_its_own_pair() {
        let normalization = Normalization::new(vec![1.0, 2.0], vec![2.0, 0.5]).unwrap();
        let rows = Tensor::<2>::from_data([[1.0, 3.0, 2.0, 3.0]], &Device::flex());
        let got = host::floats(normalization.apply(rows)).unwrap();
        assert_eq!(got, [0.0, 1.0, 0.0, 2.0]);
    }

    #[test]
    fn a_deviation_of_zero_or_a_wrong_number_of_pairs_is_rejected() {
        assert!(Normalization::new(vec![0.0], vec![0.0]).is_err());
        assert!(Normalization::new(vec![0.0], vec![]).is_err());
        assert!(Normalization::new(vec![f32::NAN], vec![1.0]).is_err());
        let one = Normalization::new(vec![0.0], vec![1.0]).unwrap();
        assert!(one.check(&Domain::image(1, 2, 2).unwrap()).is_ok());
        let error = one.check(&Domain::image(3, 2, 2).unwrap()).unwrap_err().to_string();
        assert!(error.contains("must be 3 values"), "{error}");
    }
}
