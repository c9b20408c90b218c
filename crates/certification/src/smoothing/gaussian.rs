//! Smoothing with Gaussian noise: certificates in L2.
//!
//! Cohen, Rosenfeld, Kolter. *Certified Adversarial Robustness via Randomized Smoothing.*
//! ICML 2019, §3.2, CERTIFY and PREDICT. <https://arxiv.org/abs/1902.02918>
use burn::prelude::*;
use duress_core::{Classifier, Norm, Passes, Progress, Result, Seed, Use};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

use super::gaussian_radius;
use super::protocol::Protocol;
use super::sampling::{Sampler, most_frequent, runner_up};
use crate::table::{Certificate, Certifier, Entry, sampled};

/// The smoothed classifier `g(x) = argmax_c P(f(x + N(0, σ²I)) = c)`.
///
/// The noise is added in the units of the raw input and is not clipped to the box: put a
/// normalisation inside the model. A certificate holds for one sample with probability
/// `1 − alpha` over its draws; a statement about a whole data set needs a union bound.
///
/// The noise is drawn in f32: like every implementation of smoothing in floating point, this
/// assumes that the discretisation of the Gaussian does not matter (Jin et al., arXiv:2205.10159).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smoothing {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Draws that select the class (n₀ in the paper).
    pub selection_draws: u64,
    /// Draws, apart from those, that bound its probability (n in the paper).
    pub estimation_draws: u64,
    /// Probability that a certificate is wrong.
    pub alpha: f64,
    /// Draws computed at once: costs memory, never changes the result.
    pub batch: usize,
    /// Bound the second class's probability too, at `alpha / 2` each, where the selection draws
    /// promise a larger radius by it; otherwise the second class may have all that is left.
    pub bound_runner_up: bool,
}

impl Smoothing {
    /// The constants of the paper: n₀ = 100, n = 100,000, α = 0.001.
    #[must_use]
    pub fn paper(sigma: f64) -> Self {
        let (selection_draws, estimation_draws) = (100, 100_000);
        let (alpha, batch, bound_runner_up) = (0.001, 1024, false);
        Self { sigma, selection_draws, estimation_draws, alpha, batch, bound_runner_up }
    }

    /// Predicted class, or `None` to abstain: PREDICT with `estimation_draws` draws. A returned
    /// class is that of the smoothed classifier with probability at least `1 − alpha`.
    ///
    /// # Errors
    /// As [`Certifier::certify`].
    pub fn predict(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        row: Tensor<2>,
        sample: (Seed, u64),
        progress: &dyn Progress,
    ) -> Result<Option<usize>> {
        self.check()?;
        let disturb = add_gaussian(self.sigma);
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        let counts = sampler.counts(0..self.estimation_draws, Use::Estimate)?;
        let first = most_frequent(&counts);
        let second = runner_up(&counts, first);
        // Two-sided binomial test that both classes are equally likely.
        let (most, total) = (counts[first], counts[first] + second);
        let tail = beta_reg(most as f64, second as f64 + 1.0, 0.5);
        let p_value = if most == second { 1.0 } else { (2.0 * tail).min(1.0) };
        Ok((total > 0 && p_value <= self.alpha).then_some(first))
    }

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

/// Adds Gaussian noise of standard deviation `sigma`.
pub(super) fn add_gaussian(sigma: f64) -> impl Fn(&mut ChaCha8Rng, &mut [f32]) + Sync {
    let sigma = sigma as f32;
    move |rng, values| {
        for value in values {
            let noise: f32 = rng.sample(StandardNormal);
            *value += noise * sigma;
        }
    }
}

impl Default for Smoothing {
    fn default() -> Self {
        Self::paper(0.25)
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smoothing",
    summary: "randomized smoothing with Gaussian noise",
    reference: "arXiv:1902.02918",
    norm: Norm::L2,
    defaults: || toml::Table::try_from(Smoothing::default()).unwrap_or_default(),
    parse: sampled::<Smoothing>,
};

impl Certifier for Smoothing {
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
        let disturb = add_gaussian(self.sigma);
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        self.protocol().certify(&sampler, &|top, other| gaussian_radius(top, other, self.sigma))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Silent};

    /// Two logits `(⟨w, x⟩ + b, 0)`, with `‖w‖ = 5`.
    struct Linear(Domain);

    impl Classifier for Linear {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let weights = Tensor::<2>::from_data([[3.0, 4.0]], &rows.device());
            let margin = (rows * weights).sum_dim(1) - 2.5;
            Tensor::cat(vec![margin.clone(), margin * 0.0], 1)
        }
    }

    fn certify(smoothing: &Smoothing, at: [f32; 2], seed: u64) -> Certificate {
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Linear(Domain::image(1, 1, 2).unwrap());
        let row = Tensor::<2>::from_data([at], &device);
        smoothing.certify(&model, &passes, row, (Seed(seed), 7), &Silent).unwrap()
    }

    /// `P(f(x + δ) = 0) = Φ(m / (σ‖w‖))`, so the exact radius is the distance `m/‖w‖`. The bound
    /// may exceed it with probability α = 0.001; it falls short by the width of the interval.
    #[test]
    fn a_linear_model_is_certified_up_to_its_distance() {
        let smoothing = Smoothing { estimation_draws: 20_000, ..Smoothing::paper(0.25) };
        for (at, distance) in [([0.9, 0.4], 0.36), ([0.5, 0.5], 0.2)] {
            let certificate = certify(&smoothing, at, 1);
            assert_eq!(certificate.prediction, Some(0));
            assert!(certificate.radius < distance, "{certificate:?}");
            assert!(certificate.radius > distance - 0.03, "{certificate:?}");
            assert_eq!(certificate.forwards, 20_100);
        }
    }

    #[test]
    fn the_boundary_abstains() {
        let smoothing = Smoothing { estimation_draws: 1000, ..Smoothing::paper(0.25) };
        let certificate = certify(&smoothing, [0.5, 0.25], 1);
        assert_eq!((certificate.prediction, certificate.radius), (None, 0.0));
    }

    #[test]
    fn the_batch_never_changes_the_counts() {
        let at = [0.6, 0.3];
        let small = Smoothing { estimation_draws: 500, ..Smoothing::paper(0.5) };
        let whole = certify(&small, at, 3);
        for batch in [1, 7, 100] {
            assert_eq!(whole, certify(&Smoothing { batch, ..small.clone() }, at, 3));
        }
        assert_ne!(whole.radius.to_bits(), certify(&small, at, 4).radius.to_bits());
    }

    #[test]
    fn predict_abstains_where_the_classes_are_close() {
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Linear(Domain::image(1, 1, 2).unwrap());
        let smoothing = Smoothing { estimation_draws: 1000, ..Smoothing::paper(0.25) };
        let predict = |at: [f32; 2]| {
            let row = Tensor::<2>::from_data([at], &device);
            smoothing.predict(&model, &passes, row, (Seed(1), 0), &Silent).unwrap()
        };
        assert_eq!(predict([0.9, 0.4]), Some(0));
        assert_eq!(predict([0.1, 0.1]), Some(1));
        assert_eq!(predict([0.5, 0.25]), None);
    }

    #[test]
    fn wrong_hyperparameters_are_named() {
        for (text, field) in [
            ("sigma = 0.0", "sigma"),
            ("alpha = 1.0", "alpha"),
            ("estimation_draws = 0", "estimation_draws"),
        ] {
            let certifier = (ENTRY.parse)(toml::from_str(text).unwrap()).unwrap();
            assert!(certifier.check().unwrap_err().to_string().contains(field));
        }
        assert!((ENTRY.parse)(toml::from_str("sigmoid = 1").unwrap()).is_err());
    }
}
