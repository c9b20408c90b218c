//! Feature squeezing: an adversarial input is predicted otherwise once it is simplified.
//!
//! Xu, Evans, Qi. *Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks.*
//! NDSS 2018, §5. <https://arxiv.org/abs/1704.01155>
use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::{Classifier, Error as Core};
use serde::{Deserialize, Serialize};

use super::entry::parse;
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result, squeezers};
use crate::table::defaults;

/// The largest L1 distance between the probabilities of a picture and of its squeezed versions.
///
/// A squeezer whose first parameter is 0 is left out. Nothing is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureSqueezing {
    /// Bits of a value after rounding, below 24.
    pub bits: u32,
    /// Pixels along a side of the median's window.
    pub median: usize,
    /// Pixels along a side of the search window of non-local means, odd.
    pub search: usize,
    /// Pixels along a side of its patches, odd.
    pub patch: usize,
    /// Its strength `h`, in steps of 1/255 of the box.
    pub strength: f64,
}

impl Default for FeatureSqueezing {
    /// The paper's joint detector on CIFAR-10: 5 bits, 2 × 2 median, non-local means 13-3-2. (On
    /// MNIST it is 1 bit and the 2 × 2 median.)
    fn default() -> Self {
        Self { bits: 5, median: 2, search: 13, patch: 3, strength: 2.0 }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "feature-squeezing",
    summary: "change of the prediction under fewer bits, median, non-local means",
    reference: "arXiv:1704.01155",
    slope: "squeezers as the identity (BPDA)",
    supervised: false,
    defaults: defaults::<FeatureSqueezing>,
    parse: parse::<FeatureSqueezing>,
};

impl DetectionMethod for FeatureSqueezing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        ENTRY.expect(self.bits < 24, "bits", "below 24", self.bits)?;
        let odd = |size: usize| size % 2 == 1;
        let fine = self.search == 0 || odd(self.search);
        ENTRY.expect(fine, "search", "odd, or 0 for none", self.search)?;
        ENTRY.expect(odd(self.patch), "patch", "odd", self.patch)?;
        ENTRY.positive("strength", self.strength)?;
        let some = self.bits > 0 || self.median > 0 || self.search > 0;
        ENTRY.expect(some, "bits", "positive where no other squeezer is on", self.bits)
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.check(ENTRY.name, 1)?;
        let shape = evidence.model.domain().image_shape()?;
        let side = shape[1].min(shape[2]);
        if self.median > side {
            return Err(Core::Parameter {
                algorithm: ENTRY.name,
                field: "median",
                expected: "at most the side of a picture",
                got: self.median.to_string(),
            }
            .into());
        }
        Ok(Box::new(Squeezed { model: Arc::clone(&evidence.model), shape, plan: self.clone() }))
    }
}

struct Squeezed {
    model: Arc<dyn Classifier>,
    shape: [usize; 3],
    plan: FeatureSqueezing,
}

impl Squeezed {
    /// The squeezed versions of rows off the tape.
    fn versions(&self, rows: &Tensor<2>) -> Vec<Tensor<2>> {
        let FeatureSqueezing { bits, median, search, patch, strength } = self.plan;
        let (lower, upper) = self.model.domain().bounds(&rows.device());
        let mut all = Vec::new();
        if bits > 0 {
            let (lower, upper) = (lower.clone(), upper.clone());
            all.push(squeezers::fewer_bits(rows.clone(), bits, lower, upper));
        }
        if median > 0 {
            all.push(squeezers::median(rows.clone(), self.shape, median));
        }
        if search > 0 {
            // In shares of the box, in which the strength is meant.
            let span = upper - lower.clone();
            let span = span.clone().mask_fill(span.equal_elem(0.0), 1.0);
            let shares = (rows.clone() - lower.clone()) / span.clone();
            let h = strength / 255.0;
            let smooth = squeezers::non_local_means(shares, self.shape, search, patch, h);
            all.push(smooth * span + lower);
        }
        all
    }
}

impl Detector for Squeezed {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let plain = rows.clone().inner();
        let own = softmax(self.model.forward(rows.clone()), 1);
        let distance = |squeezed: Tensor<2>| {
            // Forward the squeezed rows, backward the identity.
            let squeezed = if rows.is_autodiff() {
                rows.clone() + (squeezed - plain.clone())
            } else {
                squeezed
            };
            (softmax(self.model.forward(squeezed), 1) - own.clone()).abs().sum_dim(1)
        };
        let distances = self.versions(&plain).into_iter().map(distance).collect();
        Tensor::cat(distances, 1).max_dim(1).squeeze_dim(1)
    }
}
