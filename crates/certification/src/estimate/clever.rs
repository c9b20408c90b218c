//! CLEVER: how far away another class is, by the largest of sampled gradients.
//!
//! Weng, Zhang, Chen, Yi, Su, Gao, Hsieh, Daniel. *Evaluating the Robustness of Neural Networks: An
//! Extreme Value Theory Approach.* ICLR 2018, alg. 1 and 2. <https://arxiv.org/abs/1801.10578>
use burn::prelude::*;
use duress_core::classifier::predictions;
use duress_core::{
    Aim, Classifier, Error, Goal, Loss, Norm, Passes, Progress, Region, Result, Seed, Threat, Use,
    host,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::weibull::reverse_weibull_location;

/// Estimates the distance of the nearest other class; it is no certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clever {
    /// Norm of distances: L1, L2 or Linf.
    pub norm: Norm,
    /// Radius of the ball that gradients are sampled in, and the largest estimate.
    pub radius: f64,
    /// Batches, of each of which the largest gradient counts, at least 2.
    pub batches: u32,
    /// Points of a batch, drawn from the part of the ball in the domain.
    pub samples: usize,
}

impl Default for Clever {
    /// The paper's: 500 batches of 1024 points, radius 5 in L2.
    fn default() -> Self {
        Self { norm: Norm::L2, radius: 5.0, batches: 500, samples: 1024 }
    }
}

/// What CLEVER says of one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CleverEstimate {
    /// The class that the model predicts.
    pub prediction: usize,
    /// The estimate: the least of `targets`, at most the sampled radius.
    pub distance: f64,
    /// For each other class the estimated distance, at most the sampled radius; `None` at the
    /// prediction.
    pub targets: Vec<Option<f64>>,
    /// Input gradients that were computed.
    pub gradients: u64,
}

/// `z[own] − z[other]`.
#[derive(Debug)]
struct Gap {
    own: usize,
    other: usize,
}

impl Loss for Gap {
    fn name(&self) -> &'static str {
        "gap"
    }

    fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
        let own = logits.clone().narrow(1, self.own, 1);
        (own - logits.narrow(1, self.other, 1)).squeeze_dim(1)
    }
}

const NAME: &str = "clever";

impl Clever {
    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::UnsupportedNorm`].
    pub fn check(&self) -> Result<()> {
        if self.norm.dual().is_none() {
            let supported = "l1, l2, linf".into();
            return Err(Error::UnsupportedNorm { algorithm: NAME, norm: self.norm, supported });
        }
        let fault = |field, expected, got: String| {
            Err(Error::Parameter { algorithm: NAME, field, expected, got })
        };
        if !(self.radius.is_finite() && self.radius > 0.0) {
            return fault("radius", "finite and positive", self.radius.to_string());
        }
        if self.batches < 2 {
            return fault("batches", "at least 2", self.batches.to_string());
        }
        if self.samples == 0 {
            return fault("samples", "at least 1", self.samples.to_string());
        }
        Ok(())
    }

    /// The estimate at one row `[1, F]` of the sample `id`.
    ///
    /// # Errors
    /// Wrong hyperparameters, a failing model, gradients that are not finite,
    /// [`Error::Cancelled`].
    pub fn estimate(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        row: Tensor<2>,
        (seed, id): (Seed, u64),
        progress: &dyn Progress,
    ) -> Result<CleverEstimate> {
        self.check()?;
        let logits = passes.logits(model, row.clone())?;
        let prediction = predictions(logits.clone())?.first().map_or(0, |(class, _)| *class);
        let logits = host::floats(logits)?;
        let threat = Threat::new(self.norm, self.radius)?;
        let center = row.repeat_dim(0, self.samples);
        let region = Region::new(center, &threat, model.domain())?;
        let points: Vec<u64> = (0..self.samples as u64).collect();
        let own = Seed(seed.stream(id, 0, 0, Use::Start).next_u64());
        let aim = Goal::Untargeted(vec![prediction; self.samples]).aim(passes.device());
        let mut largest = vec![Vec::new(); logits.len()];
        for batch in 0..self.batches {
            let rows = region.sample(own, &points, batch, 0);
            for (other, largest) in largest.iter_mut().enumerate() {
                if other == prediction {
                    continue;
                }
                if progress.cancelled() {
                    return Err(Error::Cancelled);
                }
                let gap = Gap { own: prediction, other };
                let slopes = passes.gradient(model, rows.clone(), &aim, &gap)?.gradient;
                let dual = self.norm.dual().unwrap_or(self.norm);
                let lengths = host::floats(dual.of(slopes))?;
                if lengths.iter().any(|length| !length.is_finite()) {
                    return Err(Error::GradientNotFinite { sample: id });
                }
                largest.push(f64::from(lengths.into_iter().fold(0.0, f32::max)));
            }
        }
        let target = |(other, largest): (usize, &Vec<f64>)| {
            let slope = reverse_weibull_location(largest)?;
            let gap = f64::from(logits[prediction]) - f64::from(logits[other]);
            // Without a slope nothing is near; 0/0 is a tie.
            let distance = if gap > 0.0 { gap / slope } else { 0.0 };
            Some(distance.min(self.radius))
        };
        let targets: Vec<Option<f64>> = largest.iter().enumerate().map(target).collect();
        let distance = targets.iter().flatten().copied().fold(self.radius, f64::min);
        let others = logits.len().saturating_sub(1) as u64;
        let gradients = others * u64::from(self.batches) * self.samples as u64;
        Ok(CleverEstimate { prediction, distance, targets, gradients })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Silent};

    /// Logits `(3 x₀ + 4 x₁, 1, x₀ − 1)`.
    struct Linear(Domain);

    impl Classifier for Linear {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            3
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let (a, b) = (rows.clone().narrow(1, 0, 1), rows.narrow(1, 1, 1));
            let one = a.clone() * 0.0 + 1.0;
            Tensor::cat(vec![a.clone() * 3.0 + b * 4.0, one, a - 1.0], 1)
        }
    }

    fn estimate(clever: &Clever) -> Result<CleverEstimate> {
        let model = Linear(Domain::table(vec![-9.0; 2], vec![9.0; 2]).unwrap());
        let passes = Passes::with_batch(&Device::flex(), 64);
        let row = Tensor::<2>::from_data([[1.0, 0.5]], &Device::flex());
        clever.estimate(&model, &passes, row, (Seed(1), 7), &Silent)
    }

    /// The margins are 4 with slope (3, 4) and 5 with slope (2, 4).
    #[test]
    fn on_a_linear_model_it_is_the_distance() {
        for (norm, first, second) in [
            (Norm::L2, 4.0 / 5.0, 5.0 / 20.0_f64.sqrt()),
            (Norm::Linf, 4.0 / 7.0, 5.0 / 6.0),
            (Norm::L1, 1.0, 1.25),
        ] {
            let got = estimate(&Clever { norm, radius: 2.0, batches: 3, samples: 5 }).unwrap();
            assert_eq!((got.prediction, got.gradients, got.targets[0]), (0, 30, None));
            for (got, expected) in got.targets[1..].iter().zip([first, second]) {
                assert!((got.unwrap() - expected).abs() < 1e-6, "{norm}: {got:?} {expected}");
            }
            assert!((got.distance - first).abs() < 1e-6);
        }
    }

    #[test]
    fn it_says_no_more_than_the_radius_it_looked_in() {
        let got = estimate(&Clever { radius: 0.25, batches: 2, samples: 3, ..Clever::default() });
        assert_eq!(got.unwrap().distance.to_bits(), 0.25_f64.to_bits());
    }

    #[test]
    fn wrong_hyperparameters_are_named() {
        let small = Clever { batches: 2, samples: 2, ..Clever::default() };
        for (clever, expected) in [
            (Clever { norm: Norm::L0, ..small.clone() }, "does not support the l0 norm"),
            (Clever { radius: f64::NAN, ..small.clone() }, "`radius`"),
            (Clever { batches: 1, ..small.clone() }, "`batches`"),
            (Clever { samples: 0, ..small }, "`samples`"),
        ] {
            let error = estimate(&clever).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
