//! What is watched while a model is trained, and what its best and its last epoch came to.
use duress_core::{Norm, Radius, Threat};
use duress_datasets::Dataset;
use duress_defenses::{CollapseCheck, TrainingDefense};
use duress_models::Recipe;
use duress_models::train::{EpochReport, Metric};

use super::data::Data;
use crate::Result;
use crate::experiment::Checkpoint;
use crate::row::{Watched, WatchedEpoch};

/// Samples a watch measures after each epoch.
const WATCHED: usize = 256;

/// What a training is watched for: early stopping on validation samples, or else a collapse on a
/// slice of the training samples.
pub(crate) struct Watching {
    /// The samples that are measured after each epoch.
    pub(super) samples: Dataset,
    /// `validation` or `train`.
    part: &'static str,
    metric: Metric,
    /// A ball of radius 0 for clean accuracy.
    pub(super) threat: Threat,
    /// What counts as a collapse.
    pub(super) collapse: Option<CollapseCheck>,
}

impl Watching {
    /// Whether a model that is trained so is watched.
    pub(crate) fn applies(recipe: &Recipe, defense: Option<&dyn TrainingDefense>) -> bool {
        recipe.early_stop.is_some() || defense.is_some_and(|defense| defense.collapse().is_some())
    }

    pub(super) fn of(
        recipe: &Recipe,
        defense: Option<&dyn TrainingDefense>,
        data: &Data,
    ) -> Result<Option<Self>> {
        if !Self::applies(recipe, defense) {
            return Ok(None);
        }
        let (part, source) = match &recipe.early_stop {
            Some(_) => ("validation", &data.validation),
            None => ("train", &data.train),
        };
        // Clean accuracy is robust accuracy at radius 0.
        let clean = recipe.early_stop.as_ref().is_some_and(|s| s.metric == Metric::CleanAccuracy);
        let (metric, threat) = match defense.and_then(TrainingDefense::threat) {
            Some(threat) if !clean => (Metric::RobustAccuracy, threat),
            _ => (Metric::CleanAccuracy, Threat::new(Norm::Linf, 0.0)?),
        };
        let collapse = defense.and_then(TrainingDefense::collapse);
        Ok(Some(Self { samples: source.take(WATCHED), part, metric, threat, collapse }))
    }

    /// The best and the last epoch of a training; `None` if no epoch was measured.
    pub(super) fn summary(&self, history: &[EpochReport], used: Checkpoint) -> Option<Watched> {
        let samples = self.samples.len() as u64;
        let measured = |report: &EpochReport| {
            let score = report.score.filter(|score| score.is_finite())?;
            let correct = (score * samples as f64).round() as u64;
            Some(WatchedEpoch { epoch: report.epoch + 1, correct })
        };
        let measured: Vec<WatchedEpoch> = history.iter().filter_map(measured).collect();
        // Of equal ones the first, as the training keeps it.
        let best = measured.iter().rev().max_by_key(|one| one.correct)?;
        Some(Watched {
            metric: self.metric,
            part: self.part.into(),
            samples,
            norm: self.threat.norm(),
            epsilon: match self.threat.radius() {
                Radius::Same(radius) => *radius,
                Radius::PerSample(radii) => radii.iter().copied().fold(0.0, f64::max),
            },
            best: best.clone(),
            last: measured.last()?.clone(),
            used,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_datasets::{Folders, Part, load};

    fn report(epoch: u32, score: Option<f64>) -> EpochReport {
        EpochReport {
            epoch,
            loss: 0.0,
            correct: None,
            samples: 1,
            learning_rate: 0.1,
            score,
            seconds: 0.0,
        }
    }

    fn watching() -> Watching {
        Watching {
            samples: load("digits", &Folders::default(), Part::Test).unwrap().take(8),
            part: "validation",
            metric: Metric::RobustAccuracy,
            threat: Threat::new(Norm::Linf, 0.1).unwrap(),
            collapse: None,
        }
    }

    /// Epochs 2 and 4 tie at 6 of 8: the first is the one whose weights were kept.
    #[test]
    fn the_best_epoch_is_the_first_of_the_largest() {
        let scores = [Some(0.25), Some(0.75), None, Some(0.75), Some(0.5)];
        let history: Vec<_> = (0..).zip(scores).map(|(at, score)| report(at, score)).collect();
        let watched = watching().summary(&history, Checkpoint::Last).unwrap();
        assert_eq!(watched.best, WatchedEpoch { epoch: 2, correct: 6 });
        assert_eq!(watched.last, WatchedEpoch { epoch: 5, correct: 4 });
        assert_eq!(
            watched.to_string(),
            "robust accuracy on 8 validation samples at linf 0.1: 75.0 % after epoch 2, the best; \
             50.0 % after epoch 5, the last, whose weights are used"
        );
        assert_eq!(watching().summary(&[report(0, None)], Checkpoint::Best), None);
    }
}
