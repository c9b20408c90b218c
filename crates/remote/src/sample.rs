//! From rows in raw units to the samples that a network takes.
use duress_core::{Domain, Layout};
use serde::{Deserialize, Serialize};

use crate::error::{RemoteError, Result};

/// How a row becomes a sample: units, order and shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SampleFormat {
    /// Shape of one sample, without the batch; by default that of the domain: `[C, H, W]` for a
    /// picture (`[H, W, C]` with `channels_last`), `[C, S]` for a waveform, `[F]` for a table.
    pub shape: Option<Vec<usize>>,
    /// Whether the values of one pixel stand together, as TensorFlow has them; rows have one
    /// plane after the other.
    pub channels_last: bool,
    /// What the network takes; rows are raw.
    pub units: Units,
}

/// The units of a network's input, by channel: one value for all channels or one each. A table has
/// one channel a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Units {
    /// Those of the rows.
    #[default]
    Raw,
    /// `(x − mean) / std`.
    Standardized {
        /// Subtracted.
        mean: Vec<f32>,
        /// Divided by.
        std: Vec<f32>,
    },
    /// `x · scale + offset`.
    Scaled {
        /// Multiplied with, 255 for bytes.
        scale: Vec<f32>,
        /// Added.
        offset: Vec<f32>,
    },
}

/// A checked format for one domain.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    /// Shape of one sample.
    pub(crate) shape: Vec<usize>,
    features: usize,
    channels: usize,
    interleave: bool,
    units: Units,
}

impl SampleFormat {
    /// Checks that rows of `domain` fit.
    pub(crate) fn sampler(&self, domain: &Domain) -> Result<Sampler> {
        let features = domain.features();
        let (channels, natural) = match domain.layout() {
            Layout::Image { channels, height, width } if self.channels_last => {
                (channels, vec![height, width, channels])
            }
            Layout::Image { channels, height, width } => (channels, vec![channels, height, width]),
            Layout::Waveform { channels, samples } if self.channels_last => {
                (channels, vec![samples, channels])
            }
            Layout::Waveform { channels, samples } => (channels, vec![channels, samples]),
            Layout::Table { .. } if self.channels_last => {
                return Err(setting("channels_last", "false for a table", "true"));
            }
            Layout::Table { features } => (features, vec![features]),
        };
        let shape = self.shape.clone().unwrap_or(natural);
        let size = shape.iter().try_fold(1_usize, |all, &side| all.checked_mul(side));
        if size != Some(features) {
            let expected = format!("sizes whose product is {features}");
            return Err(setting("shape", &expected, &format!("{shape:?}")));
        }
        let lists: [(&'static str, &[f32]); 2] = match &self.units {
            Units::Raw => [("mean", &[0.0]), ("std", &[1.0])],
            Units::Standardized { mean, std } => [("mean", mean), ("std", std)],
            Units::Scaled { scale, offset } => [("scale", scale), ("offset", offset)],
        };
        for (field, values) in lists {
            if !(values.len() == 1 || values.len() == channels) {
                let expected = format!("one value or {channels}, one a channel");
                return Err(setting(field, &expected, &format!("{} values", values.len())));
            }
            let fits = |value: &&f32| {
                value.is_finite() && (**value != 0.0 || matches!(field, "mean" | "offset"))
            };
            if let Some(bad) = values.iter().find(|value| !fits(value)) {
                return Err(setting(field, "finite, and not 0 where it scales", &bad.to_string()));
            }
        }
        let interleave = self.channels_last && channels > 1;
        Ok(Sampler { shape, features, channels, interleave, units: self.units.clone() })
    }
}

impl Sampler {
    /// `rows` in row-major order, `[N, F]`, as samples `[N, ...shape]`.
    pub(crate) fn samples(&self, mut rows: Vec<f32>) -> Vec<f32> {
        let plane = self.features / self.channels;
        let at =
            |values: &[f32], channel: usize| values[if values.len() == 1 { 0 } else { channel }];
        for row in rows.chunks_exact_mut(self.features) {
            for (channel, values) in row.chunks_exact_mut(plane).enumerate() {
                match &self.units {
                    Units::Raw => {}
                    Units::Standardized { mean, std } => {
                        let (mean, std) = (at(mean, channel), at(std, channel));
                        for value in values {
                            *value = (*value - mean) / std;
                        }
                    }
                    Units::Scaled { scale, offset } => {
                        let (scale, offset) = (at(scale, channel), at(offset, channel));
                        for value in values {
                            *value = *value * scale + offset;
                        }
                    }
                }
            }
        }
        if !self.interleave {
            return rows;
        }
        let mut samples = Vec::with_capacity(rows.len());
        for row in rows.chunks_exact(self.features) {
            for pixel in 0..plane {
                samples.extend((0..self.channels).map(|channel| row[channel * plane + pixel]));
            }
        }
        samples
    }
}

fn setting(field: &'static str, expected: &str, got: &str) -> RemoteError {
    RemoteError::Setting { field, expected: expected.into(), got: got.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Domain {
        Domain::image(2, 1, 3).unwrap()
    }

    #[test]
    fn planes_become_pixels_and_each_channel_has_its_units() {
        let units = Units::Standardized { mean: vec![1.0, 2.0], std: vec![0.5, 4.0] };
        let format = SampleFormat { channels_last: true, units, shape: None };
        let sampler = format.sampler(&image()).unwrap();
        assert_eq!(sampler.shape, [1, 3, 2]);
        let sent = sampler.samples(vec![1.0, 2.0, 3.0, 2.0, 6.0, 10.0]);
        assert_eq!(sent, [0.0, 0.0, 2.0, 1.0, 4.0, 2.0]);
    }

    #[test]
    fn by_default_a_row_goes_as_it_is_in_the_shape_of_the_domain() {
        let sampler = SampleFormat::default().sampler(&image()).unwrap();
        assert_eq!(sampler.shape, [2, 1, 3]);
        let rows: Vec<f32> = (0..12_u8).map(f32::from).collect();
        assert_eq!(sampler.samples(rows.clone()), rows);
        let units = Units::Scaled { scale: vec![255.0], offset: vec![-1.0] };
        let bytes = SampleFormat { shape: Some(vec![6]), units, ..SampleFormat::default() };
        let sampler = bytes.sampler(&image()).unwrap();
        assert_eq!(
            (sampler.shape.clone(), sampler.samples(vec![1.0; 6])),
            (vec![6], vec![254.0; 6])
        );
    }

    #[test]
    fn what_does_not_fit_the_domain_is_named() {
        let told = |format: SampleFormat| format.sampler(&image()).unwrap_err().to_string();
        let shape = SampleFormat { shape: Some(vec![usize::MAX, 2]), ..SampleFormat::default() };
        assert!(told(shape).contains("sizes whose product is 6"));
        let units = Units::Standardized { mean: vec![0.0; 3], std: vec![1.0] };
        assert!(told(SampleFormat { units, ..SampleFormat::default() }).contains("`mean`"));
        let units = Units::Standardized { mean: vec![0.0], std: vec![0.0] };
        assert!(told(SampleFormat { units, ..SampleFormat::default() }).contains("`std`"));
        let table = Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap();
        let last = SampleFormat { channels_last: true, ..SampleFormat::default() };
        assert!(last.sampler(&table).is_err());
    }
}
