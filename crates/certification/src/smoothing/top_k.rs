//! Gaussian smoothing for top-k predictions: a class stays among the k most likely.
//!
//! Jia, Cao, Wang, Gong. *Certified Robustness for Top-k Predictions against Adversarial
//! Perturbations via Randomized Smoothing.* ICLR 2020, theorem 1 and the simultaneous bounds of
//! §3.2. <https://arxiv.org/abs/1912.09899>
use burn::prelude::*;
use duress_core::{Classifier, Error, Norm, Passes, Progress, Result, Seed, Use};
use serde::{Deserialize, Serialize};

use super::bound::{ERFC_ERROR, upper_quantile, upper_tail};
use super::gaussian::add_gaussian;
use super::protocol::Protocol;
use super::sampling::{Sampler, most_frequent};
use super::{probability_lower_bound, probability_upper_bound};
use crate::table::{Certificate, Certifier, Entry, sampled};

/// Certifies that a class stays among the `top` most likely ones of the smoothed classifier.
///
/// In the table of certifiers the class is the smoothed classifier's own prediction; with a label at
/// hand use [`TopKSmoothing::certify_label`]. The bounds of all classes hold together with
/// probability `1 − alpha` (a union bound over the classes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopKSmoothing {
    /// How many classes count as a right answer (k).
    pub top: usize,
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Draws that select the class.
    pub selection_draws: u64,
    /// Draws, apart from those, that bound the probabilities.
    pub estimation_draws: u64,
    /// Probability that a certificate is wrong.
    pub alpha: f64,
    /// Draws computed at once: costs memory, never changes the result.
    pub batch: usize,
}

impl Default for TopKSmoothing {
    fn default() -> Self {
        Self {
            top: 3,
            sigma: 0.25,
            selection_draws: 100,
            estimation_draws: 100_000,
            alpha: 0.001,
            batch: 1024,
        }
    }
}

impl TopKSmoothing {
    /// The L2 radius within which `label` stays among the `top` most likely classes; the prediction
    /// is the label, or `None` where nothing is certified. No selection draws are needed.
    ///
    /// # Errors
    /// As [`Certifier::certify`], and [`Error::Label`] for a label that is no class.
    pub fn certify_label(
        &self,
        (model, passes): (&dyn Classifier, &Passes),
        row: Tensor<2>,
        label: usize,
        sample: (Seed, u64),
        progress: &dyn Progress,
    ) -> Result<Certificate> {
        self.check_for(model)?;
        if label >= model.classes() {
            return Err(Error::Label { row: 0, label, classes: model.classes() });
        }
        let disturb = add_gaussian(self.sigma);
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        self.estimate(&sampler, label)
    }

    fn estimate(&self, sampler: &Sampler<'_>, label: usize) -> Result<Certificate> {
        let counts = sampler.counts(0..self.estimation_draws, Use::Estimate)?;
        let (draws, alpha) = (self.estimation_draws, self.alpha / counts.len() as f64);
        let lower = probability_lower_bound(counts[label], draws, alpha)?;
        let others = counts.iter().enumerate().filter(|&(class, _)| class != label);
        let mut upper = others
            .map(|(_, &count)| probability_upper_bound(count, draws, alpha))
            .collect::<Result<Vec<f64>>>()?;
        let radius = top_k_radius(lower, &mut upper, self.top, self.sigma);
        Ok(Certificate {
            prediction: radius.map(|_| label),
            radius: radius.unwrap_or(0.0),
            failure_probability: self.alpha,
            forwards: draws,
        })
    }

    fn check_for(&self, model: &dyn Classifier) -> Result<()> {
        self.check()?;
        let fewer = self.top < model.classes();
        self.protocol().expect(fewer, "top", "less than the number of classes", self.top)
    }

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

/// The L2 radius within which a class stays among the `top` most likely under Gaussian noise of
/// standard deviation `sigma`, if its probability is at least `lower` and the others' are at most
/// `upper` (sorted here). Rounded down; `None` where the class may not be among them.
///
/// If `k` classes beat the class, so do the `t` of them with the smallest bounds, for each `t`; the
/// least of these has at most a `t`-th of what they have together. Jia et al., ICLR 2020, theorem 1.
#[must_use]
pub fn top_k_radius(lower: f64, upper: &mut [f64], top: usize, sigma: f64) -> Option<f64> {
    let bounded = upper.iter().all(|bound| !bound.is_nan());
    if !bounded || lower.is_nan() || lower <= 0.0 || top == 0 || top > upper.len() {
        return None;
    }
    upper.sort_by(|a, b| b.total_cmp(a));
    // The t smallest of the k largest, together no more than what the class leaves.
    let mut sum = 0.0;
    let mut rivals = Vec::with_capacity(top);
    for (index, bound) in upper[..top].iter().rev().enumerate() {
        sum = (sum + bound) * (1.0 + 2.0 * f64::EPSILON);
        let mass = sum.min(1.0 - lower);
        rivals.push(((index + 1) as f64, upper_quantile(mass)));
    }
    let own = upper_quantile(1.0 - lower);
    // Φ(Φ⁻¹(lower) − r) > min over t of Φ(Φ⁻¹(sum) + r) / t, both to the safe side.
    let holds = |shift: f64| {
        let rival = rivals.iter().map(|(count, z)| upper_tail(z - shift) / count);
        let rival = rival.fold(f64::INFINITY, f64::min) * (1.0 + ERFC_ERROR);
        upper_tail(shift - own) * (1.0 - ERFC_ERROR) > rival
    };
    if !holds(0.0) {
        return None;
    }
    let (mut below, mut above) = (0.0, 80.0);
    loop {
        let middle = 0.5 * (below + above);
        if middle <= below || middle >= above {
            break;
        }
        if holds(middle) {
            below = middle;
        } else {
            above = middle;
        }
    }
    let radius = (sigma * below).next_down();
    (radius > 0.0).then_some(radius)
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smoothing-top-k",
    summary: "Gaussian smoothing: the prediction stays among the k most likely",
    reference: "arXiv:1912.09899",
    norm: Norm::L2,
    defaults: || toml::Table::try_from(TopKSmoothing::default()).unwrap_or_default(),
    parse: sampled::<TopKSmoothing>,
};

impl Certifier for TopKSmoothing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        ENTRY.norm
    }

    fn check(&self) -> Result<()> {
        let protocol = self.protocol();
        let positive = self.sigma.is_finite() && self.sigma > 0.0;
        protocol.expect(positive, "sigma", "positive", self.sigma)?;
        protocol.expect(self.top >= 1, "top", "at least 1", self.top)?;
        protocol.check()
    }

    fn certify(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        row: Tensor<2>,
        sample: (Seed, u64),
        progress: &dyn Progress,
    ) -> Result<Certificate> {
        self.check_for(model)?;
        let disturb = add_gaussian(self.sigma);
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        let class = most_frequent(&sampler.counts(0..self.selection_draws, Use::Noise)?);
        let certificate = self.estimate(&sampler, class)?;
        let forwards = certificate.forwards + self.selection_draws;
        Ok(Certificate { forwards, ..certificate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoothing::fixtures::{Threshold, certify};
    use crate::smoothing::gaussian_radius;

    /// `k = 1` is theorem 1 of Cohen et al.
    #[test]
    fn among_the_top_one_is_the_usual_certificate() {
        for (lower, other) in [(0.8, 0.1), (0.4, 0.3), (0.95, 0.05)] {
            let expected = gaussian_radius(lower, other, 0.5).unwrap();
            let radius = top_k_radius(lower, &mut [0.01, other], 1, 0.5).unwrap();
            assert!((radius - expected).abs() < 1e-6, "{radius} {expected}");
        }
    }

    /// Own probability Φ(−1); the two rivals at Φ(−1) and Φ(−2) each. With `t = 1` the radius is
    /// half of the difference of the quantiles, `t = 2` can only give more.
    #[test]
    fn the_kth_rival_decides_and_two_rivals_share_their_mass() {
        let (one, two) = (0.158_655_253_931_457_05, 0.022_750_131_948_179_2);
        let radius = top_k_radius(one, &mut [two, one, 0.001], 2, 1.0).unwrap();
        assert!((0.5 - 1e-6..0.5 + 0.2).contains(&radius), "{radius}");
        // Two rivals with equal bounds: Φ(z − r) = Φ(Φ⁻¹(2p) + r)/2 beats the single rival.
        let shared = top_k_radius(0.5, &mut [0.25, 0.25], 2, 1.0).unwrap();
        let single = gaussian_radius(0.5, 0.25, 1.0).unwrap();
        assert!(shared > single + 0.01, "{shared} {single}");
        let z = |p: f64| -upper_quantile(p);
        let own = upper_tail(shared);
        let rival = 0.5 * upper_tail(-(z(0.5) + shared));
        assert!((own - rival).abs() < 1e-6, "{own} {rival}");
    }

    #[test]
    fn a_class_that_may_be_beaten_k_times_is_not_certified() {
        assert_eq!(top_k_radius(0.2, &mut [0.3, 0.25, 0.1], 2, 1.0), None);
        assert!(top_k_radius(0.2, &mut [0.3, 0.25, 0.1], 3, 1.0).is_some());
        assert_eq!(top_k_radius(0.2, &mut [f64::NAN, 0.1], 1, 1.0), None);
        assert_eq!(top_k_radius(0.2, &mut [0.1], 2, 1.0), None);
    }

    #[test]
    fn the_distance_of_a_threshold_bounds_the_radius_of_the_top_one() {
        let certifier =
            TopKSmoothing { top: 1, estimation_draws: 10_000, ..TopKSmoothing::default() };
        let certificate = certify(&certifier, &Threshold::at(0.5), 0.8, 1).unwrap();
        assert_eq!((certificate.prediction, certificate.forwards), (Some(1), 10_100));
        assert!(certificate.radius < 0.3 && certificate.radius > 0.25, "{certificate:?}");
        let all = TopKSmoothing { top: 2, ..certifier };
        let told = certify(&all, &Threshold::at(0.5), 0.8, 1).unwrap_err().to_string();
        assert!(told.contains("`top` must be less than the number of classes"), "{told}");
    }
}
