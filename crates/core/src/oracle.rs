//! What an adversary may ask of the model: each access level implies the weaker ones.
use std::fmt;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::classifier::Evaluation;
use crate::{Aim, Classifier, Cut, Domain, Loss, Passes, Result};

/// How much of the model the adversary sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// The predicted class.
    Labels,
    /// The logits.
    Scores,
    /// The logits and their gradients by the input.
    Gradients,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Access::Labels => "label",
            Access::Scores => "score",
            Access::Gradients => "gradient",
        })
    }
}

/// Answers with predicted classes.
pub trait LabelOracle: Send + Sync {
    /// The input space.
    fn domain(&self) -> &Domain;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// Where the rows and the answers live.
    fn device(&self) -> &Device;

    /// Rows that are computed at the cost of one (see [`crate::Cut`]).
    fn granularity(&self) -> usize {
        1
    }

    /// Queries of the deployed model that one answer takes: more than one where an answer is a mean
    /// over draws.
    fn cost(&self) -> u64 {
        1
    }

    /// The predicted class of each row, `[N, F] → [N]`.
    ///
    /// # Errors
    /// Those of the model behind the oracle.
    fn labels(&self, rows: Tensor<2>) -> Result<Tensor<1, Int>>;
}

/// Answers with logits.
pub trait ScoreOracle: LabelOracle {
    /// The logits of each row, `[N, F] → [N, K]`.
    ///
    /// # Errors
    /// Those of the model behind the oracle.
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>>;
}

/// Answers with input gradients.
pub trait GradientOracle: ScoreOracle {
    /// Loss, logits and input gradient of each row `[N, F]`.
    ///
    /// # Errors
    /// Those of the model behind the oracle.
    fn gradient(&self, rows: Tensor<2>, aim: &Aim, loss: &dyn Loss) -> Result<Evaluation>;
}

/// A classifier in this process, seen whole.
#[derive(Clone, Copy)]
pub struct WhiteBox<'a> {
    model: &'a dyn Classifier,
    passes: &'a Passes,
    cut: Cut,
}

impl<'a> WhiteBox<'a> {
    /// All access to `model`, computed by `passes` in the smallest sub-batches that do not change
    /// its bits (a few passes find out).
    #[must_use]
    pub fn new(model: &'a dyn Classifier, passes: &'a Passes) -> Self {
        Self::with_cut(model, passes, passes.cut_for(model))
    }

    /// The same with a cut that is known: [`Cut::FULL`] for an oracle that is soon dropped, such as
    /// that of one batch of a training, or what [`Passes::cut_for`] said of the model before.
    #[must_use]
    pub fn with_cut(model: &'a dyn Classifier, passes: &'a Passes, cut: Cut) -> Self {
        Self { model, passes, cut }
    }
}

impl LabelOracle for WhiteBox<'_> {
    fn domain(&self) -> &Domain {
        self.model.domain()
    }

    fn classes(&self) -> usize {
        self.model.classes()
    }

    fn device(&self) -> &Device {
        self.passes.device()
    }

    fn granularity(&self) -> usize {
        self.cut.grain
    }

    fn labels(&self, rows: Tensor<2>) -> Result<Tensor<1, Int>> {
        Ok(self.logits(rows)?.argmax(1).squeeze_dim(1))
    }
}

impl ScoreOracle for WhiteBox<'_> {
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>> {
        self.passes.logits_by(self.cut, self.model, rows)
    }
}

impl GradientOracle for WhiteBox<'_> {
    fn gradient(&self, rows: Tensor<2>, aim: &Aim, loss: &dyn Loss) -> Result<Evaluation> {
        self.passes.gradient_by(self.cut, self.model, rows, aim, loss)
    }
}

/// Gradients of one classifier, answers of another: for a target whose own gradient is of no use
/// (a vote, a quantiser), where the adversary differentiates a stand-in.
#[derive(Clone, Copy)]
pub struct Surrogate<'a> {
    target: WhiteBox<'a>,
    stand_in: WhiteBox<'a>,
}

impl<'a> Surrogate<'a> {
    /// Answers of `target`, gradients of `stand_in`; both take the same rows and have the same
    /// classes.
    #[must_use]
    pub fn new(
        target: &'a dyn Classifier,
        stand_in: &'a dyn Classifier,
        passes: &'a Passes,
    ) -> Self {
        Self::of(WhiteBox::new(target, passes), WhiteBox::new(stand_in, passes))
    }

    /// The same from oracles of both.
    #[must_use]
    pub fn of(target: WhiteBox<'a>, stand_in: WhiteBox<'a>) -> Self {
        Self { target, stand_in }
    }
}

impl LabelOracle for Surrogate<'_> {
    fn domain(&self) -> &Domain {
        self.target.domain()
    }

    fn classes(&self) -> usize {
        self.target.classes()
    }

    fn device(&self) -> &Device {
        self.target.device()
    }

    fn granularity(&self) -> usize {
        self.target.granularity()
    }

    fn labels(&self, rows: Tensor<2>) -> Result<Tensor<1, Int>> {
        self.target.labels(rows)
    }
}

impl ScoreOracle for Surrogate<'_> {
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>> {
        self.target.logits(rows)
    }
}

impl GradientOracle for Surrogate<'_> {
    fn gradient(&self, rows: Tensor<2>, aim: &Aim, loss: &dyn Loss) -> Result<Evaluation> {
        let logits = self.target.logits(rows.clone())?;
        Ok(Evaluation { logits, ..self.stand_in.gradient(rows, aim, loss)? })
    }
}

/// An oracle at the access level that the threat model grants.
#[derive(Clone, Copy)]
pub enum Oracle<'a> {
    /// Predicted classes only.
    Labels(&'a dyn LabelOracle),
    /// Logits.
    Scores(&'a dyn ScoreOracle),
    /// Logits and gradients.
    Gradients(&'a dyn GradientOracle),
}

impl<'a> Oracle<'a> {
    /// The access level.
    #[must_use]
    pub fn access(self) -> Access {
        match self {
            Oracle::Labels(_) => Access::Labels,
            Oracle::Scores(_) => Access::Scores,
            Oracle::Gradients(_) => Access::Gradients,
        }
    }

    /// The same model, labels only.
    #[must_use]
    pub fn labels(self) -> &'a dyn LabelOracle {
        match self {
            Oracle::Labels(oracle) => oracle,
            Oracle::Scores(oracle) => oracle,
            Oracle::Gradients(oracle) => oracle,
        }
    }

    /// The same model, logits only; `None` if the level is lower.
    #[must_use]
    pub fn scores(self) -> Option<&'a dyn ScoreOracle> {
        match self {
            Oracle::Labels(_) => None,
            Oracle::Scores(oracle) => Some(oracle),
            Oracle::Gradients(oracle) => Some(oracle),
        }
    }

    /// The same model with gradients; `None` if the level is lower.
    #[must_use]
    pub fn gradients(self) -> Option<&'a dyn GradientOracle> {
        match self {
            Oracle::Gradients(oracle) => Some(oracle),
            _ => None,
        }
    }
}
