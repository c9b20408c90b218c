//! Gaussian smoothing that stops drawing once a given radius is decided.
use burn::prelude::*;
use duress_core::{Classifier, Norm, Passes, Progress, Result, Seed, Use};
use serde::{Deserialize, Serialize};

use super::certified_radius;
use super::gaussian::add_gaussian;
use super::protocol::Protocol;
use super::sampling::{Sampler, most_frequent};
use super::sequential::{Looks, SequentialBound};
use crate::table::{Certificate, Certifier, Entry, sampled};

/// The classifier of [`super::Smoothing`], certified at one radius with as few draws as it takes.
///
/// The draws come in looks that are fixed beforehand (see [`SequentialBound`]); a sample is left as
/// soon as `radius` is certified, or as soon as it is unlikely to be. The certificate holds with
/// probability `1 − alpha`, for whichever reason the sampling stopped. Its radius is what the draws
/// so far certify: at least `radius` where that is decided in its favour, but not the largest that
/// more draws would give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveSmoothing {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// The radius to decide, in units of the raw input.
    pub radius: f64,
    /// Draws that select the class.
    pub selection_draws: u64,
    /// Estimation draws at the first look; each next look doubles them.
    pub first_look: u64,
    /// Most estimation draws.
    pub estimation_draws: u64,
    /// Probability that a certificate is wrong.
    pub alpha: f64,
    /// Draws computed at once: costs memory, never changes the result.
    pub batch: usize,
}

impl Default for AdaptiveSmoothing {
    fn default() -> Self {
        Self {
            sigma: 0.25,
            radius: 0.25,
            selection_draws: 100,
            first_look: 1000,
            estimation_draws: 100_000,
            alpha: 0.001,
            batch: 1024,
        }
    }
}

impl AdaptiveSmoothing {
    fn protocol(&self) -> Protocol {
        Protocol {
            algorithm: ENTRY.name,
            selection_draws: self.selection_draws,
            estimation_draws: self.estimation_draws,
            alpha: self.alpha,
            batch: self.batch,
            bound_runner_up: false,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smoothing-adaptive",
    summary: "randomized smoothing that draws until one radius is decided",
    reference: "arXiv:2406.17830",
    norm: Norm::L2,
    defaults: || toml::Table::try_from(AdaptiveSmoothing::default()).unwrap_or_default(),
    parse: sampled::<AdaptiveSmoothing>,
};

impl Certifier for AdaptiveSmoothing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        ENTRY.norm
    }

    fn check(&self) -> Result<()> {
        let protocol = self.protocol();
        for (field, value) in [("sigma", self.sigma), ("radius", self.radius)] {
            protocol.expect(value.is_finite() && value > 0.0, field, "positive", value)?;
        }
        protocol.check()?;
        let first = 1 <= self.first_look && self.first_look <= self.estimation_draws;
        let expected = "at least 1, at most `estimation_draws`";
        protocol.expect(first, "first_look", expected, self.first_look)
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
        let class = most_frequent(&sampler.counts(0..self.selection_draws, Use::Noise)?);
        let looks = Looks::doubling(self.first_look, self.estimation_draws)?;
        let mut bound = SequentialBound::new(looks, self.alpha)?;
        let (mut done, mut wins, mut radius) = (0, 0, None);
        while let Some(draws) = bound.next_look() {
            wins += sampler.counts(done..draws, Use::Estimate)?[class];
            done = draws;
            radius = certified_radius(bound.observe(wins)?, self.sigma);
            let reached = radius >= Some(self.radius);
            if reached || certified_radius(bound.likely_below(), self.sigma) < Some(self.radius) {
                break;
            }
        }
        Ok(Certificate {
            prediction: radius.map(|_| class),
            radius: radius.unwrap_or(0.0),
            failure_probability: self.alpha,
            forwards: self.selection_draws + done,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoothing::fixtures::{Threshold, certify};

    /// `p_A = Φ(m/σ)` at distance `m`, so the exact radius is `m`.
    fn at(distance: f32, radius: f64) -> Certificate {
        let certifier = AdaptiveSmoothing {
            sigma: 0.25,
            radius,
            first_look: 500,
            estimation_draws: 32_000,
            ..Default::default()
        };
        certify(&certifier, &Threshold::at(0.5), 0.5 + distance, 3).unwrap()
    }

    #[test]
    fn a_clear_sample_takes_the_first_look_only() {
        let certificate = at(0.4, 0.2);
        assert_eq!((certificate.prediction, certificate.forwards), (Some(1), 600));
        assert!(certificate.radius >= 0.2 && certificate.radius < 0.4, "{certificate:?}");
        // Out of reach: as clear, and what is certified is still stated.
        let hopeless = at(0.1, 0.4);
        assert_eq!(hopeless.forwards, 600);
        assert!(hopeless.radius > 0.0 && hopeless.radius < 0.1, "{hopeless:?}");
    }

    #[test]
    fn a_close_sample_takes_more_looks() {
        let certificate = at(0.25, 0.24);
        assert!(certificate.forwards > 600, "{certificate:?}");
        assert!(certificate.radius < 0.25, "{certificate:?}");
    }

    #[test]
    fn a_first_look_past_the_last_draw_is_refused() {
        let table = toml::from_str("first_look = 11\nestimation_draws = 10").unwrap();
        let told = (ENTRY.parse)(table).unwrap().check().unwrap_err().to_string();
        assert!(told.contains("first_look") && told.contains("11"), "{told}");
    }
}
