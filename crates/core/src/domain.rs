//! What one row of the input means: its layout, its box, and what an adversary may touch.
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, Norm, Result};

/// How the features of a row are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Layout {
    /// A picture, planes first: feature `(c · height + y) · width + x`.
    Image {
        /// Colour planes: 1 for grey, 3 for RGB.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// A sound, channels first.
    Waveform {
        /// Sound channels.
        channels: usize,
        /// Samples in each channel.
        samples: usize,
    },
    /// One row of a table.
    Table {
        /// Columns.
        features: usize,
    },
}

impl Layout {
    /// Number of features of a row; the largest number there is where the true one is larger.
    #[must_use]
    pub fn features(self) -> usize {
        match self {
            Layout::Image { channels, height, width } => {
                channels.saturating_mul(height).saturating_mul(width)
            }
            Layout::Waveform { channels, samples } => channels.saturating_mul(samples),
            Layout::Table { features } => features,
        }
    }
}

/// One side of the input box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    /// The same value for each feature.
    Uniform(f32),
    /// One value a feature.
    PerFeature(Vec<f32>),
}

impl Bound {
    /// The bound of feature `index`.
    #[must_use]
    pub fn at(&self, index: usize) -> f32 {
        match self {
            Bound::Uniform(value) => *value,
            Bound::PerFeature(values) => values[index],
        }
    }

    fn tensor(&self, features: usize, device: &Device) -> Tensor<2> {
        match self {
            Bound::Uniform(value) => Tensor::full([1, features], *value, device),
            Bound::PerFeature(values) => {
                Tensor::from_data(TensorData::new(values.clone(), [1, features]), device)
            }
        }
    }
}

/// Largest row: a layout from a hostile file must not make the arithmetic of sizes overflow.
const MOST_FEATURES: usize = 1 << 31;

/// The input space of a model, in raw, un-normalised units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Domain {
    layout: Layout,
    lower: Bound,
    upper: Bound,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    immutable: Vec<usize>,
}

impl Domain {
    /// A domain with the given box.
    ///
    /// # Errors
    /// [`Error::Domain`] for a row without features, a bound of the wrong length, a bound that is
    /// not finite, or a lower bound above the upper one.
    pub fn new(layout: Layout, lower: Bound, upper: Bound) -> Result<Self> {
        let features = layout.features();
        if features == 0 {
            return Err(Error::Domain(format!("a row must have a feature, got {layout:?}")));
        }
        if features > MOST_FEATURES {
            let most = MOST_FEATURES;
            return Err(Error::Domain(format!(
                "a row must have at most {most} features: {layout:?}"
            )));
        }
        for (side, bound) in [("lower", &lower), ("upper", &upper)] {
            if let Bound::PerFeature(values) = bound
                && values.len() != features
            {
                return Err(Error::Domain(format!(
                    "the {side} bound must have {features} values, got {}",
                    values.len()
                )));
            }
        }
        let uniform = matches!((&lower, &upper), (Bound::Uniform(_), Bound::Uniform(_)));
        for index in 0..if uniform { 1 } else { features } {
            let (low, high) = (lower.at(index), upper.at(index));
            if !(low.is_finite() && high.is_finite() && low <= high) {
                return Err(Error::Domain(format!(
                    "feature {index} must have finite bounds in order, got [{low}, {high}]"
                )));
            }
        }
        Ok(Self { layout, lower, upper, immutable: Vec::new() })
    }

    /// Images with values in `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::Domain`] if a dimension is zero.
    pub fn image(channels: usize, height: usize, width: usize) -> Result<Self> {
        let layout = Layout::Image { channels, height, width };
        Self::new(layout, Bound::Uniform(0.0), Bound::Uniform(1.0))
    }

    /// Waveforms with values in `[−1, 1]`.
    ///
    /// # Errors
    /// [`Error::Domain`] if a dimension is zero.
    pub fn waveform(channels: usize, samples: usize) -> Result<Self> {
        let layout = Layout::Waveform { channels, samples };
        Self::new(layout, Bound::Uniform(-1.0), Bound::Uniform(1.0))
    }

    /// Table rows with one interval a column.
    ///
    /// # Errors
    /// [`Error::Domain`] as in [`Domain::new`].
    pub fn table(lower: Vec<f32>, upper: Vec<f32>) -> Result<Self> {
        let layout = Layout::Table { features: lower.len() };
        Self::new(layout, Bound::PerFeature(lower), Bound::PerFeature(upper))
    }

    /// The same domain, where no adversary may change the features `immutable`.
    ///
    /// # Errors
    /// [`Error::Domain`] for an index past the last feature.
    pub fn with_immutable(mut self, mut immutable: Vec<usize>) -> Result<Self> {
        immutable.sort_unstable();
        immutable.dedup();
        if let Some(&index) = immutable.last()
            && index >= self.features()
        {
            return Err(Error::Domain(format!(
                "immutable feature {index} of a row of {} features",
                self.features()
            )));
        }
        self.immutable = immutable;
        Ok(self)
    }

    /// How a row is arranged.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Number of features of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layout.features()
    }

    /// Lower side of the box.
    #[must_use]
    pub fn lower(&self) -> &Bound {
        &self.lower
    }

    /// Upper side of the box.
    #[must_use]
    pub fn upper(&self) -> &Bound {
        &self.upper
    }

    /// Features that no adversary may change, ascending.
    #[must_use]
    pub fn immutable(&self) -> &[usize] {
        &self.immutable
    }

    /// `[channels, height, width]`.
    ///
    /// # Errors
    /// [`Error::NotAnImage`] for any other layout.
    pub fn image_shape(&self) -> Result<[usize; 3]> {
        match self.layout {
            Layout::Image { channels, height, width } => Ok([channels, height, width]),
            other => Err(Error::NotAnImage(other)),
        }
    }

    /// Both sides of the box as `[1, F]`.
    #[must_use]
    pub fn bounds(&self, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let features = self.features();
        (self.lower.tensor(features, device), self.upper.tensor(features, device))
    }

    /// One where a feature may change and zero where not, `[1, F]`; `None` if all may.
    #[must_use]
    pub fn mutable_mask(&self, device: &Device) -> Option<Tensor<2>> {
        if self.immutable.is_empty() {
            return None;
        }
        let mut mask = vec![1.0_f32; self.features()];
        for &index in &self.immutable {
            mask[index] = 0.0;
        }
        let shape = [1, mask.len()];
        Some(Tensor::from_data(TensorData::new(mask, shape), device))
    }

    /// The largest distance between two points of the box.
    #[must_use]
    pub fn diameter(&self, norm: Norm) -> f64 {
        let side = |feature| f64::from(self.upper.at(feature)) - f64::from(self.lower.at(feature));
        norm.of_slice(&(0..self.features()).map(side).collect::<Vec<_>>())
    }

    /// Checks rows held on the host, `values.len() = N · F`.
    ///
    /// # Errors
    /// [`Error::Input`] names the first row and feature that is not a number or leaves the box.
    pub fn check(&self, values: &[f32]) -> Result<()> {
        let features = self.features();
        if !values.len().is_multiple_of(features) {
            return Err(Error::Shape {
                what: "rows",
                expected: format!("a multiple of {features} values"),
                got: format!("{} values", values.len()),
            });
        }
        for (position, &value) in values.iter().enumerate() {
            let feature = position % features;
            let (lower, upper) = (self.lower.at(feature), self.upper.at(feature));
            if !(lower <= value && value <= upper) {
                return Err(Error::Input {
                    row: position / features,
                    feature,
                    value,
                    lower,
                    upper,
                });
            }
        }
        Ok(())
    }
}

/// What a file holds before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    layout: Layout,
    lower: Bound,
    upper: Bound,
    #[serde(default)]
    immutable: Vec<usize>,
}

impl TryFrom<Unchecked> for Domain {
    type Error = Error;

    fn try_from(raw: Unchecked) -> Result<Self> {
        Self::new(raw.layout, raw.lower, raw.upper)?.with_immutable(raw.immutable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_counts_its_features_and_a_table_is_not_an_image() {
        let image = Domain::image(3, 4, 5).unwrap();
        assert_eq!(image.features(), 60);
        assert_eq!(image.image_shape().unwrap(), [3, 4, 5]);
        let table = Domain::table(vec![0.0, 1.0], vec![1.0, 2.0]).unwrap();
        assert!(matches!(table.image_shape(), Err(Error::NotAnImage(_))));
    }

    #[test]
    fn a_box_out_of_order_empty_or_not_finite_is_rejected() {
        assert!(Domain::table(vec![1.0], vec![0.0]).is_err());
        assert!(Domain::table(vec![], vec![]).is_err());
        assert!(Domain::table(vec![f32::NAN], vec![0.0]).is_err());
        assert!(Domain::table(vec![0.0], vec![f32::INFINITY]).is_err());
        assert!(Domain::table(vec![0.0, 0.0], vec![1.0]).is_err());
        assert!(Domain::image(1, 0, 3).is_err());
        assert!(Domain::image(usize::MAX, 3, 3).is_err());
        assert!(Domain::waveform(1, usize::MAX).is_err());
    }

    #[test]
    fn a_row_outside_the_box_is_named() {
        let domain = Domain::image(1, 1, 2).unwrap();
        assert!(domain.check(&[0.0, 1.0, 0.5, 0.25]).is_ok());
        let error = domain.check(&[0.0, 1.0, 0.5, f32::NAN]).unwrap_err();
        assert!(matches!(error, Error::Input { row: 1, feature: 1, .. }), "{error}");
        assert!(domain.check(&[0.0]).is_err());
    }

    #[test]
    fn immutable_features_give_a_mask() {
        let domain = Domain::image(1, 1, 3).unwrap().with_immutable(vec![2, 0, 2]).unwrap();
        assert_eq!(domain.immutable(), [0, 2]);
        let mask = domain.mutable_mask(&Device::flex()).unwrap();
        assert_eq!(crate::host::floats(mask).unwrap(), [0.0, 1.0, 0.0]);
        assert!(Domain::image(1, 1, 3).unwrap().with_immutable(vec![3]).is_err());
    }
}
