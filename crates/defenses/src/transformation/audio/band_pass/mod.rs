//! A band of frequencies.
//!
//! Rajaratnam, Shah, Kalita. *Isolated and Ensemble Audio Preprocessing Methods for Detecting
//! Adversarial Examples against Automatic Speech Recognition.* ROCLING 2018.
//! <https://arxiv.org/abs/1809.04397>
mod biquad;

use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use super::convolution::convolve;
use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::by_row;
use crate::transformation::mapping::{in_range, waveform_shape, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};
use biquad::{Cascade, Kind};

/// A Butterworth high pass and a Butterworth low pass, one after the other, from silence.
///
/// The filters run on the host. An adversary differentiates as the stand-in a convolution with
/// their response, cut off where less than `1e-6` of its amplitude is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BandPass {
    /// Sampling rate of the sound, in Hertz.
    pub rate: f64,
    /// Where the high pass is 3 dB down, in Hertz.
    pub low: f64,
    /// Where the low pass is 3 dB down, in Hertz, above `low` and below half the rate.
    pub high: f64,
    /// Order of each, even, 2 to 16.
    pub order: u32,
    /// Filter forward and then backward, so that no frequency is delayed: 6 dB down where one way
    /// is 3.
    pub zero_phase: bool,
}

impl Default for BandPass {
    fn default() -> Self {
        Self { rate: 16_000.0, low: 300.0, high: 3400.0, order: 4, zero_phase: false }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "band-pass",
    summary: "the frequencies of a telephone (Butterworth)",
    reference: "arXiv:1809.04397",
    defaults: defaults::<BandPass>,
    parse: transformation::<BandPass>,
};

impl Transformation for BandPass {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Surrogate
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        waveform_shape(ENTRY.name, domain)?;
        in_range(ENTRY.name, "rate", self.rate, f64::MIN_POSITIVE.., "above 0")?;
        in_range(ENTRY.name, "low", self.low, f64::MIN_POSITIVE.., "above 0")?;
        let beyond = std::ops::Bound::Excluded;
        let band = (beyond(self.low), beyond(self.rate / 2.0));
        in_range(ENTRY.name, "high", self.high, band, "above `low` and below half of `rate`")?;
        if (2..=16).contains(&self.order) && self.order.is_multiple_of(2) {
            return Ok(());
        }
        wrong(ENTRY.name, "order", "even and between 2 and 16", self.order)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [channels, samples] = waveform_shape(ENTRY.name, domain)?;
        let mut cascade = Cascade::butterworth(Kind::HighPass, self.low / self.rate, self.order);
        cascade.append(Cascade::butterworth(Kind::LowPass, self.high / self.rate, self.order));
        let response = cascade.response(samples);
        Ok(Box::new(Band { cascade, response, channels, samples, zero_phase: self.zero_phase }))
    }
}

struct Band {
    cascade: Cascade,
    response: Vec<f32>,
    channels: usize,
    samples: usize,
    zero_phase: bool,
}

impl Mapping for Band {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            for channel in row.chunks_mut(self.samples) {
                self.cascade.filter(channel);
                if self.zero_phase {
                    channel.reverse();
                    self.cascade.filter(channel);
                    channel.reverse();
                }
            }
        })
    }

    fn surrogate(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        let once = convolve(rows, self.channels, &self.response, 0);
        if !self.zero_phase {
            return once;
        }
        // Backward in time the kernel lies turned, its origin at its end.
        let turned: Vec<f32> = self.response.iter().rev().copied().collect();
        convolve(once, self.channels, &turned, turned.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn the_stand_in_is_the_filter_both_ways() {
        let domain = Domain::waveform(2, 700).unwrap();
        let noise: Vec<f32> =
            (0..1400).map(|at| ((at * 7919 % 1009) as f32 / 504.5) - 1.0).collect();
        for zero_phase in [false, true] {
            let settings = BandPass { zero_phase, ..BandPass::default() };
            let mapping = settings.prepare(&domain).unwrap();
            let data = TensorData::new(noise.clone(), [1, 1400]);
            let rows = Tensor::<2>::from_data(data, &Device::flex());
            let hard = floats(mapping.apply(rows.clone(), &Draws::shared(0))).unwrap();
            let soft = floats(mapping.surrogate(rows, &Draws::shared(0))).unwrap();
            let most = hard.iter().zip(&soft).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-4, "{zero_phase}: {most}");
            assert!(hard.iter().any(|value| value.abs() > 0.2));
        }
    }

    #[test]
    fn a_band_that_is_none_is_refused() {
        let domain = Domain::waveform(1, 100).unwrap();
        for wrong in [
            BandPass { low: 4000.0, ..BandPass::default() },
            BandPass { high: 8000.0, ..BandPass::default() },
            BandPass { order: 3, ..BandPass::default() },
            BandPass { rate: f64::NAN, ..BandPass::default() },
        ] {
            assert!(wrong.check(&domain).is_err(), "{wrong:?}");
        }
    }
}
