//! What the certified trainings have in common.
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{Epsilon, Norm, Threat};
use duress_models::bounds::{InputBox, Intervals, Propagation};
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Layered, Result};

use super::regularizers;
use crate::training::inner;

/// Radius of the boxes whose growth is regularised while the training's own radius is smaller: the
/// authors' code of Shi et al. 2021.
const LEAST_RADIUS: f64 = 1e-6;

/// A batch after its clean pass.
pub(super) struct Bounded<'a> {
    pub(super) propagation: Propagation,
    pub(super) targets: Tensor<1, Int>,
    pub(super) rows: Tensor<2>,
    step: &'a Step<'a>,
}

/// Boxes and what is known of the network on them.
pub(super) struct OnBox {
    pub(super) input: InputBox,
    pub(super) intervals: Intervals,
}

impl<'a> Bounded<'a> {
    pub(super) fn new<M: Layered>(network: &M, batch: &Batch, step: &'a Step<'a>) -> Result<Self> {
        let rows = batch.rows.clone().inner();
        let propagation = Propagation::new(network, rows.clone().autodiff())?;
        Ok(Self { propagation, targets: batch.targets(), rows, step })
    }

    /// The mean cross-entropy of logits `[B, K]`, with the recipe's label smoothing.
    pub(super) fn cross_entropy(&self, logits: Tensor<2>) -> Tensor<1> {
        cross_entropy(logits, self.targets.clone(), self.step.label_smoothing).mean()
    }

    /// The mean cross-entropy at the clean rows.
    pub(super) fn clean(&self) -> Tensor<1> {
        self.cross_entropy(self.propagation.logits())
    }

    /// Intervals on the boxes of `radius` around `rows`.
    pub(super) fn on_box(&self, rows: Tensor<2>, radius: f64, shrink: f64) -> OnBox {
        let input = InputBox::around(rows, radius, self.step.domain);
        let intervals = self.propagation.intervals(&input, shrink);
        OnBox { input, intervals }
    }

    /// Margins by intervals, `[B, K]`.
    pub(super) fn margins(&self, on_box: &OnBox) -> Tensor<2> {
        self.propagation.margins(&on_box.intervals, self.targets.clone())
    }

    /// An upper bound of the mean cross-entropy from lower bounds of the margins: the worst logits,
    /// less that of the label, are the negative margins. Gowal et al. 2018, eq. (10). Smoothed
    /// labels are applied to the same logits, where the result is no longer a bound.
    pub(super) fn robust(&self, margins: Tensor<2>) -> Tensor<1> {
        self.cross_entropy(-margins)
    }

    /// The bound on the boxes, or the clean loss where there are none yet.
    pub(super) fn robust_or_clean(&self, on_box: Option<&OnBox>) -> Tensor<1> {
        match on_box {
            Some(on_box) => self.robust(self.margins(on_box)),
            None => self.clean(),
        }
    }

    /// The regularisers of Shi et al. times `weight`, on boxes of at least a millionth; `known` are
    /// the intervals there are already.
    pub(super) fn regularizers(
        &self,
        weight: f64,
        radius: f64,
        known: Option<&OnBox>,
    ) -> Option<Tensor<1>> {
        if weight <= 0.0 {
            return None;
        }
        let own = match known {
            Some(_) if radius >= LEAST_RADIUS => None,
            _ => Some(self.on_box(self.rows.clone(), LEAST_RADIUS, 1.0)),
        };
        let on_box = own.as_ref().or(known)?;
        let before = self.propagation.before_relus(&on_box.intervals);
        Some(regularizers::penalty(&on_box.input, &before)? * weight)
    }

    /// The sum of the loss, the absolute weights times `l1` and the regularisers.
    pub(super) fn output(
        &self,
        loss: Tensor<1>,
        regularizers: Option<Tensor<1>>,
        l1: f64,
    ) -> LossOutput {
        let mut loss = loss;
        if let Some(regularizers) = regularizers {
            loss = loss + regularizers;
        }
        if l1 > 0.0 {
            loss = loss + self.propagation.absolute_weights() * l1;
        }
        LossOutput { loss, logits: Some(self.propagation.logits().inner()) }
    }
}

/// The rows that PGD finds on the Linf ball of `radius`; the clean ones at radius 0.
pub(super) fn searched<M: Layered>(
    (steps, step_size): (usize, f64),
    radius: f64,
    network: &M,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<Tensor<2>> {
    if radius <= 0.0 {
        return Ok(batch.rows.clone());
    }
    let attack = Pgd { steps, step_size, ..Pgd::paper() };
    let threat = Threat::new(Norm::Linf, radius)?;
    inner::adversarial_rows(&attack, &threat, network, batch, step)
}

/// `share · first + (1 − share) · second`, where what has no share is not computed.
pub(super) fn mix<const D: usize>(
    share: f64,
    first: impl FnOnce() -> Tensor<D>,
    second: impl FnOnce() -> Tensor<D>,
) -> Tensor<D> {
    if share >= 1.0 {
        first()
    } else if share <= 0.0 {
        second()
    } else {
        first() * share + second() * (1.0 - share)
    }
}

/// The value at `share` of the way from `start` to `end`.
pub(super) fn between(start: f64, end: f64, share: f64) -> f64 {
    start + (end - start) * share
}

/// The Linf ball that a training minimises the worst case of.
pub(super) fn threat(epsilon: Epsilon) -> Option<Threat> {
    Threat::new(Norm::Linf, epsilon.get()).ok()
}
