//! A lower sampling rate, and back.
//!
//! Yang, Li, Chen, Song. *Characterizing Audio Adversarial Examples Using Temporal Dependency.*
//! ICLR 2019, §4.1. <https://arxiv.org/abs/1809.10875>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use super::convolution::convolve;
use crate::table::{Entry, defaults, transformation};
use crate::transformation::mapping::{waveform_shape, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Keeps every `factor`-th sample of the sound behind a low pass, and fills in the others by the
/// same low pass: a sine cardinal under a Hann window of 16 zero crossings a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resampling {
    /// How many samples become one, 1 to 64: the paper's 2.
    pub factor: usize,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { factor: 2 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "resampling",
    summary: "down to a lower sampling rate and back",
    reference: "arXiv:1809.10875",
    defaults: defaults::<Resampling>,
    parse: transformation::<Resampling>,
};

impl Transformation for Resampling {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        waveform_shape(ENTRY.name, domain)?;
        if (1..=64).contains(&self.factor) {
            return Ok(());
        }
        wrong(ENTRY.name, "factor", "between 1 and 64", self.factor)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [channels, samples] = waveform_shape(ENTRY.name, domain)?;
        let kept =
            |feature: usize| f32::from(u8::from((feature % samples).is_multiple_of(self.factor)));
        Ok(Box::new(Resampled {
            channels,
            kernel: kernel(self.factor),
            factor: self.factor,
            kept: (0..channels * samples).map(kept).collect(),
        }))
    }
}

/// Zero crossings on each side of the kernel.
const CROSSINGS: usize = 16;

/// A low pass at the `factor`-th part of the band, of sum 1.
fn kernel(factor: usize) -> Vec<f32> {
    if factor == 1 {
        return vec![1.0];
    }
    let reach = (CROSSINGS * factor) as i32;
    let weight = |place: i32| {
        let x = f64::from(place) / factor as f64 * std::f64::consts::PI;
        let cardinal = if place == 0 { 1.0 } else { x.sin() / x };
        let window = (f64::from(place) / f64::from(reach) * std::f64::consts::FRAC_PI_2).cos();
        cardinal * window * window
    };
    let weights: Vec<f64> = (-reach..=reach).map(weight).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / total) as f32).collect()
}

struct Resampled {
    channels: usize,
    kernel: Vec<f32>,
    factor: usize,
    /// One at the samples that are kept.
    kept: Vec<f32>,
}

impl Mapping for Resampled {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        let data = TensorData::new(self.kept.clone(), [1, self.kept.len()]);
        let kept = Tensor::<2>::from_data(data, &rows.device().inner());
        let origin = self.kernel.len() / 2;
        let low = convolve(rows, self.channels, &self.kernel, origin) * kept;
        convolve(low, self.channels, &self.kernel, origin) * self.factor as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// The middle of a sine of `cycles` a sample, resampled.
    fn error(factor: usize, cycles: f64) -> (f64, f64) {
        let domain = Domain::waveform(1, 512).unwrap();
        let mapping = Resampling { factor }.prepare(&domain).unwrap();
        let sine: Vec<f32> = (0..512)
            .map(|at| (f64::from(at) * cycles * std::f64::consts::TAU).sin() as f32)
            .collect();
        let rows = Tensor::from_data(TensorData::new(sine.clone(), [1, 512]), &Device::flex());
        let got = floats(mapping.apply(rows, &Draws::shared(0))).unwrap();
        let most = |values: &mut dyn Iterator<Item = f32>| {
            values.fold(0.0, |m, v| f64::from(v.abs()).max(m))
        };
        let middle = 150..362;
        let change = most(&mut middle.clone().map(|at| got[at] - sine[at]));
        (change, most(&mut middle.map(|at| got[at])))
    }

    #[test]
    fn low_tones_stay_high_tones_go_and_a_factor_of_one_is_the_identity() {
        assert!(error(2, 0.05).0 < 0.01, "{:?}", error(2, 0.05));
        assert!(error(2, 0.4).1 < 0.01, "{:?}", error(2, 0.4));
        assert!(error(3, 0.3).1 < 0.01 && error(3, 0.03).0 < 0.01);
        assert!(error(1, 0.4).0 < 1e-6);
    }
}
