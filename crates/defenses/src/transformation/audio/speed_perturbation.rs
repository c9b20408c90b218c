//! Playing a little faster or slower.
//!
//! Ko, Peddinti, Povey, Khudanpur. *Audio Augmentation for Speech Recognition.* Interspeech 2015.
use burn::prelude::*;
use duress_core::{Domain, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::drawn;
use crate::transformation::mapping::{in_range, waveform_shape};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Plays the sound at a speed drawn evenly around 1, by linear interpolation, around its middle:
/// what runs over is cut off, what is missing is silence. The pitch moves with the speed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpeedPerturbation {
    /// How far the speed may be from 1, at least 0 and below 1.
    pub deviation: f64,
}

impl Default for SpeedPerturbation {
    fn default() -> Self {
        Self { deviation: 0.1 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "speed-perturbation",
    summary: "the sound at a random speed near its own",
    reference: "Ko et al., Interspeech 2015",
    defaults: defaults::<SpeedPerturbation>,
    parse: transformation::<SpeedPerturbation>,
};

impl Transformation for SpeedPerturbation {
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
        in_range(ENTRY.name, "deviation", self.deviation, 0.0..1.0, "at least 0 and below 1")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [channels, samples] = waveform_shape(ENTRY.name, domain)?;
        Ok(Box::new(Playback { channels, samples, deviation: self.deviation }))
    }
}

struct Playback {
    channels: usize,
    samples: usize,
    deviation: f64,
}

impl Mapping for Playback {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let ([count, features], device) = (rows.dims(), rows.device().inner());
        // For each feature the sample before its place, and how far it is past that.
        let places = drawn(&rows, 2 * features, draws, |generator, row| {
            let draw: f64 = generator.random_range(-1.0..=1.0);
            self.places(1.0 + self.deviation * draw, row);
        });
        let before = places.clone().narrow(1, 0, features);
        let past = places.narrow(1, features, features);
        // One silent sample beyond each end of each channel.
        let [channels, samples] = [self.channels, self.samples];
        let silence = Tensor::<3>::zeros([count, channels, 1], &device);
        let sound = rows.reshape([count, channels, samples]);
        let padded = Tensor::cat(vec![silence.clone(), sound, silence], 2);
        let padded = padded.reshape([count, channels * (samples + 2)]);
        let first = padded.clone().gather(1, before.clone().int());
        let second = padded.gather(1, (before + 1.0).int());
        first * (past.clone().neg() + 1.0) + second * past
    }
}

impl Playback {
    /// Indices into the padded channels, then shares of the way to the next sample.
    fn places(&self, speed: f64, row: &mut [f32]) {
        let (before, past) = row.split_at_mut(self.channels * self.samples);
        let middle = (self.samples as f64 - 1.0) / 2.0;
        for (feature, (before, past)) in before.iter_mut().zip(past).enumerate() {
            let (channel, sample) = (feature / self.samples, feature % self.samples);
            let place = (middle + (sample as f64 - middle) * speed + 1.0)
                .clamp(0.0, self.samples as f64 + 1.0);
            let floor = place.floor().min(self.samples as f64);
            *before = (channel * (self.samples + 2)) as f32 + floor as f32;
            *past = (place - floor) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    fn played(playback: &Playback, speed: f64, sound: &[f32]) -> Vec<f32> {
        let mut row = vec![0.0; 2 * sound.len()];
        playback.places(speed, &mut row);
        let (before, past) = row.split_at(sound.len());
        let mut padded = Vec::new();
        for channel in sound.chunks(playback.samples) {
            padded.push(0.0);
            padded.extend_from_slice(channel);
            padded.push(0.0);
        }
        let at = |(before, past): (&f32, &f32)| {
            let index = *before as usize;
            padded[index] * (1.0 - past) + padded[index + 1] * past
        };
        before.iter().zip(past).map(at).collect()
    }

    #[test]
    fn speed_one_is_the_identity_and_half_speed_lies_between_samples() {
        let playback = Playback { channels: 2, samples: 3, deviation: 0.0 };
        let sound = [0.1, 0.5, 0.9, -0.2, 0.0, 0.2];
        assert_eq!(played(&playback, 1.0, &sound), sound);
        let got = played(&playback, 0.5, &sound);
        for (got, expected) in got.iter().zip([0.3, 0.5, 0.7, -0.1, 0.0, 0.1]) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        // At double speed the ends are silent.
        let fast = played(&playback, 2.0, &sound);
        assert_eq!(fast[..3].to_vec(), [0.0, 0.5, 0.0]);
    }

    #[test]
    fn the_tensor_path_is_the_same_and_channels_do_not_mix() {
        let domain = Domain::waveform(2, 3).unwrap();
        let mapping = SpeedPerturbation { deviation: 0.0 }.prepare(&domain).unwrap();
        let sound = [[0.1, 0.5, 0.9, -0.2, 0.0, 0.2]];
        let rows = Tensor::<2>::from_data(sound, &Device::flex());
        assert_eq!(floats(mapping.apply(rows, &Draws::shared(0))).unwrap(), sound[0]);
    }
}
