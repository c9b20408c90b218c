//! Attacks one model under every threat, and takes the worst case sample by sample.
use std::collections::{BTreeMap, HashMap};

use burn::prelude::*;
use duress_core::{Goal, Norm, Oracle, Outcome, Problem, Sample, Status, Threat, host, run};
use duress_metrics::{Summary, quantile};

use super::build::BATCH;
use super::phase::Phase;
use super::{Built, Cost, Journal, Runner};
use crate::experiment::{AttackPlan, ThreatPlan};
use crate::row::{Measured, SampleRow};
use crate::run::transfer::Adversarial;
use crate::{Result, short};

/// How a sample was broken: by which attack, and where.
struct Break {
    attack: String,
    distance: f64,
}

impl Runner<'_> {
    pub(super) fn attack(&self, model: &Built, journal: &mut Journal) -> Result<()> {
        for threat in &self.experiment.threats {
            let mut broken: HashMap<u64, Break> = HashMap::new();
            for epsilon in &threat.epsilons {
                let epsilon = epsilon.get();
                let attacks: Vec<&AttackPlan> = self
                    .experiment
                    .attacks
                    .iter()
                    .filter(|plan| plan.supports(threat.norm))
                    .collect();
                for plan in &attacks {
                    self.one(model, threat, epsilon, plan, journal)?;
                }
                self.worst_case(model, threat, epsilon, &attacks, &mut broken, journal)?;
            }
        }
        Ok(())
    }

    /// One attack at one radius on all test samples.
    fn one(
        &self,
        model: &Built,
        threat: &ThreatPlan,
        epsilon: f64,
        plan: &AttackPlan,
        journal: &mut Journal,
    ) -> Result<()> {
        let key = attack_key(&model.name, &plan.label, threat.norm, epsilon);
        if journal.has(&key) {
            return Ok(());
        }
        let mut cost = Cost::begin();
        let (test, device) = (&self.data.test, self.context.passes.device());
        let mut samples: Vec<Sample> = Vec::with_capacity(test.len());
        let mut rows: Vec<Tensor<2>> = Vec::new();
        let what = format!("{}: {} at {} {}", model.name, plan.label, threat.norm, short(epsilon));
        let attempts = u64::from(plan.attack.algorithm().restarts().max(1));
        let phase = Phase::begin(self.context.observer, &what, test.len() as u64 * attempts);
        for batch in test.batches(BATCH) {
            let outcome: Outcome = model.with_oracle(self.context.passes, |oracle| {
                let problem = Problem::new(
                    Oracle::Gradients(oracle),
                    batch.rows(device),
                    Goal::Untargeted(batch.labels.to_vec()),
                    Threat::new(threat.norm, epsilon)?,
                )
                .with_ids(batch.ids.to_vec())
                .with_seed(self.experiment.seed)
                .with_budget(plan.budget)
                .with_progress(&phase);
                run(&plan.attack, &problem)
            })?;
            samples.extend(outcome.samples);
            rows.push(outcome.rows);
        }
        drop(phase);
        let count = |status| samples.iter().filter(|sample| sample.status == status).count() as u64;
        let robust = count(Status::Survived);
        let losses: Vec<f64> = samples.iter().filter_map(|sample| sample.loss).collect();
        let distances: Vec<f64> = samples
            .iter()
            .filter(|sample| sample.status == Status::Broken)
            .map(|sample| sample.distance)
            .collect();
        cost.forwards = samples.iter().map(|sample| sample.forwards).sum();
        cost.backwards = samples.iter().map(|sample| sample.backwards).sum();
        let measured = Measured::Attack {
            attack: plan.label.clone(),
            algorithm: plan.name.into(),
            config: plan.config.clone(),
            norm: threat.norm,
            epsilon,
            budget: plan.budget,
            clean_correct: robust + count(Status::Broken),
            robust_correct: robust,
            adversarial_loss: Summary::of(&losses)?.map(|summary| summary.mean),
            median_distance: quantile(&distances, 0.5)?,
        };
        if same(epsilon, threat.headline()) {
            let values = host::floats(Tensor::cat(rows, 0))?;
            Adversarial { key: &key, test, values: &values }.save(journal.folder())?;
        }
        let lines: Vec<SampleRow> = samples
            .iter()
            .map(|sample| SampleRow {
                key: key.clone(),
                model: model.name.clone(),
                attack: plan.label.clone(),
                norm: threat.norm,
                epsilon,
                index: sample.id,
                label: sample.label,
                predicted: Some(sample.clean_prediction),
                confidence: sample.clean_confidence,
                clean_correct: sample.status != Status::AlreadyMet,
                robust: sample.status == Status::Survived,
                broken_by: (sample.status == Status::Broken).then(|| plan.label.clone()),
                distance: (sample.status == Status::Broken).then_some(sample.distance),
                adversarial: Some(sample.prediction),
                adversarial_confidence: sample.confidence,
                queries: sample.forwards,
                gradients: sample.backwards,
            })
            .collect();
        let row = self.row(key, model, &cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &lines)
    }

    /// The worst case over `attacks` at this radius and the smaller ones, whose points are in
    /// this ball too.
    fn worst_case(
        &self,
        model: &Built,
        threat: &ThreatPlan,
        epsilon: f64,
        attacks: &[&AttackPlan],
        broken: &mut HashMap<u64, Break>,
        journal: &mut Journal,
    ) -> Result<()> {
        let (test, norm) = (&self.data.test, threat.norm);
        let mut spent: HashMap<u64, (u64, u64)> = HashMap::new();
        let keys: Vec<String> = attacks
            .iter()
            .map(|plan| attack_key(&model.name, &plan.label, norm, epsilon))
            .collect();
        for sample in journal.samples()?.into_iter().filter(|sample| keys.contains(&sample.key)) {
            let (queries, gradients) = spent.entry(sample.index).or_default();
            *queries += sample.queries;
            *gradients += sample.gradients;
            if let (Some(attack), Some(distance)) = (sample.broken_by, sample.distance) {
                broken.entry(sample.index).or_insert(Break { attack, distance });
            }
        }
        let key = format!("{}/worst-case/{norm}/{epsilon}", model.name);
        if journal.has(&key) {
            return Ok(());
        }
        let mut lines = Vec::with_capacity(test.len());
        let mut broken_by: BTreeMap<String, u64> = BTreeMap::new();
        for (index, (&id, &label)) in test.ids().iter().zip(test.labels()).enumerate() {
            let predicted = model.predicted[index];
            let correct = predicted == label;
            let by = broken.get(&id);
            if let Some(by) = by {
                *broken_by.entry(by.attack.clone()).or_default() += 1;
            }
            let (queries, gradients) = spent.get(&id).copied().unwrap_or_default();
            lines.push(SampleRow {
                key: key.clone(),
                model: model.name.clone(),
                attack: "worst-case".into(),
                norm,
                epsilon,
                index: id,
                label,
                predicted: Some(predicted),
                confidence: None,
                clean_correct: correct,
                robust: correct && by.is_none(),
                broken_by: by.map(|by| by.attack.clone()),
                distance: by.map(|by| by.distance),
                adversarial: None,
                adversarial_confidence: None,
                queries,
                gradients,
            });
        }
        let mut cost = Cost::begin();
        cost.forwards = spent.values().map(|(queries, _)| queries).sum();
        cost.backwards = spent.values().map(|(_, gradients)| gradients).sum();
        let measured = Measured::WorstCase {
            norm,
            epsilon,
            headline: same(epsilon, threat.headline()),
            attacks: attacks.iter().map(|plan| plan.label.clone()).collect(),
            clean_correct: lines.iter().filter(|line| line.clean_correct).count() as u64,
            robust_correct: lines.iter().filter(|line| line.robust).count() as u64,
            broken_by,
        };
        let row = self.row(key, model, &cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &lines)
    }
}

/// Whether two radii are the same number, as read from the same file.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

pub(super) fn attack_key(model: &str, attack: &str, norm: Norm, epsilon: f64) -> String {
    format!("{model}/{attack}/{norm}/{epsilon}")
}
