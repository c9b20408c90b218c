//! How much signal is left after each step of a diffusion, and how a step is undone.
use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

/// The variances of a diffusion's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseSchedule {
    /// From 10⁻⁴ to 0.02 over 1000 steps, and as much in all over fewer of them.
    ///
    /// Ho, Jain, Abbeel. *Denoising Diffusion Probabilistic Models.* `NeurIPS` 2020, §4.
    /// <https://arxiv.org/abs/2006.11239>
    #[default]
    Linear,
    /// `ᾱ(t) ∝ cos²(π/2 · (t/T + 0.008) / 1.008)`.
    ///
    /// Nichol, Dhariwal. *Improved Denoising Diffusion Probabilistic Models.* ICML 2021, eq. (17).
    /// <https://arxiv.org/abs/2102.09672>
    Cosine,
}

/// Largest variance of a step, as in the code of the cosine schedule.
const MOST: f64 = 0.999;

/// The steps of a diffusion, 1 to `T`: step `t` takes a share `1 − β(t)` of the signal's power and
/// adds Gaussian noise of variance `β(t)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Variances {
    /// `β(1) … β(T)`.
    betas: Vec<f64>,
    /// `ᾱ(0) … ᾱ(T)`: the share of the signal's power that is left.
    kept: Vec<f64>,
}

/// Coefficients of `q(x(t−1) | x(t), x(0))`: its mean is `clean · x(0) + noisy · x(t)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Coefficient of `x(0)`.
    pub clean: f64,
    /// Coefficient of `x(t)`.
    pub noisy: f64,
    /// Variance `β̃(t)`, 0 at the first step.
    pub variance: f64,
}

impl Variances {
    /// `steps` steps (at least one) of a schedule.
    #[must_use]
    pub fn new(schedule: NoiseSchedule, steps: usize) -> Self {
        let steps = steps.max(1);
        let beta = |step: usize| match schedule {
            NoiseSchedule::Linear => {
                let scale = 1000.0 / steps as f64;
                let place = (step - 1) as f64 / (steps - 1).max(1) as f64;
                scale * (1e-4 + place * (0.02 - 1e-4))
            }
            NoiseSchedule::Cosine => {
                let left = |step: usize| {
                    ((step as f64 / steps as f64 + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2)
                };
                1.0 - left(step) / left(step - 1)
            }
        };
        Self::of((1..=steps).map(|step| beta(step).min(MOST)).collect())
    }

    /// The steps with these variances `β(1) … β(T)`.
    #[must_use]
    pub fn of(betas: Vec<f64>) -> Self {
        let mut kept = vec![1.0];
        for beta in &betas {
            kept.push(kept[kept.len() - 1] * (1.0 - beta));
        }
        Self { betas, kept }
    }

    /// Number of steps `T`.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.betas.len()
    }

    /// `ᾱ(t)` for `t` from 0 to `T`: `x(t) ~ N(√ᾱ x(0), 1 − ᾱ)` (Ho et al., eq. 4).
    ///
    /// # Panics
    /// Past the last step.
    #[must_use]
    pub fn kept(&self, step: usize) -> f64 {
        self.kept[step]
    }

    /// What is known of `x(t−1)` given `x(t)` and `x(0)`, for `t` from 1 to `T` (ibid., eq. 7).
    ///
    /// # Panics
    /// At step 0 and past the last.
    #[must_use]
    pub fn posterior(&self, step: usize) -> Posterior {
        let (beta, kept, before) = (self.betas[step - 1], self.kept[step], self.kept[step - 1]);
        Posterior {
            clean: before.sqrt() * beta / (1.0 - kept),
            noisy: (1.0 - beta).sqrt() * (1.0 - before) / (1.0 - kept),
            variance: (1.0 - before) / (1.0 - kept) * beta,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `β = (1/2, 1/4)` the products are `1, 1/2, 3/8`; at step 2 the mean is
    /// `√(1/2) · (1/4) / (5/8) · x0 + √(3/4) · (1/2) / (5/8) · x2`, the variance `1/2 / (5/8) / 4`.
    #[test]
    fn products_and_posterior_are_those_by_hand() {
        let variances = Variances::of(vec![0.5, 0.25]);
        assert_eq!((0..=2).map(|t| variances.kept(t)).collect::<Vec<_>>(), [1.0, 0.5, 0.375]);
        let second = variances.posterior(2);
        assert!((second.clean - 0.5_f64.sqrt() * 0.4).abs() < 1e-15);
        assert!((second.noisy - 0.75_f64.sqrt() * 0.8).abs() < 1e-15);
        assert!((second.variance - 0.2).abs() < 1e-15);
        // The first step is undone exactly.
        assert_eq!(variances.posterior(1), Posterior { clean: 1.0, noisy: 0.0, variance: 0.0 });
    }

    /// Bayes' rule in one dimension: precision `1/(1−ᾱ(t−1)) + α/β`.
    #[test]
    fn the_posterior_is_that_of_two_gaussians() {
        for schedule in [NoiseSchedule::Linear, NoiseSchedule::Cosine] {
            let variances = Variances::new(schedule, 50);
            for step in 2..=50 {
                let alpha = variances.kept(step) / variances.kept(step - 1);
                let before = variances.kept(step - 1);
                let (prior, likelihood) = (1.0 / (1.0 - before), alpha / (1.0 - alpha));
                let got = variances.posterior(step);
                let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + b.abs());
                let total = prior + likelihood;
                assert!(close(got.variance, 1.0 / total), "{schedule:?} {step}");
                assert!(close(got.clean, before.sqrt() * prior / total), "{schedule:?} {step}");
                assert!(close(got.noisy, alpha.sqrt() / (1.0 - alpha) / total), "{step}");
            }
        }
    }

    #[test]
    fn schedules_leave_what_their_papers_say() {
        let linear = Variances::new(NoiseSchedule::Linear, 1000);
        assert!((linear.kept(1) - (1.0 - 1e-4)).abs() < 1e-15);
        // exp(−Σβ − Σβ²/2 − …): about 4 · 10⁻⁵.
        assert!((3e-5..5e-5).contains(&linear.kept(1000)), "{}", linear.kept(1000));
        // Fewer steps leave about as much.
        let fewer = Variances::new(NoiseSchedule::Linear, 100);
        assert!((1e-5..1e-4).contains(&fewer.kept(100)), "{}", fewer.kept(100));
        let cosine = Variances::new(NoiseSchedule::Cosine, 100);
        let at = |t: f64| ((t + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
        assert!((cosine.kept(50) - at(0.5) / at(0.0)).abs() < 1e-12);
        assert!(cosine.kept(100) < 1e-3);
    }
}
