//! Randomized ablation: the classifier sees a few features, so that few changes are seen.
//!
//! Levine, Feizi. *Robustness Certificates for Sparse Adversarial Attacks by Randomized Ablation.*
//! AAAI 2020, theorem 1. <https://arxiv.org/abs/1911.09272>
use burn::prelude::*;
use duress_core::{Ablating, Classifier, Error, Norm, Passes, Progress, Result, Seed};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use super::sampling::Sampler;
use crate::table::{Certificate, Certifier, Entry, sampled};

/// The classifier `g(x) = argmax_c P(f(x kept on S) = c)`, `S` a uniform set of `keep` positions.
///
/// A position is a pixel with all its channels, an instant of a waveform, or a column of a table.
/// Positions outside `S` are overwritten with `fill`. The paper gives the base classifier twice the
/// channels, so that it can tell what is ablated from what has the value of the fill; its theorem
/// holds for any encoding, this one included, and the base classifier has to be trained on it.
///
/// A certificate counts positions: up to `radius` of them, that one included, may change at will,
/// also beyond the box. As many changed features are in no more positions. It holds for one sample
/// with probability `1 − alpha` over its draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ablation {
    /// Positions that are kept (k in the paper).
    pub keep: usize,
    /// What stands in the others, in units of the raw input.
    pub fill: f64,
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

impl Default for Ablation {
    /// The paper's constants for MNIST: 45 of 784 pixels, n₀ = 1000, n = 10,000, α = 0.05.
    fn default() -> Self {
        Self {
            keep: 45,
            fill: 0.0,
            selection_draws: 1000,
            estimation_draws: 10_000,
            alpha: 0.05,
            batch: 1024,
            bound_runner_up: false,
        }
    }
}

impl Ablation {
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

    fn ablate(&self, planes: usize, rng: &mut ChaCha8Rng, values: &mut [f32]) {
        let mut mask = vec![0.0; values.len()];
        Ablating { keep: self.keep, planes }.mask(rng, &mut mask);
        for (value, kept) in values.iter_mut().zip(mask) {
            if kept < 0.5 {
                *value = self.fill as f32;
            }
        }
    }
}

/// How many of `positions` may change, if of each `keep` that are drawn the top class has
/// probability at least `top` and every other at most `runner_up`. `None` unless
/// `top > runner_up`.
///
/// A draw misses `ρ` changed positions with probability `C(d − ρ, k) / C(d, k)`, so that each
/// probability moves by at most `Δ = 1 − C(d − ρ, k) / C(d, k)`: the class stays while
/// `top − runner_up > 2Δ`. The quotient is a product of `ρ` factors `(d − k − i)/(d − i)`, which is
/// taken rounded down; no binomial coefficient is formed. Levine, Feizi, AAAI 2020, theorem 1.
#[must_use]
pub fn ablation_radius(top: f64, runner_up: f64, positions: usize, keep: usize) -> Option<usize> {
    let gap = (top - runner_up).next_down();
    if gap.is_nan() || gap <= 0.0 || keep == 0 || keep > positions {
        return None;
    }
    let (mut missed, mut radius) = (1.0_f64, 0);
    while radius < positions - keep {
        let next = (positions - keep - radius) as f64 / (positions - radius) as f64;
        missed *= next * (1.0 - 2.0 * f64::EPSILON);
        if gap <= (2.0 * (1.0 - missed)).next_up() {
            break;
        }
        radius += 1;
    }
    Some(radius)
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ablation",
    summary: "randomized ablation: a vote over a few kept pixels or columns",
    reference: "arXiv:1911.09272",
    norm: Norm::L0,
    defaults: || toml::Table::try_from(Ablation::default()).unwrap_or_default(),
    parse: sampled::<Ablation>,
};

impl Certifier for Ablation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        ENTRY.norm
    }

    fn check(&self) -> Result<()> {
        let protocol = self.protocol();
        protocol.expect(self.keep >= 1, "keep", "at least 1", self.keep)?;
        let finite = (self.fill as f32).is_finite();
        protocol.expect(finite, "fill", "a finite number", self.fill)?;
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
        let planes = Ablating::planes(model.domain());
        let positions = model.domain().features() / planes;
        if self.keep > positions {
            return Err(Error::Parameter {
                algorithm: ENTRY.name,
                field: "keep",
                expected: "at most the positions of the input",
                got: format!("{} of {positions}", self.keep),
            });
        }
        let disturb = |rng: &mut ChaCha8Rng, values: &mut [f32]| self.ablate(planes, rng, values);
        let models = (model, passes);
        let sampler = Sampler::new(models, row, sample, self.batch, progress, &disturb)?;
        self.protocol().certify(&sampler, &|top, other| {
            ablation_radius(top, other, positions, self.keep).map(|radius| radius as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Silent, Use};

    fn choose(n: u128, k: u128) -> u128 {
        (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
    }

    /// In whole numbers: `a/b − (b − a)/b > 2 (1 − C(d−ρ, k)/C(d, k))`, both sides times `b C(d, k)`.
    #[test]
    fn the_radius_is_that_of_exact_binomial_coefficients() {
        let mut certified = 0;
        for (positions, keep) in [(10_u128, 2), (30, 5), (64, 12), (64, 1), (20, 20)] {
            let all = choose(positions, keep);
            for hundredths in 51..=100_u128 {
                let holds = |changed: u128| {
                    let missed = if positions - changed < keep {
                        0
                    } else {
                        choose(positions - changed, keep)
                    };
                    (2 * hundredths - 100) * all > 200 * (all - missed)
                };
                let exact = (0..=positions).take_while(|&changed| holds(changed)).last();
                let top = hundredths as f64 / 100.0;
                let radius = ablation_radius(top, 1.0 - top, positions as usize, keep as usize);
                let (radius, exact) = (radius.unwrap() as u128, exact.unwrap());
                // Never more; less only where the inequality is an equality but for rounding.
                assert!(radius <= exact, "{positions} {keep} {top}: {radius} {exact}");
                let tight = (0..=exact).all(|changed| {
                    let missed = choose(positions - changed, keep);
                    let left = (2 * hundredths - 100) as f64 * all as f64;
                    left > 200.0 * (all - missed) as f64 * (1.0 + 1e-12)
                });
                assert!(!tight || radius == exact, "{positions} {keep} {top}: {radius} {exact}");
                certified = certified.max(radius);
            }
        }
        assert!(certified > 10);
    }

    #[test]
    fn without_a_gap_nothing_is_certified() {
        assert_eq!(ablation_radius(0.5, 0.5, 10, 2), None);
        assert_eq!(ablation_radius(f64::NAN, 0.1, 10, 2), None);
        assert_eq!(ablation_radius(0.9, 0.1, 10, 11), None);
        assert_eq!(ablation_radius(0.9, 0.1, 10, 10), Some(0));
    }

    #[test]
    fn what_is_not_kept_is_filled() {
        let ablation = Ablation { keep: 4, fill: -1.0, ..Default::default() };
        let mut values: Vec<f32> = (0..27).map(|value| value as f32).collect();
        ablation.ablate(3, &mut Seed(1).stream(0, 0, 0, Use::Noise), &mut values);
        let kept = values.iter().enumerate().filter(|&(_, &value)| value >= 0.0);
        let kept: Vec<usize> = kept
            .inspect(|&(at, &value)| assert_eq!(value as usize, at))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(kept.len(), 12);
    }

    /// Class 1 while no kept pixel is dark: an ablated dark pixel is never seen.
    struct Dark(Domain);

    impl Classifier for Dark {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let lightest = rows.min_dim(1) - 0.5;
            Tensor::cat(vec![lightest.clone() * 0.0, lightest], 1)
        }
    }

    /// With `D` dark pixels of 36 the probability of class 1 at `keep = 1` is `1 − D/36`; the class
    /// changes where half of all are dark: after `18 − D` more.
    #[test]
    fn an_attack_beyond_the_radius_succeeds_and_none_within() {
        let certifier = Ablation { keep: 1, fill: 1.0, ..Default::default() };
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Dark(Domain::image(1, 6, 6).unwrap());
        let mut values = vec![1.0_f32; 36];
        values[..6].fill(0.0);
        let row = Tensor::<2>::from_data(TensorData::new(values, [1, 36]), &device);
        let certificate = certifier.certify(&model, &passes, row, (Seed(2), 0), &Silent).unwrap();
        assert_eq!(certificate.prediction, Some(1));
        // p_A ≥ 0.82 for 0.8333: 11 of at most 12 − 1.
        assert!((certificate.radius - 11.0).abs() < f64::EPSILON, "{certificate:?}");
        let wide = Ablation { keep: 37, ..certifier };
        let row = Tensor::<2>::ones([1, 36], &device);
        let told = wide.certify(&model, &passes, row, (Seed(2), 0), &Silent).unwrap_err();
        assert!(told.to_string().contains("37 of 36"), "{told}");
    }
}
