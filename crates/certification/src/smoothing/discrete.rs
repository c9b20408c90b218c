//! Smoothing with discrete noise: features of a table take another of their levels.
//!
//! Lee, Yuan, Chang, Jaakkola. *Tight Certificates of Adversarial Robustness for Randomly Smoothed
//! Classifiers.* `NeurIPS` 2019, eq. (7) and §4.2. <https://arxiv.org/abs/1906.04948>
use burn::prelude::*;
use duress_core::{Classifier, Norm, Passes, Progress, Resampling, Result, Seed};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use super::sampling::Sampler;
use crate::table::{Certificate, Certifier, Entry, sampled};

/// The classifier `g(x) = argmax_c P(f(φ(x)) = c)`, where `φ` rounds each feature to the nearest of
/// its levels and replaces it, with probability `1 − keep`, by a uniform draw from the others.
///
/// The levels cut each feature's box into equal steps, both ends included: 2 for yes and no. A
/// certificate counts features: up to `radius` of them, that one included, may change at will, also
/// beyond the box or between levels. It holds for one sample with probability `1 − alpha` over its
/// draws. The base classifier has to be trained under this noise (`discrete-augmentation`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscreteSmoothing {
    /// Probability that a feature keeps its level (α in the paper), above `1 / levels`.
    pub keep: f64,
    /// Levels of a feature (K + 1 in the paper).
    pub levels: u32,
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

impl Default for DiscreteSmoothing {
    /// The paper's recipe for binarised MNIST: two levels, kept with probability 0.8.
    fn default() -> Self {
        Self {
            keep: 0.8,
            levels: 2,
            selection_draws: 100,
            estimation_draws: 100_000,
            alpha: 0.001,
            batch: 1024,
            bound_runner_up: false,
        }
    }
}

impl DiscreteSmoothing {
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

/// Below this a probability may have lost its digits to underflow.
const TINY: f64 = 1e-290;

/// Probabilities under `x` of the sets on which the draws from `x` are `(keep / other)^m` times as
/// likely as those from an `x'` that differs in some features, by `m`.
///
/// In one such feature a draw from `x` has the level of `x` with probability `keep`, that of `x'`
/// with `other`, and one of neither with what is left; all other features cancel. From `x'` the
/// set of `m` has the probability that the set of `−m` has from `x`.
struct Ratios {
    /// Probability of `m`, at `m + changed`.
    shares: Vec<f64>,
    /// Relative error of each, at most.
    slack: f64,
}

impl Ratios {
    fn none() -> Self {
        Self { shares: vec![1.0], slack: 8.0 * f64::EPSILON }
    }

    /// With one more feature changed.
    fn changed(self, keep: f64, levels: u32) -> Self {
        let other = (1.0 - keep) / f64::from(levels - 1);
        let neither = other * f64::from(levels - 2);
        let mut shares = vec![0.0; self.shares.len() + 2];
        for (at, share) in self.shares.iter().enumerate() {
            shares[at] += other * share;
            shares[at + 1] += neither * share;
            shares[at + 2] += keep * share;
        }
        // The draws' probabilities are multiples of 2⁻⁵³; `keep` is above 1 / levels.
        let slack = self.slack + 16.0 * f64::EPSILON * (1.0 / keep).max(1.0 / (1.0 - keep));
        Self { shares, slack }
    }

    fn least(&self, share: f64) -> f64 {
        (share * (1.0 - self.slack) - TINY).max(0.0)
    }

    fn most(&self, share: f64) -> f64 {
        share * (1.0 + self.slack) + TINY
    }

    /// The least probability under `x'` of a set whose probability under `x` is at least `top`,
    /// rounded down: the sets likeliest under `x`, compared with `x'`, are filled first (Neyman and
    /// Pearson).
    fn least_elsewhere(&self, top: f64) -> f64 {
        let (mut left, mut sum) = (top, 0.0);
        for (here, there) in self.shares.iter().rev().zip(&self.shares) {
            let (here, there) = (self.most(*here), self.least(*there));
            if left <= here {
                return (sum + left.max(0.0) / here * there).max(0.0) * (1.0 - self.slack);
            }
            left = (left - here).next_down();
            sum += there;
        }
        sum * (1.0 - self.slack)
    }

    /// The greatest probability under `x'` of a set whose probability under `x` is at most `other`,
    /// rounded up.
    fn most_elsewhere(&self, other: f64) -> f64 {
        let (mut left, mut sum) = (other, 0.0);
        for (here, there) in self.shares.iter().zip(self.shares.iter().rev()) {
            let (here, there) = (self.least(*here), self.most(*there));
            if left < here {
                return (sum + left / here * there) * (1.0 + self.slack);
            }
            left = (left - here).next_up();
            sum += there;
        }
        sum * (1.0 + self.slack)
    }
}

/// How many of `features` may change, if the top class has probability at least `top` and every
/// other at most `runner_up` when each feature keeps its level with probability `keep` and takes
/// each other of `levels` alike. `None` unless `top > runner_up`.
///
/// Lee, Yuan, Chang, Jaakkola, `NeurIPS` 2019, lemma 2 and §4.2, rounded to the safe side.
#[must_use]
pub fn discrete_radius(
    (top, runner_up): (f64, f64),
    features: usize,
    keep: f64,
    levels: u32,
) -> Option<usize> {
    let usable = levels >= 2 && keep < 1.0 && keep * f64::from(levels) > 1.0;
    if top.is_nan() || runner_up.is_nan() || top <= runner_up || !usable {
        return None;
    }
    let mut ratios = Ratios::none();
    for radius in 0..features {
        ratios = ratios.changed(keep, levels);
        if ratios.least_elsewhere(top) <= ratios.most_elsewhere(runner_up) {
            return Some(radius);
        }
    }
    Some(features)
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smoothing-discrete",
    summary: "randomized smoothing of tables: features take another of their levels",
    reference: "arXiv:1906.04948",
    norm: Norm::L0,
    defaults: || toml::Table::try_from(DiscreteSmoothing::default()).unwrap_or_default(),
    parse: sampled::<DiscreteSmoothing>,
};

impl Certifier for DiscreteSmoothing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        ENTRY.norm
    }

    fn check(&self) -> Result<()> {
        let protocol = self.protocol();
        let levels = (2..=65_536).contains(&self.levels);
        protocol.expect(levels, "levels", "between 2 and 65536", self.levels)?;
        let likelier = self.keep < 1.0 && self.keep * f64::from(self.levels) > 1.0;
        protocol.expect(
            likelier,
            "keep",
            "between 1 / levels and 1, neither included",
            self.keep,
        )?;
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
        self.check()?;
        let (domain, &Self { keep, levels, .. }) = (model.domain(), self);
        let noise = Resampling { keep, levels };
        let disturb = |rng: &mut ChaCha8Rng, values: &mut [f32]| {
            let mut shifts = vec![0.0; values.len()];
            noise.shifts(rng, &mut shifts);
            for (feature, (value, shift)) in values.iter_mut().zip(shifts).enumerate() {
                let bounds = [domain.lower().at(feature), domain.upper().at(feature)];
                *value = noise.shifted(*value, shift, bounds);
            }
        };
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        self.protocol().certify(&sampler, &|top, other| {
            discrete_radius((top, other), domain.features(), keep, levels)
                .map(|radius| radius as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Silent};

    /// Every outcome of three features of three levels, with its probability from `x = 000` and from
    /// an `x'` that differs in `changed` of them; sorted by the quotient and filled up to `top`.
    fn enumerated(top: f64, changed: usize, keep: f64) -> f64 {
        let chance = |level: usize, center: usize| {
            if level == center { keep } else { 0.5 * (1.0 - keep) }
        };
        let mut outcomes: Vec<[f64; 2]> = (0..27)
            .map(|outcome| {
                let levels = [outcome / 9, outcome / 3 % 3, outcome % 3];
                let product = |centers: [usize; 3]| {
                    levels
                        .iter()
                        .zip(centers)
                        .map(|(&level, center)| chance(level, center))
                        .product()
                };
                [product([0; 3]), product([0, 1, 2].map(|at| usize::from(at < changed)))]
            })
            .collect();
        outcomes.sort_by(|a, b| (b[0] / b[1]).total_cmp(&(a[0] / a[1])));
        let (mut left, mut sum) = (top, 0.0);
        for [here, there] in outcomes {
            let share = (left / here).clamp(0.0, 1.0);
            sum += share * there;
            left -= share * here;
        }
        sum
    }

    #[test]
    fn the_worst_case_is_that_of_all_outcomes_enumerated() {
        for keep in [0.4, 0.6, 0.95] {
            let mut ratios = Ratios::none();
            for changed in 1..=3 {
                ratios = ratios.changed(keep, 3);
                // What rounding grants a set from x counts that much more from x'.
                let slack = 1e-12 * (2.0 * keep / (1.0 - keep)).powi(changed as i32);
                for top in [0.0, 0.1, 0.5, 0.77, 0.99, 1.0] {
                    let exact = enumerated(top, changed, keep);
                    let least = ratios.least_elsewhere(top);
                    assert!(
                        least <= exact + 1e-3 * slack && exact - least < slack,
                        "{exact} {least}"
                    );
                    // The rest of a set: what a set of probability 1 − top has at most.
                    let most = ratios.most_elsewhere(1.0 - top);
                    assert!(most >= 1.0 - exact - 1e-3 * slack, "{exact} {most}");
                    assert!(most - (1.0 - exact) < slack, "{exact} {most}");
                }
            }
        }
    }

    /// One feature of two levels moves a probability from `p` to at least `p (1 − keep) / keep`
    /// while `p ≤ keep`: 0.8 becomes 0.2, and 0.9 becomes 0.2 + 0.1 · 4 = 0.6.
    #[test]
    fn one_changed_feature_in_closed_form() {
        let ratios = Ratios::none().changed(0.8, 2);
        assert!((ratios.least_elsewhere(0.8) - 0.2).abs() < 1e-12);
        assert!((ratios.least_elsewhere(0.9) - 0.6).abs() < 1e-12);
        assert_eq!(discrete_radius((0.9, 0.1), 1, 0.8, 2), Some(1));
        assert_eq!(discrete_radius((0.87, 0.13), 4, 0.8, 2), Some(0));
        assert_eq!(discrete_radius((0.5, 0.5), 4, 0.8, 2), None);
        assert_eq!(discrete_radius((f64::NAN, 0.1), 4, 0.8, 2), None);
        assert_eq!(discrete_radius((0.9, 0.1), 4, 0.5, 2), None);
    }

    /// Long rows underflow; bounds stay on the safe side and in range.
    #[test]
    fn hundreds_of_changes_stay_in_range() {
        let mut ratios = Ratios::none();
        for _ in 0..800 {
            ratios = ratios.changed(0.9, 256);
        }
        let least = ratios.least_elsewhere(0.999);
        assert!((0.0..1e-9).contains(&least), "{least}");
        assert!(ratios.most_elsewhere(0.001) >= 0.999);
        assert!(discrete_radius((0.999_9, 0.000_1), 800, 0.9, 256).unwrap() < 10);
    }

    /// Class 1 where at least five of nine features are on.
    struct Majority(Domain);

    impl Classifier for Majority {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let margin = rows.sum_dim(1) - 4.5;
            Tensor::cat(vec![margin.clone() * 0.0, margin], 1)
        }
    }

    /// `P(at least five of nine on)`, with `on` features on before the noise.
    fn majority(on: usize, keep: f64) -> f64 {
        let mut shares = vec![1.0];
        for feature in 0..9 {
            let up = if feature < on { keep } else { 1.0 - keep };
            let mut next = vec![0.0; shares.len() + 1];
            for (count, share) in shares.iter().enumerate() {
                next[count] += share * (1.0 - up);
                next[count + 1] += share * up;
            }
            shares = next;
        }
        shares[5..].iter().sum()
    }

    /// The likelihood ratio is the vote itself, so the certificate is tight: four features may change,
    /// with the fifth the smoothed vote is lost.
    #[test]
    fn a_majority_is_certified_as_far_as_it_holds() {
        let held = (0..=9).take_while(|&changed| majority(9 - changed, 0.8) > 0.5).count() - 1;
        assert_eq!(held, 4);
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Majority(Domain::table(vec![0.0; 9], vec![1.0; 9]).unwrap());
        let row = Tensor::<2>::full([1, 9], 0.9, &device);
        let certifier = DiscreteSmoothing { estimation_draws: 20_000, ..Default::default() };
        let certificate = certifier.certify(&model, &passes, row, (Seed(1), 0), &Silent).unwrap();
        assert_eq!(certificate.prediction, Some(1));
        let exact = discrete_radius((majority(9, 0.8), 1.0 - majority(9, 0.8)), 9, 0.8, 2).unwrap();
        assert!(certificate.radius as usize <= exact && exact <= held, "{certificate:?} {exact}");
        assert!(certificate.radius > 0.5, "{certificate:?}");
    }
}
