//! Thermometer encoding.
//!
//! Buckman, Roy, Raffel, Goodfellow. *Thermometer Encoding: One Hot Way To Resist Adversarial
//! Examples.* ICLR 2018, §3.1. <https://openreview.net/forum?id=S18Su--CW>
use burn::prelude::*;
use duress_core::{Bound, Domain, Error, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::by_row;
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Writes each value in `[0, 1]` as `levels` zeros and ones: the `l`-th is one if the value is at
/// most `l / levels`.
///
/// The encoded picture has `levels` planes for each plane of the picture, so the classifier behind
/// it is a network of that many planes, trained on [`Thermometer::encode`]d samples, and the
/// defended classifier takes the plain pictures. An adversary who knows it differentiates the ramp
/// `½ + (l − levels · x) / 4`, cut at 0 and 1, in place of each step (Athalye, Carlini, Wagner, ICML 2018,
/// §5.1, has a wider one).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thermometer {
    /// Digits a value, 2 to 256.
    pub levels: usize,
}

impl Default for Thermometer {
    fn default() -> Self {
        Self { levels: 16 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "thermometer",
    summary: "each value as a row of zeros and ones",
    reference: "Buckman et al., ICLR 2018",
    defaults: defaults::<Thermometer>,
    parse: transformation::<Thermometer>,
};

impl Thermometer {
    /// The input space of the network behind the encoding of pictures of `domain`.
    ///
    /// # Errors
    /// [`Error::NotAnImage`]; [`Error::Parameter`] for a box that is not `[0, 1]` or wrong levels.
    pub fn encoded_domain(&self, domain: &Domain) -> Result<Domain> {
        self.check_levels()?;
        let [channels, height, width] = domain.image_shape()?;
        check_box(domain)?;
        Domain::image(channels * self.levels, height, width)
    }

    /// Encoded rows of `domain`, row-major: what the network behind the encoding is trained on.
    ///
    /// # Errors
    /// As [`Thermometer::encoded_domain`].
    pub fn encode(&self, values: &[f32], domain: &Domain) -> Result<Vec<f32>> {
        self.encoded_domain(domain)?;
        let [_, height, width] = domain.image_shape()?;
        let code = Code { pixels: height * width, levels: self.levels, domain: domain.clone() };
        Ok(values.chunks(domain.features()).flat_map(|row| code.encode(row)).collect())
    }

    fn check_levels(&self) -> Result<()> {
        if (2..=256).contains(&self.levels) {
            return Ok(());
        }
        wrong(ENTRY.name, "levels", "between 2 and 256", self.levels)
    }
}

fn check_box(domain: &Domain) -> Result<()> {
    let all = |bound: &Bound, value: f32| {
        (0..domain.features()).all(|index| bound.at(index).to_bits() == value.to_bits())
    };
    if all(domain.lower(), 0.0) && all(domain.upper(), 1.0) {
        return Ok(());
    }
    wrong(ENTRY.name, "bounds of the picture", "0 and 1", "others")
}

impl Transformation for Thermometer {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Surrogate
    }

    fn inner_domain(&self, domain: &Domain) -> Result<Domain> {
        self.encoded_domain(domain)
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        self.check_levels()?;
        let [channels, ..] = domain.image_shape()?;
        check_box(domain)?;
        if channels.is_multiple_of(self.levels) {
            return Ok(());
        }
        Err(Error::Layout {
            algorithm: ENTRY.name,
            expected: "a network of encoded pictures behind it, with `levels` planes for each \
                       plane of the picture",
            got: domain.layout(),
        })
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [planes, height, width] = domain.image_shape()?;
        let domain = Domain::image(planes / self.levels, height, width)?;
        Ok(Box::new(Code { pixels: height * width, levels: self.levels, domain }))
    }
}

/// Width of a ramp, in steps of the code: wide enough to see the next digits.
const STEPS: f32 = 4.0;

struct Code {
    pixels: usize,
    levels: usize,
    /// The plain pictures.
    domain: Domain,
}

impl Code {
    /// One row, the digits of a plane one after the other.
    fn encode(&self, row: &[f32]) -> Vec<f32> {
        let levels = self.levels as f32;
        let mut digits = Vec::with_capacity(row.len() * self.levels);
        for plane in row.chunks(self.pixels) {
            for level in 1..=self.levels {
                let most = level as f32 / levels;
                digits.extend(plane.iter().map(|value| f32::from(u8::from(*value <= most))));
            }
        }
        digits
    }
}

impl Mapping for Code {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        // Room for the digits, then row by row on the host.
        let rows = rows.inner();
        let features = rows.dims()[1];
        by_row(rows.repeat_dim(1, self.levels), draws, |row, _| {
            let digits = self.encode(&row[..features]);
            row.copy_from_slice(&digits);
        })
    }

    fn surrogate(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        let ([count, features], device) = (rows.dims(), rows.device().inner());
        let [planes, levels] = [features / self.pixels, self.levels];
        let mark = |level: usize| 0.5 + level as f32 / STEPS;
        let marks: Vec<f32> = (1..=levels).map(mark).collect();
        let marks = Tensor::<4>::from_data(TensorData::new(marks, [1, 1, levels, 1]), &device);
        let values = rows.reshape([count, planes, 1, self.pixels]).repeat_dim(2, levels);
        let ramps = (marks - values * (levels as f64 / f64::from(STEPS))).clamp(0.0, 1.0);
        ramps.reshape([count, features * levels])
    }

    fn outer(&self) -> Option<&Domain> {
        Some(&self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn a_value_is_as_many_ones_as_levels_are_not_below_it() {
        let domain = Domain::image(1, 1, 3).unwrap();
        let got = Thermometer { levels: 4 }.encode(&[0.0, 0.3, 1.0], &domain).unwrap();
        // Plane l has the pixels' l-th digits.
        assert_eq!(got, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn the_mapping_encodes_like_the_host_and_the_ramps_pass_through_the_steps() {
        let thermometer = Thermometer { levels: 4 };
        let plain = Domain::image(2, 1, 2).unwrap();
        let encoded = thermometer.encoded_domain(&plain).unwrap();
        let mapping = thermometer.prepare(&encoded).unwrap();
        assert_eq!(mapping.outer(), Some(&plain));
        let values = [0.1, 0.6, 0.25, 0.9];
        let rows = || Tensor::<2>::from_data([values], &Device::flex());
        let hard = floats(mapping.apply(rows(), &Draws::shared(0))).unwrap();
        assert_eq!(hard, thermometer.encode(&values, &plain).unwrap());
        let soft = floats(mapping.surrogate(rows(), &Draws::shared(0))).unwrap();
        assert!(hard.iter().zip(&soft).all(|(hard, soft)| (hard - soft).abs() <= 0.5));
        // Digit `l` of 0.1 is ½ + (l − 0.4) / 4, cut at 1; that of 0.6 is ½ + (l − 2.4) / 4.
        let expected = [0.65, 0.15, 0.9, 0.4, 1.0, 0.65];
        assert!(soft.iter().zip(expected).all(|(got, e)| (got - e).abs() < 1e-6), "{soft:?}");
    }

    #[test]
    fn a_network_of_plain_pictures_is_refused() {
        let plain = Domain::image(3, 4, 4).unwrap();
        let error = Thermometer::default().check(&plain).unwrap_err();
        assert!(matches!(error, Error::Layout { .. }), "{error}");
        assert!(Thermometer { levels: 1 }.check(&plain).is_err());
    }
}
