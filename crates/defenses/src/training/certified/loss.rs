//! What the certified trainings have in common.
use burn::prelude::*;
use duress_core::{Epsilon, Error, Norm, Threat};
use duress_models::bounds::{InputBox, Intervals, Propagation};
use duress_models::train::{LossOutput, Step, cross_entropy};
use duress_models::{Batch, Layered, Result};

use super::regularizers;

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

/// Checks hyperparameters of one algorithm.
pub(super) struct Check(pub(super) &'static str);

impl Check {
    /// `got` is between 0 and 1.
    pub(super) fn share(&self, field: &'static str, got: f64) -> duress_core::Result<()> {
        self.expect((0.0..=1.0).contains(&got), field, "between 0 and 1", got)
    }

    /// `got` is finite and above 0.
    pub(super) fn positive(&self, field: &'static str, got: f64) -> duress_core::Result<()> {
        self.expect(got.is_finite() && got > 0.0, field, "positive", got)
    }

    /// `got` is finite and at least 0.
    pub(super) fn not_negative(&self, field: &'static str, got: f64) -> duress_core::Result<()> {
        self.expect(got.is_finite() && got >= 0.0, field, "finite and at least 0", got)
    }

    /// `got` is at least 1.
    pub(super) fn at_least_one(&self, field: &'static str, got: usize) -> duress_core::Result<()> {
        self.expect(got >= 1, field, "at least 1", got)
    }

    fn expect(
        &self,
        holds: bool,
        field: &'static str,
        expected: &'static str,
        got: impl ToString,
    ) -> duress_core::Result<()> {
        let (algorithm, got) = (self.0, got.to_string());
        if holds { Ok(()) } else { Err(Error::Parameter { algorithm, field, expected, got }) }
    }
}
