//! The odds are odd: noise drives the logits of an adversarial input back to its true class.
//!
//! Roth, Kilcher, Hofmann. *The Odds are Odd: A Statistical Test for Detecting Adversarial
//! Examples.* ICML 2019, §3.2, eq. (6) to (9). <https://arxiv.org/abs/1902.04818>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Use, host};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::detector::table;
use super::entry::parse;
use super::layers::over;
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::table::defaults;

/// `max_{z≠y} (ḡ_{y,z} − μ_{y,z}) / σ_{y,z}`, where `y` is the predicted class and `ḡ_{y,z}` how
/// far noise moves the logit of `z` against that of `y` in the mean over draws; `μ` and `σ` are
/// those of the clean rows that are predicted as `y`.
///
/// The draws are made once and serve every row. The paper also varies the kind and the size of the
/// noise and combines them by a vote; this is one size of Gaussian noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseOdds {
    /// Standard deviation of the noise, as a share of each feature's box.
    pub deviation: f64,
    /// Draws, each a pass of the classifier.
    pub draws: u32,
}

impl Default for NoiseOdds {
    /// The authors' 256 draws, at the largest of their sizes for CIFAR-10.
    fn default() -> Self {
        Self { deviation: 0.03, draws: 256 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "noise-odds",
    summary: "the odds are odd: how noise moves the logits of the other classes",
    reference: "arXiv:1902.04818",
    slope: "exact where the prediction stays the same",
    supervised: false,
    defaults: defaults::<NoiseOdds>,
    parse: parse::<NoiseOdds>,
};

/// Clean rows of a class from which on its own mean and deviation are used; a class with fewer
/// takes those of all rows.
const ENOUGH: usize = 5;

impl DetectionMethod for NoiseOdds {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.positive("deviation", self.deviation)?;
        ENTRY.at_least("draws", 1, "at least 1", self.draws as usize)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 2)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let domain = model.domain();
        let (features, classes) = (domain.features(), model.classes());
        let draw = |draw: u32| {
            let mut rng = evidence.seed.stream(0, 0, draw, Use::Noise);
            let value = |feature: usize| {
                let span = domain.upper().at(feature) - domain.lower().at(feature);
                let normal: f32 = rng.sample(StandardNormal);
                normal * span * self.deviation as f32
            };
            table((0..features).map(value).collect(), features, passes.device())
        };
        let shift = Shift { model: Arc::clone(model), noise: (0..self.draws).map(draw).collect() };
        let all = over(passes, &evidence.clean, 2 * classes, |rows| {
            let (shift, logits) = shift.of(rows);
            Tensor::cat(vec![shift, logits], 1)
        })?;
        let (mean, deviation) = pairs(&host::floats(all)?, classes);
        let device = passes.device();
        let (mean, deviation) = (table(mean, classes, device), table(deviation, classes, device));
        Ok(Box::new(Odds { shift, mean, deviation }))
    }
}

/// The mean and deviation of `u_z − u_y` for each predicted class `y` and other class `z`,
/// `[K, K]`, from rows of shifts `u` and logits.
fn pairs(rows: &[f32], classes: usize) -> (Vec<f32>, Vec<f32>) {
    // First and second moments by pair, and over all rows.
    let mut sums = vec![[0.0_f64; 3]; classes * classes];
    let mut total = [0.0_f64; 3];
    for row in rows.chunks_exact(2 * classes) {
        let (shift, logits) = row.split_at(classes);
        let own = duress_core::arg_max(logits);
        for other in (0..classes).filter(|&other| other != own) {
            let value = f64::from(shift[other]) - f64::from(shift[own]);
            for sum in [&mut sums[own * classes + other], &mut total] {
                *sum = [sum[0] + 1.0, sum[1] + value, sum[2] + value * value];
            }
        }
    }
    let moments = |[count, sum, squares]: [f64; 3]| {
        let mean = sum / count.max(1.0);
        (mean, (squares / count.max(1.0) - mean * mean).max(0.0).sqrt())
    };
    let pooled = moments(total);
    // Noise that moves nothing at all has no unit.
    let least = (1e-3 * pooled.1).max(1e-6);
    let of = |sum: &[f64; 3]| if sum[0] < ENOUGH as f64 { pooled } else { moments(*sum) };
    sums.iter().map(of).map(|(mean, deviation)| (mean as f32, deviation.max(least) as f32)).unzip()
}

/// How noise moves the logits.
struct Shift {
    model: Arc<dyn Classifier>,
    /// `[1, F]` a draw.
    noise: Vec<Tensor<2>>,
}

impl Shift {
    /// The mean shift of the logits and the logits themselves, `[N, K]` each.
    fn of(&self, rows: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let logits = self.model.forward(rows.clone());
        let mut sum = logits.zeros_like();
        for noise in &self.noise {
            sum = sum + self.model.forward(rows.clone() + noise.clone());
        }
        (sum / self.noise.len() as f64 - logits.clone(), logits)
    }
}

struct Odds {
    shift: Shift,
    mean: Tensor<2>,
    deviation: Tensor<2>,
}

impl Detector for Odds {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.shift.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let (shift, logits) = self.shift.of(rows);
        odds(shift, logits.inner().argmax(1), &self.mean, &self.deviation)
    }
}

/// Far below any standardised shift.
const ABSENT: f32 = -1e30;

/// `max_{z≠y} (u_z − u_y − μ_{y,z}) / σ_{y,z}` for shifts `u` `[N, K]` and classes `y` `[N, 1]`.
fn odds(
    shift: Tensor<2>,
    own: Tensor<2, Int>,
    mean: &Tensor<2>,
    deviation: &Tensor<2>,
) -> Tensor<1> {
    let [rows, classes] = shift.dims();
    let against = shift.clone() - shift.gather(1, own.clone());
    let of_class = own.clone().squeeze_dim::<1>(1);
    let (mean, deviation) =
        (mean.clone().select(0, of_class.clone()), deviation.clone().select(0, of_class));
    let all = Tensor::<1, Int>::arange(0..classes as i64, &own.device());
    let itself = all.unsqueeze::<2>().expand([rows, classes]).equal(own.expand([rows, classes]));
    let standard = ((against - mean) / deviation).mask_fill(itself, ABSENT);
    standard.max_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class 0 is predicted; u = (0, 1, 3): against 0 they are 1 and 3. With μ = (·, 0, 2) and
    /// σ = (·, 1, 4) the standardised ones are 1 and 1/4.
    #[test]
    fn the_largest_standardised_shift_by_hand() {
        let device = Device::flex();
        let row = |values: [f32; 3]| Tensor::<2>::from_data([values; 3], &device);
        let (mean, deviation) = (row([0.0, 0.0, 2.0]), row([1.0, 1.0, 4.0]));
        let shift = Tensor::from_data([[0.0, 1.0, 3.0], [5.0, 6.0, 8.0]], &device);
        let own = Tensor::<2, Int>::from_data([[0], [0]], &device);
        let got = host::floats(odds(shift, own, &mean, &deviation)).unwrap();
        assert_eq!(got, [1.0, 1.0]);
    }

    /// Five rows of class 0 whose `u₁ − u₀` are 1 to 5: mean 3, deviation √2; class 1 has no row
    /// and takes those of all.
    #[test]
    fn moments_are_those_of_the_rows_predicted_so() {
        let rows: Vec<f32> = (1..=5).flat_map(|value| [0.0, value as f32, 9.0, 1.0]).collect();
        let (mean, deviation) = pairs(&rows, 2);
        for place in [1, 2] {
            assert!((mean[place] - 3.0).abs() < 1e-6);
            assert!((deviation[place] - 2.0_f32.sqrt()).abs() < 1e-6);
        }
    }
}
