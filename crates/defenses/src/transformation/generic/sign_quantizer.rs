//! Two values a feature.
//!
//! The crudest member of a family of quantisers whose gradient is zero: Athalye, Carlini, Wagner,
//! *Obfuscated Gradients Give a False Sense of Security*, ICML 2018, §3 (shattered gradients).
//! <https://arxiv.org/abs/1802.00420>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::in_range;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Each feature becomes its lower bound or, from a threshold on, its upper one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignQuantizer {
    /// The threshold as a share of the way from the lower to the upper bound.
    pub threshold: f64,
}

impl Default for SignQuantizer {
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "sign-quantizer",
    summary: "each feature to one of its bounds",
    reference: "arXiv:1802.00420",
    defaults: defaults::<SignQuantizer>,
    parse: transformation::<SignQuantizer>,
};

impl Transformation for SignQuantizer {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, _: &Domain) -> Result<()> {
        in_range(ENTRY.name, "threshold", self.threshold, 0.0..=1.0, "between 0 and 1")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let within = UnitBox::of(domain);
        Ok(Box::new(Split { within, threshold: self.threshold as f32 }))
    }
}

struct Split {
    within: UnitBox,
    threshold: f32,
}

impl Mapping for Split {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| {
                for value in row {
                    *value = f32::from(u8::from(*value >= self.threshold));
                }
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn a_feature_goes_to_a_bound_and_the_threshold_goes_up() {
        let domain = Domain::waveform(1, 4).unwrap();
        let mapping = SignQuantizer::default().prepare(&domain).unwrap();
        let rows = Tensor::<2>::from_data([[-0.1, 0.0, 0.7, -1.0]], &Device::flex());
        let got = floats(mapping.apply(rows, &Draws::shared(0))).unwrap();
        assert_eq!(got, [-1.0, 1.0, 1.0, -1.0]);
    }
}
