//! Median smoothing of sounds.
//!
//! Yang, Li, Chen, Song. *Characterizing Audio Adversarial Examples Using Temporal Dependency.*
//! ICLR 2019, §4.1 (local smoothing). <https://arxiv.org/abs/1809.10875>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{by_row, mirrored};
use crate::transformation::mapping::{waveform_shape, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Each sample becomes the median of those around it, channel by channel; the ends are mirrored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaveformMedian {
    /// Samples of the window, odd.
    pub window: usize,
}

impl Default for WaveformMedian {
    fn default() -> Self {
        Self { window: 3 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "waveform-median",
    summary: "the median of each sample's surroundings",
    reference: "arXiv:1809.10875",
    defaults: defaults::<WaveformMedian>,
    parse: transformation::<WaveformMedian>,
};

impl Transformation for WaveformMedian {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        let [_, samples] = waveform_shape(ENTRY.name, domain)?;
        if !self.window.is_multiple_of(2) && self.window <= samples {
            return Ok(());
        }
        wrong(ENTRY.name, "window", "odd and no more than the samples of a channel", self.window)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [_, samples] = waveform_shape(ENTRY.name, domain)?;
        Ok(Box::new(Median { samples, window: self.window }))
    }
}

struct Median {
    samples: usize,
    window: usize,
}

impl Mapping for Median {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            for channel in row.chunks_mut(self.samples) {
                let smooth = median(channel, self.window);
                channel.copy_from_slice(&smooth);
            }
        })
    }
}

fn median(channel: &[f32], window: usize) -> Vec<f32> {
    let half = (window / 2) as isize;
    let middle = |place: usize| {
        let at = |shift| channel[mirrored(place, shift, channel.len())];
        let mut values: Vec<f32> = (-half..=half).map(at).collect();
        *values.select_nth_unstable_by(window / 2, f32::total_cmp).1
    };
    (0..channel.len()).map(middle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_vanish_and_a_ramp_stays() {
        assert_eq!(median(&[0.0, 0.1, 0.9, 0.3, 0.4], 3), [0.0, 0.1, 0.3, 0.4, 0.4]);
        assert_eq!(median(&[0.0, 0.1, 0.2, 0.3], 3), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(median(&[0.5, -0.5], 1), [0.5, -0.5]);
    }
}
