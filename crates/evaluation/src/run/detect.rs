//! Fits detectors of one model and measures them: against attacks that know nothing of them, and
//! against attacks on both.
//!
//! A detector is fitted on training samples, its thresholds are set on validation samples, and it
//! is measured on test samples; only samples that the model classifies correctly count. An attack
//! that knows nothing of the detector is measured by the points that it broke and the clean samples
//! they were made of, so that a failed attack counts on neither side.
use std::collections::HashSet;
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Goal, Norm, Problem, Seed, Status, Threat, host, predictions, run};
use duress_datasets::Dataset;
use duress_defenses::detection::{Detector, Evidence, Threshold, scores};
use duress_metrics::{Confidence, Roc};

use super::attack::attack_key;
use super::build::BATCH;
use super::evade::Evasion;
use super::{Built, Cost, Journal, Runner};
use crate::experiment::{AttackPlan, DetectorPlan};
use crate::row::Measured;
use crate::{Error, Result};

/// A fitted detector with what is the same for all that is measured of it.
pub(super) struct Fitted<'a> {
    pub(super) plan: &'a DetectorPlan,
    pub(super) detector: Arc<dyn Detector>,
    /// One a rate.
    pub(super) thresholds: Vec<Threshold>,
    pub(super) norm: Norm,
    pub(super) epsilon: f64,
    /// Scores of the clean test samples, in their order.
    pub(super) clean: Vec<f32>,
}

impl Runner<'_> {
    /// Measures all detectors that watch `model`, at the headline radius of each threat.
    pub(super) fn detect(&self, model: &Built, journal: &mut Journal) -> Result<()> {
        let watching = |plan: &&DetectorPlan| plan.models.contains(&model.name);
        for plan in self.experiment.detectors.iter().filter(watching) {
            for threat in &self.experiment.threats {
                self.detect_at(model, plan, threat.norm, threat.headline(), journal)?;
            }
        }
        Ok(())
    }

    fn detect_at(
        &self,
        model: &Built,
        plan: &DetectorPlan,
        norm: Norm,
        epsilon: f64,
        journal: &mut Journal,
    ) -> Result<()> {
        let key = |what: &str| format!("{}/{}/{what}/{norm}/{epsilon}", model.name, plan.label);
        let tests = DetectorPlan::chosen(&self.experiment.attacks, &plan.test, norm);
        let evasion = Evasion::of(plan, norm);
        let mut keys: Vec<String> = tests.iter().map(|attack| key(&attack.label)).collect();
        keys.extend(evasion.keys(&key));
        if keys.iter().all(|key| journal.has(key)) {
            return Ok(());
        }
        let observer = self.context.observer;
        let what = format!("{}: {} at {norm} {epsilon}", model.name, plan.label);
        observer.begin(&what, keys.len() as u64);
        let fitted = self.fitted_detector(model, plan, norm, epsilon)?;
        for attack in tests {
            let key = key(&attack.label);
            if !journal.has(&key) {
                self.against(model, &fitted, attack, key, journal)?;
            }
            observer.advance(1);
        }
        self.evade(model, &fitted, &evasion, &key, journal)?;
        observer.end();
        Ok(())
    }

    fn fitted_detector<'p>(
        &self,
        model: &Built,
        plan: &'p DetectorPlan,
        norm: Norm,
        epsilon: f64,
    ) -> Result<Fitted<'p>> {
        let classifier = model.classifier("a detector")?;
        let passes = self.context.passes;
        let train = self.correct(classifier, &self.data.train, plan.fit_samples)?;
        let mut adversarial = Vec::new();
        for attack in DetectorPlan::chosen(&self.experiment.attacks, &plan.fit, norm) {
            let threat = Threat::new(norm, epsilon)?;
            adversarial.extend(self.broken(model, &train, attack, &threat)?);
        }
        let features = train.features();
        let shape = [adversarial.len() / features, features];
        let evidence = Evidence {
            model: Arc::clone(classifier),
            passes,
            clean: train.rows(0..train.len(), passes.device()),
            labels: train.labels().to_vec(),
            adversarial: Tensor::from_data(TensorData::new(adversarial, shape), passes.device()),
            seed: self.experiment.seed,
            progress: &duress_core::Silent,
        };
        let detector: Arc<dyn Detector> = Arc::from(plan.method.fit(&evidence)?);
        let all =
            |data: &Dataset| scores(&*detector, passes, &data.rows(0..data.len(), passes.device()));
        let validation = &self.data.validation;
        let right = self.correct(classifier, validation, validation.len())?;
        if right.is_empty() {
            return Err(Error::Measurement {
                key: format!("{}/{}", model.name, plan.label),
                reason: format!(
                    "its thresholds are set on validation samples that the model gets right, and \
                     of {} it gets none",
                    validation.len()
                ),
            });
        }
        let held = all(&right)?;
        let at = |rate: &f64| Threshold::at(*rate, &held);
        let thresholds = plan.rates.iter().map(at).collect::<Result<_, _>>()?;
        let clean = all(&self.data.test)?;
        Ok(Fitted { plan, detector, thresholds, norm, epsilon, clean })
    }

    /// The first samples that the classifier gets right, of as many as `most`.
    fn correct(
        &self,
        classifier: &Arc<dyn Classifier>,
        data: &Dataset,
        most: usize,
    ) -> Result<Dataset> {
        let passes = self.context.passes;
        let mut right = Vec::new();
        for (part, batch) in data.take(most.min(data.len())).batches(BATCH).enumerate() {
            let logits = passes.logits(&**classifier, batch.rows(passes.device()))?;
            let answers = predictions(logits)?.into_iter().zip(batch.labels).enumerate();
            let hits = answers.filter(|(_, ((class, _), label))| class == *label);
            right.extend(hits.map(|(place, _)| part * BATCH + place));
        }
        Ok(data.select(&right))
    }

    /// The points of an attack on `data` that met its goal, `F` values each: made as those of test
    /// samples are.
    fn broken(
        &self,
        model: &Built,
        data: &Dataset,
        attack: &AttackPlan,
        threat: &Threat,
    ) -> Result<Vec<f32>> {
        let (passes, features) = (self.context.passes, data.features());
        let joint = attack.attack.algorithm().joint();
        let together = if joint { data.len().max(1) } else { BATCH };
        let mut found = Vec::new();
        for batch in data.batches(together) {
            let rows = batch.rows(passes.device());
            let goal = Goal::Untargeted(batch.labels.to_vec());
            let outcome = model.with_oracle(passes, |oracle| {
                let problem = Problem::new(oracle, rows, goal, threat.clone())
                    .with_ids(batch.ids.to_vec())
                    .with_seed(self.experiment.seed)
                    .with_budget(attack.budget);
                run(&attack.attack, &problem)
            })?;
            let rows = host::floats(outcome.rows)?;
            let broken = outcome.samples.iter().zip(rows.chunks(features));
            let broken = broken.filter(|(sample, _)| sample.status == Status::Broken);
            found.extend(broken.flat_map(|(_, row)| row));
        }
        Ok(found)
    }

    /// The detector against one attack that knows nothing of it.
    fn against(
        &self,
        model: &Built,
        fitted: &Fitted<'_>,
        attack: &AttackPlan,
        key: String,
        journal: &mut Journal,
    ) -> Result<()> {
        let Fitted { plan, detector, thresholds, norm, epsilon, clean } = fitted;
        let mut cost = Cost::begin();
        let (test, passes) = (&self.data.test, self.context.passes);
        let made = attack_key(&model.name, &attack.label, *norm, *epsilon);
        let rows = self.stored(journal, &made)?.ok_or_else(|| Error::Measurement {
            key: made.clone(),
            reason: format!(
                "its adversarial rows are gone from {}, and a detector is measured on them: repeat \
                 the run with --fresh",
                journal.folder().display()
            ),
        })?;
        let broken: HashSet<u64> = journal
            .samples()?
            .into_iter()
            .filter(|line| line.key == made && line.broken_by.is_some())
            .map(|line| line.index)
            .collect();
        let positions: Vec<usize> =
            (0..test.len()).filter(|&at| broken.contains(&test.ids()[at])).collect();
        let features = test.features();
        let values: Vec<f32> =
            positions.iter().flat_map(|&at| &rows[at * features..][..features]).copied().collect();
        let shape = [positions.len(), features];
        let rows = Tensor::from_data(TensorData::new(values, shape), passes.device());
        let adversarial = scores(&**detector, passes, &rows)?;
        cost.forwards = adversarial.len() as u64;

        let correct: Vec<f32> = (0..test.len())
            .filter(|&at| model.predicted[at] == test.label(at))
            .map(|at| clean[at])
            .collect();
        let wide =
            |scores: &mut dyn Iterator<Item = f32>| scores.map(f64::from).collect::<Vec<_>>();
        let negative = wide(&mut positions.iter().map(|&at| clean[at]));
        let positive = wide(&mut adversarial.iter().copied());
        let roc = if positive.is_empty() { None } else { Some(Roc::of(&negative, &positive)?) };
        let interval = roc.as_ref().map(|roc| roc.auc_interval(Confidence::P95));
        let flagged = |scores: &[f32]| -> Vec<u64> {
            let above = |line: &Threshold| scores.iter().filter(|&&s| line.flags(s)).count() as u64;
            thresholds.iter().map(above).collect()
        };
        let measured = Measured::Detection {
            detector: plan.label.clone(),
            method: plan.name.into(),
            config: plan.config.clone(),
            fit: plan.fit.clone(),
            attack: attack.label.clone(),
            seen: plan.fit.contains(&attack.label),
            norm: *norm,
            epsilon: *epsilon,
            adversarial: adversarial.len() as u64,
            auc: roc.as_ref().map(Roc::auc),
            auc_lower: interval.map(|interval| interval.lower),
            auc_upper: interval.map(|interval| interval.upper),
            rates: plan.rates.clone(),
            thresholds: thresholds.iter().map(|line| f64::from(line.value)).collect(),
            flagged_adversarial: flagged(&adversarial),
            clean_correct: correct.len() as u64,
            flagged_clean: flagged(&correct),
        };
        let row = self.row(key, model, &cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &[])
    }

    pub(super) fn seed(&self) -> Seed {
        self.experiment.seed
    }
}

impl From<duress_defenses::detection::Error> for Error {
    fn from(error: duress_defenses::detection::Error) -> Self {
        use duress_defenses::detection::Error as Detection;
        match error {
            Detection::Core(error) => Error::Core(error),
            Detection::Model(error) => Error::Model(error),
            error => Error::Detection(error),
        }
    }
}
