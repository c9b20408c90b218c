//! The odds are odd: noise drives the logits of an adversarial input back to its true class.
//!
//! Roth, Kilcher, Hofmann. *The Odds are Odd: A Statistical Test for Detecting Adversarial
//! Examples.* ICML 2019, §3.2, eq. (6) to (9). <https://arxiv.org/abs/1902.04818>
mod noise;
mod statistics;

use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, host};
use serde::{Deserialize, Serialize};

use super::detector::table;
use super::entry::parse;
use super::layers::over;
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::table::defaults;
pub use noise::NoiseKind;
use noise::Shifts;
use statistics::{odds, pairs};

/// `max_{z≠y} mean_n (ḡ_{n,y,z} − μ_{n,y,z}) / σ_{n,y,z}`, where `y` is the predicted class and
/// `ḡ_{n,y,z}` how far noise of the kind and size `n` moves the logit of `z` against that of `y` in
/// the mean over draws; `μ` and `σ` are those of the clean rows that are predicted as `y`. Each kind
/// is taken at each size.
///
/// Noisy rows are clipped to the box, and the standardised shifts averaged over kinds and sizes
/// before the largest class is taken, as in the authors' code. Draws are made once and serve every
/// row, so that a row's score is a function of the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseOdds {
    /// Kinds of noise, at least one.
    pub kinds: Vec<NoiseKind>,
    /// Sizes of each kind, as a share of each feature's box, at least one.
    pub sizes: Vec<f64>,
    /// Draws of each kind at each size, each a pass of the classifier.
    pub draws: u32,
}

impl Default for NoiseOdds {
    /// The authors' for detection on CIFAR-10: three kinds at three sizes, 256 draws of each.
    fn default() -> Self {
        Self {
            kinds: vec![NoiseKind::Gaussian, NoiseKind::Sign, NoiseKind::Uniform],
            sizes: vec![0.003, 0.005, 0.008],
            draws: 256,
        }
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

impl DetectionMethod for NoiseOdds {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.expect(!self.kinds.is_empty(), "kinds", "at least one kind of noise", "none")?;
        ENTRY.expect(!self.sizes.is_empty(), "sizes", "at least one size", "none")?;
        self.sizes.iter().try_for_each(|&size| ENTRY.positive("sizes", size))?;
        ENTRY.at_least("draws", 1, "at least 1", self.draws as usize)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 2)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let (classes, device) = (model.classes(), passes.device());
        let shifts = Shifts::new(model, self, evidence.seed, device);
        let settings = shifts.settings();
        let all = over(passes, &evidence.clean, (settings + 1) * classes, |rows| {
            let (mut shifts, logits) = shifts.of(rows);
            shifts.push(logits);
            Tensor::cat(shifts, 1)
        })?;
        let all = host::floats(all)?;
        let moments = (0..settings).map(|setting| {
            let (mean, deviation) = pairs(&all, settings, setting, classes);
            [table(mean, classes, device), table(deviation, classes, device)]
        });
        Ok(Box::new(Odds { moments: moments.collect(), shifts }))
    }
}

struct Odds {
    shifts: Shifts,
    /// Mean and deviation of each kind and size, `[K, K]` by predicted and other class.
    moments: Vec<[Tensor<2>; 2]>,
}

impl Detector for Odds {
    fn model(&self) -> &Arc<dyn Classifier> {
        self.shifts.model()
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let (shifts, logits) = self.shifts.of(rows);
        odds(shifts, logits.inner().argmax(1), &self.moments)
    }
}

#[cfg(test)]
mod tests;
