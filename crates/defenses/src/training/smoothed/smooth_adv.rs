//! `SmoothAdv`: adversarial training of the smoothed classifier.
//!
//! Salman, Yang, Li, Zhang, Zhang, Razenshteyn, Bubeck. *Provably Robust Deep Learning via
//! Adversarially Trained Smoothed Classifiers.* `NeurIPS` 2019, eq. (S) and pseudocode 1.
//! <https://arxiv.org/abs/1906.04584>
use std::ops::Range;

use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::classifier::pull_back;
use duress_core::{Classifier, Epsilon, Norm, Region, Threat};
use duress_models::train::{LossOutput, Step, snapshot};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use serde::{Deserialize, Serialize};

use super::noise::{check, logits_under, mean_of_cross_entropies, noises};
use crate::table::{Entry, defaults, training};
use crate::training::TrainingDefense;
use crate::training::check::Check;
use crate::training::inner::{parameters, ramp};

/// Minimises the cross-entropy under noise at the point of an L2 ball that maximises
/// `−log(1/m Σᵢ softmax f(x̂ + δᵢ))_y`, the cross-entropy of the smoothed classifier as `m` draws
/// show it. Attack and step see the same draws.
///
/// The ball is cut by the box of the domain; the noise is not. With `epsilon` 0 it is training
/// under Gaussian noise, `m` draws a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothAdv {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Draws `m` a sample.
    pub draws: u32,
    /// Radius of the L2 ball, in units of the raw input.
    pub epsilon: Epsilon,
    /// Gradient steps of the inner attack.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Epochs over which the radius rises linearly from 0; 0 starts at `epsilon`.
    pub warmup_epochs: u32,
}

impl Default for SmoothAdv {
    /// PGD of the official code for CIFAR-10: 10 steps of 2/10 of the radius, 10 epochs of warm-up;
    /// two draws of σ 0.25, radius 0.25.
    fn default() -> Self {
        Self {
            sigma: 0.25,
            draws: 2,
            epsilon: Epsilon::new(0.25).expect("0.25 is a radius"),
            steps: 10,
            step_size: 0.2,
            warmup_epochs: 10,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smooth-adv",
    summary: "adversarial training of the smoothed classifier in L2, with PGD",
    reference: "arXiv:1906.04584",
    defaults: defaults::<SmoothAdv>,
    parse: training::<SmoothAdv>,
};

/// `−log(1/m Σᵢ softmax f(x + δᵢ))_y` of each row `[N, F] → [N, 1]`, labels `[N, 1]`.
fn smoothed_loss(
    model: &dyn Classifier,
    rows: &Tensor<2>,
    noises: &[Tensor<2>],
    labels: &Tensor<2, Int>,
) -> Tensor<2> {
    let of = |noise: &Tensor<2>| {
        let noise = if rows.is_autodiff() { noise.clone().autodiff() } else { noise.clone() };
        log_softmax(model.forward(rows.clone() + noise), 1).gather(1, labels.clone())
    };
    // log 1/m Σ exp(lᵢ), safe where all are far below 0.
    let logs = Tensor::cat(noises.iter().map(of).collect(), 1);
    let most = logs.clone().inner().max_dim(1);
    let most = if rows.is_autodiff() { most.autodiff() } else { most };
    let sum = (logs - most.clone()).exp().mean_dim(1).log() + most;
    sum.neg()
}

impl SmoothAdv {
    /// The rows `[B, F]` that the inner attack finds against the network in evaluation mode.
    fn find<M: Trainable>(
        &self,
        noises: &[Tensor<2>],
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<Tensor<2>> {
        let clean = batch.rows.clone().inner();
        let radius = self.epsilon.get() * ramp(step, self.warmup_epochs);
        if radius == 0.0 {
            return Ok(clean);
        }
        let frozen = snapshot(network, step.domain)?;
        let region = Region::new(clean.clone(), &Threat::new(Norm::L2, radius)?, step.domain)?;
        let labels = batch.targets().unsqueeze_dim::<2>(1);
        let length = region.radius() * self.step_size;
        let mut rows = clean;
        for _ in 0..self.steps {
            if step.progress.cancelled() {
                return Err(duress_core::Error::Cancelled.into());
            }
            let parts = step.passes.over(&rows, |part, range| {
                let count = part.dims()[0];
                let places = places(range, count, &part.device());
                let of = |tensor: &Tensor<2>| tensor.clone().select(0, places.clone());
                let noises: Vec<_> = noises.iter().map(of).collect();
                let labels = labels.clone().select(0, places.clone());
                let ones = Tensor::ones([count, 1], &part.device());
                let loss = |rows: Tensor<2>| smoothed_loss(&frozen, &rows, &noises, &labels);
                Ok([pull_back(part, loss, ones)?])
            })?;
            let slopes = parts.into_iter().map(|[slopes]| slopes).collect();
            rows = region.ascend(rows, Tensor::cat(slopes, 0), length.clone());
        }
        Ok(rows)
    }
}

/// The positions of `range`, the last one repeated until there are `count`.
fn places(range: Range<usize>, count: usize, device: &Device) -> Tensor<1, Int> {
    let last = range.end - 1;
    let places: Vec<i64> =
        (range.start..range.start + count).map(|place| place.min(last) as i64).collect();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

impl<M: Trainable> Objective<M> for SmoothAdv {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let noises = noises(batch, step, self.sigma, self.draws);
        let found = self.find(&noises, network, batch, step)?;
        let logits = logits_under(network, &found, noises);
        let loss = mean_of_cross_entropies(&logits, batch, step);
        Ok(LossOutput { loss, logits: logits.into_iter().next().map(Tensor::inner) })
    }
}

impl TrainingDefense for SmoothAdv {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        Threat::new(Norm::L2, self.epsilon.get()).ok()
    }

    fn check(&self) -> duress_core::Result<()> {
        check(ENTRY.name, self.sigma, self.draws, 1)?;
        Check(ENTRY.name).holds(self.steps >= 1, "steps", "at least 1", self.steps)?;
        Check(ENTRY.name).positive("step_size", self.step_size)
    }
}
