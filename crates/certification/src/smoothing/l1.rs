//! Smoothing with Laplace or uniform noise: certificates in L1.
//!
//! Teng, Lee, Yuan. *ℓ₁ Adversarial Robustness Certificates: a Randomized Smoothing Approach.*
//! 2020, theorem 1 (Laplace). <https://openreview.net/forum?id=H1lQIgrFDS>
//! Lee, Yuan, Chang, Jaakkola. *Tight Certificates of Adversarial Robustness for Randomly Smoothed
//! Classifiers.* `NeurIPS` 2019 (uniform). <https://arxiv.org/abs/1906.04948>
//! Yang, Duan, Hu, Salman, Razenshteyn, Li. *Randomized Smoothing of All Shapes and Sizes.* ICML
//! 2020 (both, compared at one standard deviation). <https://arxiv.org/abs/2002.08118>
use burn::prelude::*;
use duress_core::{Classifier, Norm, Passes, Progress, Result, Seed};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use super::sampling::Sampler;
use crate::table::{Certificate, Certifier, Entry, sampled};

/// Noise whose density falls off by the L1 norm, or does not fall at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum L1Noise {
    /// Laplace noise of scale `b = σ/√2` in each feature.
    Laplace,
    /// Uniform noise on `[−λ, λ]`, `λ = √3 σ`, in each feature.
    Uniform,
}

impl L1Noise {
    /// The scale of the distribution (`b` or `λ`) at standard deviation `sigma`, as it is drawn.
    fn scale(self, sigma: f64) -> f32 {
        match self {
            L1Noise::Laplace => (sigma * std::f64::consts::FRAC_1_SQRT_2) as f32,
            L1Noise::Uniform => (sigma * 3.0_f64.sqrt()) as f32,
        }
    }

    fn add(self, scale: f32, rng: &mut ChaCha8Rng, values: &mut [f32]) {
        for value in values {
            *value += scale
                * match self {
                    L1Noise::Laplace => {
                        let magnitude: f32 = rng.sample(Exp1);
                        if rng.random::<bool>() { magnitude } else { -magnitude }
                    }
                    L1Noise::Uniform => 2.0 * rng.random::<f32>() - 1.0,
                };
        }
    }
}

/// The L1 radius under Laplace noise of scale `b`, if the top class has probability at least `top`
/// and every other at most `runner_up`: `max(b/2 ln(top/runner_up), −b ln(1 − top + runner_up))`,
/// rounded down, in the units of `b`. `None` unless `top > runner_up`.
///
/// Teng, Lee, Yuan 2020, theorem 1.
#[must_use]
pub fn laplace_radius(top: f64, runner_up: f64, scale: f64) -> Option<f64> {
    if top.is_nan() || runner_up.is_nan() || top <= runner_up {
        return None;
    }
    let ratio = 0.5 * (top / runner_up * (1.0 - ROUNDING)).ln();
    let overlap = -(((1.0 - top) + runner_up) * (1.0 + ROUNDING)).ln();
    let radius = scale * ratio.max(overlap) * (1.0 - ROUNDING);
    (radius > 0.0).then_some(radius)
}

/// The L1 radius under uniform noise on `[−λ, λ]` in each feature, if the top class has probability
/// at least `top` and every other at most `runner_up`: `λ (top − runner_up)`, rounded down, in the
/// units of `λ`. `None` unless `top > runner_up`.
///
/// Two cubes of side `2λ` at L1 distance `r` share at least `1 − r/2λ` of their volume. Lee, Yuan,
/// Chang, Jaakkola, `NeurIPS` 2019; Yang et al., ICML 2020.
#[must_use]
pub fn uniform_radius(top: f64, runner_up: f64, half_width: f64) -> Option<f64> {
    let radius = half_width * (top - runner_up) * (1.0 - ROUNDING);
    (radius > 0.0).then_some(radius)
}

/// Relative slack of a few operations in f64.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// The classifier smoothed by noise with independent features, certified in L1.
///
/// As for [`super::Smoothing`], the noise is in the units of the raw input and is not clipped, the
/// certificate holds for one sample with probability `1 − alpha` over its draws, and that the noise
/// is drawn in f32 is taken not to matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1Smoothing {
    /// The distribution of the noise.
    pub noise: L1Noise,
    /// Standard deviation of the noise in each feature, in units of the raw input.
    pub sigma: f64,
    /// Draws that select the class.
    pub selection_draws: u64,
    /// Draws, apart from those, that bound its probability.
    pub estimation_draws: u64,
    /// Probability that a certificate is wrong.
    pub alpha: f64,
    /// Draws computed at once: costs memory, never changes the result.
    pub batch: usize,
    /// Bound the second class's probability too, where the selection draws promise more by it.
    pub bound_runner_up: bool,
}

impl Default for L1Smoothing {
    fn default() -> Self {
        Self {
            noise: L1Noise::Uniform,
            sigma: 0.25,
            selection_draws: 100,
            estimation_draws: 100_000,
            alpha: 0.001,
            batch: 1024,
            bound_runner_up: false,
        }
    }
}

impl L1Smoothing {
    fn protocol(&self) -> Protocol {
        Protocol {
            algorithm: ENTRY.name,
            selection_draws: self.selection_draws,
            estimation_draws: self.estimation_draws,
            alpha: self.alpha,
            batch: self.batch,
            bound_runner_up: self.bound_runner_up,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smoothing-l1",
    summary: "randomized smoothing with Laplace or uniform noise",
    reference: "arXiv:2002.08118",
    norm: Norm::L1,
    defaults: || toml::Table::try_from(L1Smoothing::default()).unwrap_or_default(),
    parse: sampled::<L1Smoothing>,
};

impl Certifier for L1Smoothing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        ENTRY.norm
    }

    fn check(&self) -> Result<()> {
        let positive = self.sigma.is_finite() && self.sigma > 0.0;
        self.protocol().expect(positive, "sigma", "positive", self.sigma)?;
        self.protocol().check()
    }

    fn certify(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        row: Tensor<2>,
        sample: (Seed, u64),
        progress: &dyn Progress,
    ) -> Result<Certificate> {
        self.check()?;
        let scale = self.noise.scale(self.sigma);
        let disturb = |rng: &mut ChaCha8Rng, values: &mut [f32]| self.noise.add(scale, rng, values);
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        let drawn = f64::from(scale);
        self.protocol().certify(&sampler, &|top, other| match self.noise {
            L1Noise::Laplace => laplace_radius(top, other, drawn),
            L1Noise::Uniform => uniform_radius(top, other, drawn),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoothing::fixtures::{Threshold, certify};

    /// In one dimension the class `x > 0` has probability `1 − e^(−m/b)/2` at `x = m`, and
    /// `1/2 + m/2λ`: both certificates are tight, the radius is the distance `m`.
    #[test]
    fn the_radius_of_a_threshold_is_its_distance() {
        for distance in [0.1_f64, 0.5, 1.3] {
            let top = 1.0 - 0.5 * (-distance / 0.7).exp();
            let radius = laplace_radius(top, 1.0 - top, 0.7).unwrap();
            assert!(radius <= distance + 1e-15 && distance - radius < 1e-12, "{radius}");
            let top = 0.5 + distance / 4.0;
            let radius = uniform_radius(top, 1.0 - top, 2.0).unwrap();
            assert!(radius <= distance && distance - radius < 1e-12, "{radius}");
        }
    }

    /// With a small second class the ratio of the probabilities certifies more than the overlap.
    #[test]
    fn a_small_second_class_enlarges_the_radius() {
        let radius = laplace_radius(0.4, 0.1, 1.0).unwrap();
        assert!((radius - 0.5 * 4.0_f64.ln()).abs() < 1e-12 && radius <= 0.5 * 4.0_f64.ln());
        assert!((uniform_radius(0.4, 0.1, 1.0).unwrap() - 0.3).abs() < 1e-12);
        for (top, other) in [(0.5, 0.5), (0.3, 0.4), (f64::NAN, 0.1), (0.9, f64::NAN)] {
            assert_eq!(laplace_radius(top, other, 1.0), None);
            assert_eq!(uniform_radius(top, other, 1.0), None);
        }
    }

    /// The whole path: draws, counts, bound, radius; `α = 0.001` and the width of the interval.
    #[test]
    fn a_threshold_is_certified_up_to_its_distance() {
        for noise in [L1Noise::Laplace, L1Noise::Uniform] {
            let certifier =
                L1Smoothing { noise, sigma: 0.5, estimation_draws: 20_000, ..Default::default() };
            for (at, distance) in [(0.7, 0.2), (0.9, 0.4)] {
                let certificate = certify(&certifier, &Threshold::at(0.5), at, 1).unwrap();
                assert_eq!(certificate.prediction, Some(1));
                assert!(certificate.radius < distance, "{noise:?} {certificate:?}");
                assert!(certificate.radius > distance - 0.03, "{noise:?} {certificate:?}");
            }
        }
    }

    /// `E δ = 0` and `E δ² = σ²` over 20,000 draws, to five standard errors.
    #[test]
    fn the_noise_has_the_standard_deviation_that_was_asked_for() {
        for noise in [L1Noise::Laplace, L1Noise::Uniform] {
            let mut values = vec![0.0_f32; 20_000];
            let mut rng = Seed(5).stream(0, 0, 0, duress_core::Use::Noise);
            noise.add(noise.scale(2.0), &mut rng, &mut values);
            let moment = |power| {
                values.iter().map(|&value| f64::from(value).powi(power)).sum::<f64>() / 20_000.0
            };
            let error = |variance: f64| 5.0 * (variance / 20_000.0).sqrt();
            assert!(moment(1).abs() < error(4.0), "{noise:?}");
            // Var δ² = 5σ⁴ (Laplace), less for the uniform.
            assert!((moment(2) - 4.0).abs() < error(5.0 * 16.0), "{noise:?}");
        }
    }
}
