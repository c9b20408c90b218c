//! Butterworth filters as second-order sections.
//!
//! The poles of an even order `n` pair up to sections of quality `1 / (2 cos θ)` with
//! `θ = π (2k + 1) / (2n)`; each is taken to discrete time by the bilinear transform, its cutoff
//! bent to stay in place. Parks, Burrus. *Digital Filter Design.* Wiley 1987, §7.
use std::f64::consts::PI;

/// What a filter lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LowPass,
    HighPass,
}

/// `y[n] = b₀ x[n] + b₁ x[n−1] + b₂ x[n−2] − a₁ y[n−1] − a₂ y[n−2]`.
#[derive(Clone, Copy, Debug)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
}

/// Sections one after the other.
#[derive(Clone, Debug)]
pub(super) struct Cascade(Vec<Section>);

/// What is left of a response where it is cut off.
const TAIL: f64 = 1e-6;

impl Cascade {
    /// A filter of even `order` that is 3 dB down at `cutoff`, a share of the sampling rate.
    pub(super) fn butterworth(kind: Kind, cutoff: f64, order: u32) -> Self {
        let bent = (PI * cutoff).tan();
        let section = |index: u32| {
            let angle = PI * f64::from(2 * index + 1) / f64::from(2 * order);
            // `s² + 2 cos θ s + 1` with `s = (1 − z⁻¹) / (bent (1 + z⁻¹))`.
            let middle = 2.0 * angle.cos() * bent;
            let whole = 1.0 + middle + bent * bent;
            let a = [2.0 * (bent * bent - 1.0) / whole, (1.0 - middle + bent * bent) / whole];
            let gain = match kind {
                Kind::LowPass => bent * bent / whole,
                Kind::HighPass => 1.0 / whole,
            };
            let sign = if kind == Kind::LowPass { 2.0 } else { -2.0 };
            Section { b: [gain, sign * gain, gain], a }
        };
        Self((0..order / 2).map(section).collect())
    }

    /// Another filter behind this one.
    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Filters a sound from silence, in place.
    pub(super) fn filter(&self, sound: &mut [f32]) {
        let mut states = vec![[0.0_f64; 2]; self.0.len()];
        for sample in sound {
            let mut value = f64::from(*sample);
            for (Section { b, a }, state) in self.0.iter().zip(&mut states) {
                // Transposed direct form II.
                let out = b[0] * value + state[0];
                state[0] = b[1] * value - a[0] * out + state[1];
                state[1] = b[2] * value - a[1] * out;
                value = out;
            }
            *sample = value as f32;
        }
    }

    /// What a click becomes, at most `longest` samples, up to where little is left.
    pub(super) fn response(&self, longest: usize) -> Vec<f32> {
        let mut click = vec![0.0; longest.max(1)];
        click[0] = 1.0;
        self.filter(&mut click);
        let total: f64 = click.iter().map(|value| f64::from(*value).abs()).sum();
        let mut left = 0.0;
        let length = click.iter().rposition(|value| {
            left += f64::from(*value).abs();
            left > TAIL * total
        });
        click.truncate(length.map_or(1, |last| last + 1));
        click
    }

    /// Amplitude at `frequency`, a share of the sampling rate.
    #[cfg(test)]
    pub(super) fn amplitude(&self, frequency: f64) -> f64 {
        let turn = |power: f64| {
            let angle = -2.0 * PI * frequency * power;
            [angle.cos(), angle.sin()]
        };
        let length = |weights: [f64; 3]| {
            let sum = |part: usize| -> f64 {
                weights.iter().enumerate().map(|(k, w)| w * turn(k as f64)[part]).sum()
            };
            sum(0).hypot(sum(1))
        };
        self.0.iter().map(|Section { b, a }| length(*b) / length([1.0, a[0], a[1]])).product()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_is_three_decibels_down_at_the_cutoff_for_each_order() {
        for order in [2, 4, 8] {
            for cutoff in [0.01, 0.1, 0.3] {
                for kind in [Kind::LowPass, Kind::HighPass] {
                    let filter = Cascade::butterworth(kind, cutoff, order);
                    let at = filter.amplitude(cutoff);
                    assert!((at - 0.5_f64.sqrt()).abs() < 1e-9, "{kind:?} {order} {cutoff}: {at}");
                    let (passed, stopped) = match kind {
                        Kind::LowPass => (1e-6, 0.499_999),
                        Kind::HighPass => (0.499_999, 1e-6),
                    };
                    assert!((filter.amplitude(passed) - 1.0).abs() < 1e-6);
                    assert!(filter.amplitude(stopped) < 1e-6);
                }
            }
        }
    }

    /// `|H|² = 1 / (1 + (tan πf / tan πc)^2n)`.
    #[test]
    fn a_low_pass_follows_the_curve_of_its_order() {
        let filter = Cascade::butterworth(Kind::LowPass, 0.1, 4);
        for frequency in [0.02, 0.08, 0.15, 0.4] {
            let ratio = (PI * frequency).tan() / (PI * 0.1).tan();
            let expected = (1.0 / (1.0 + ratio.powi(8))).sqrt();
            assert!((filter.amplitude(frequency) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn a_steady_sine_leaves_with_the_amplitude_of_its_frequency() {
        let filter = Cascade::butterworth(Kind::LowPass, 0.1, 2);
        let tone = |at: i32| (2.0 * PI * 0.1 * f64::from(at)).sin() as f32;
        let mut sound: Vec<f32> = (0..1000).map(tone).collect();
        filter.filter(&mut sound);
        let most = sound[800..].iter().fold(0.0_f32, |most, value| value.abs().max(most));
        // Ten samples a cycle see the peak to within cos(π/10).
        let (most, peak) = (f64::from(most), 0.5_f64.sqrt());
        assert!(most < peak + 1e-4 && most > peak * (PI / 10.0).cos() - 1e-4, "{most}");
    }
}
