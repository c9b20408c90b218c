//! Noise at a given distance below the signal.
//!
//! Rajaratnam, Kalita. *Noise Flooding for Detecting Audio Adversarial Examples Against Automatic
//! Speech Recognition.* ISSPIT 2018. <https://arxiv.org/abs/1812.10061>
use burn::prelude::*;
use duress_core::{Domain, Result};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::drawn;
use crate::transformation::mapping::{in_range, waveform_shape};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Adds white Gaussian noise whose power is a fixed number of decibels below the sound's own.
///
/// Not clipped: the network behind it sees what was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseInjection {
    /// Ratio of signal to noise in decibels, from −60 to 120.
    pub decibels: f64,
}

impl Default for NoiseInjection {
    fn default() -> Self {
        Self { decibels: 20.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "noise-injection",
    summary: "noise a number of decibels below the sound",
    reference: "arXiv:1812.10061",
    defaults: defaults::<NoiseInjection>,
    parse: transformation::<NoiseInjection>,
};

impl Transformation for NoiseInjection {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        waveform_shape(ENTRY.name, domain)?;
        in_range(ENTRY.name, "decibels", self.decibels, -60.0..=120.0, "between -60 and 120")
    }

    fn prepare(&self, _: &Domain) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(Noise { ratio: 10.0_f64.powf(-self.decibels / 20.0) }))
    }
}

struct Noise {
    /// Amplitude of the noise for a signal of amplitude 1.
    ratio: f64,
}

/// Keeps the root of a silent sound's power differentiable.
const SILENCE: f64 = 1e-20;

impl Mapping for Noise {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let noise = drawn(&rows, rows.dims()[1], draws, |generator, row| {
            row.fill_with(|| generator.sample(StandardNormal));
        });
        let power = (rows.clone() * rows.clone()).mean_dim(1);
        rows + (power + SILENCE).sqrt() * noise * self.ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn the_power_of_the_noise_is_the_stated_number_of_decibels_down() {
        let domain = Domain::waveform(1, 20_000).unwrap();
        let mapping = NoiseInjection { decibels: 20.0 }.prepare(&domain).unwrap();
        let rows = Tensor::<2>::full([1, 20_000], 0.5, &Device::flex());
        let got = floats(mapping.apply(rows, &Draws::shared(4))).unwrap();
        let power = got.iter().map(|value| f64::from(value - 0.5).powi(2)).sum::<f64>() / 2e4;
        // 0.25 / 100, with a relative deviation of √(2 / 20000) = 1 %.
        assert!((power / 0.0025 - 1.0).abs() < 0.05, "{power}");
        let silence = Tensor::<2>::zeros([1, 20_000], &Device::flex());
        let got = floats(mapping.apply(silence, &Draws::shared(4))).unwrap();
        assert!(got.iter().all(|value| value.abs() < 1e-9));
    }
}
