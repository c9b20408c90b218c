//! Who looks at the network after each epoch.
use serde::{Deserialize, Serialize};

use crate::{Result, Trainable};

/// What happened in one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochReport {
    /// Epoch, from 0.
    pub epoch: u32,
    /// Mean loss over the samples.
    pub loss: f64,
    /// Samples classified correctly at the points trained on, if the objective gave logits.
    pub correct: Option<u64>,
    /// Samples seen.
    pub samples: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// What the watch measured, if it did.
    pub score: Option<f64>,
    /// Wall-clock seconds of the steps, without the watch.
    pub seconds: f64,
}

/// What a watch says after an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Validation accuracy in `[0, 1]`, larger is better; `None` if not measured.
    pub score: Option<f64>,
    /// Why the training should stop now.
    pub stop: Option<String>,
}

/// Looks at the network after each epoch: measures validation accuracy, checks for catastrophic
/// overfitting, stops the training.
pub trait Watch<M: Trainable> {
    /// Called after each epoch with the network in evaluation mode, averaged if the recipe
    /// averages weights, and the reports so far, the last of which is of this epoch.
    ///
    /// `due` says whether the recipe asks for a score now. A watch that decides by `history`
    /// instead of by fields of its own survives a resume.
    ///
    /// # Errors
    /// A failure to measure ends the training.
    fn epoch(&mut self, network: &M, history: &[EpochReport], due: bool) -> Result<Verdict>;
}
