//! The best and the last epoch of a training, side by side.
use std::fmt;

use duress_core::Norm;
use duress_models::train::Metric;
use serde::{Deserialize, Serialize};

use crate::experiment::Checkpoint;
use crate::page::short;

/// What a training measured after its epochs: where the accuracy at the last epoch is below that at
/// the best one, the training overfitted.
///
/// Rice, Wong, Kolter. *Overfitting in Adversarially Robust Deep Learning.* ICML 2020.
/// <https://arxiv.org/abs/2002.11569>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// `robust_accuracy` under PGD, or `clean_accuracy`.
    pub metric: Metric,
    /// Part of the data that was measured: `validation` or `train`.
    pub part: String,
    /// Samples measured.
    pub samples: u64,
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius, in units of the raw input; 0 for clean accuracy.
    pub epsilon: f64,
    /// The epoch with most samples correct, the first of several.
    pub best: WatchedEpoch,
    /// The last epoch.
    pub last: WatchedEpoch,
    /// Whose weights the rows of this model are about.
    pub used: Checkpoint,
}

/// What was measured after an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedEpoch {
    /// Epochs done, from 1.
    pub epoch: u32,
    /// Samples classified correctly, under the attack where there is one.
    pub correct: u64,
}

impl Watched {
    /// The accuracy after an epoch, in percent.
    pub(crate) fn percent(&self, at: &WatchedEpoch) -> String {
        format!("{:.1} %", 100.0 * at.correct as f64 / self.samples.max(1) as f64)
    }

    /// What was measured and on what, as in `robust accuracy on 256 validation samples at linf 0.1`.
    pub(crate) fn what(&self) -> String {
        let part = if self.part == "train" { "training" } else { &self.part };
        let samples = format!("{} {part} samples", self.samples);
        match self.metric {
            Metric::CleanAccuracy => format!("clean accuracy on {samples}"),
            Metric::RobustAccuracy => {
                format!("robust accuracy on {samples} at {} {}", self.norm, short(self.epsilon))
            }
        }
    }
}

impl fmt::Display for Watched {
    /// What was measured, at the best and at the last epoch, and whose weights are used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (best, last) = (self.percent(&self.best), self.percent(&self.last));
        let used = ", whose weights are used";
        let [of_best, of_last] = match self.used {
            Checkpoint::Best => [used, ""],
            Checkpoint::Last => ["", used],
        };
        write!(
            f,
            "{}: {best} after epoch {}, the best{of_best}; {last} after epoch {}, the last{of_last}",
            self.what(),
            self.best.epoch,
            self.last.epoch
        )
    }
}
