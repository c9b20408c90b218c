//! Fewer bits a colour value.
//!
//! Xu, Evans, Qi. *Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks.*
//! NDSS 2018, §III.A. <https://arxiv.org/abs/1704.01155>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Rounds each value to the nearest of `2^bits` at equal distances from the lower to the upper
/// bound; halves away from the lower one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BitDepth {
    /// Bits left of a value, 1 to 8. The paper takes 1 for MNIST, 4 and 5 for CIFAR-10 and
    /// `ImageNet`; 8 leaves a byte as it is.
    pub bits: u32,
}

impl Default for BitDepth {
    fn default() -> Self {
        Self { bits: 5 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "bit-depth",
    summary: "fewer bits a colour value (feature squeezing)",
    reference: "arXiv:1704.01155",
    defaults: defaults::<BitDepth>,
    parse: transformation::<BitDepth>,
};

impl Transformation for BitDepth {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        if (1..=8).contains(&self.bits) {
            return Ok(());
        }
        wrong(ENTRY.name, "bits", "between 1 and 8", self.bits)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let steps = ((1_u32 << self.bits) - 1) as f32;
        Ok(Box::new(Rounded { within: UnitBox::of(domain), steps }))
    }
}

struct Rounded {
    within: UnitBox,
    steps: f32,
}

impl Mapping for Rounded {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| round_to(row, self.steps));
        })
    }
}

/// Each share to the nearest multiple of `1 / steps`.
fn round_to(row: &mut [f32], steps: f32) {
    for value in row {
        *value = (*value * steps).round() / steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn values_go_to_the_nearest_of_two_to_the_bits() {
        let domain = Domain::image(1, 1, 4).unwrap();
        let rows = || Tensor::<2>::from_data([[0.0, 0.49, 0.5, 1.0]], &Device::flex());
        let got = |bits| {
            let mapping = BitDepth { bits }.prepare(&domain).unwrap();
            floats(mapping.apply(rows(), &Draws::shared(0))).unwrap()
        };
        assert_eq!(got(1), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(got(2), [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
        for bits in [0, 9] {
            assert!(BitDepth { bits }.check(&domain).is_err());
        }
    }

    #[test]
    fn bytes_survive_eight_bits() {
        let domain = Domain::image(1, 16, 16).unwrap();
        let bytes: Vec<f32> = (0..=255_u8).map(|byte| f32::from(byte) / 255.0).collect();
        let data = TensorData::new(bytes.clone(), [1, 256]);
        let mapping = BitDepth { bits: 8 }.prepare(&domain).unwrap();
        let rows = Tensor::from_data(data, &Device::flex());
        assert_eq!(floats(mapping.apply(rows, &Draws::shared(0))).unwrap(), bytes);
    }
}
