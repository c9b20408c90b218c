//! Attacks one model under every threat, and takes the worst case sample by sample.
use std::collections::{BTreeMap, HashMap};

use duress_core::{Norm, Sample, Status};
use duress_metrics::{Summary, quantile};

use super::attacked::{Attacked, Question};
use super::parts::Parts;
use super::{Built, Cost, Journal, Runner};
use crate::Result;
use crate::experiment::{AttackPlan, ThreatPlan};
use crate::row::{Measured, SampleRow};
use crate::run::transfer::Adversarial;

/// How a sample was broken: by which attack, and where.
struct Break {
    attack: String,
    distance: f64,
}

/// The searches of the nearest point of one model and norm, by label: each answers for all radii,
/// and each of its rows states what the one search cost.
type Nearest = HashMap<String, Attacked>;

impl Runner<'_> {
    /// Attacks `model`; `models` holds the surrogates.
    pub(super) fn attack(
        &self,
        model: &Built,
        models: &[Built],
        journal: &mut Journal,
    ) -> Result<()> {
        let latent = model.subject().latent_attack();
        for threat in &self.experiment.threats {
            let mut broken: HashMap<u64, Break> = HashMap::new();
            let mut nearest = Nearest::new();
            for epsilon in &threat.epsilons {
                let epsilon = epsilon.get();
                let attacks: Vec<&AttackPlan> = self
                    .experiment
                    .attacks
                    .iter()
                    .chain(&latent)
                    .filter(|plan| plan.supports(threat.norm))
                    .filter(|plan| plan.surrogate.as_deref() != Some(model.name.as_str()))
                    .collect();
                for plan in &attacks {
                    let surrogate = plan
                        .surrogate
                        .as_ref()
                        .and_then(|name| models.iter().find(|other| other.name == *name));
                    let models = (model, surrogate);
                    self.one(models, threat, epsilon, plan, &mut nearest, journal)?;
                }
                self.worst_case(model, threat, epsilon, &attacks, &mut broken, journal)?;
            }
        }
        Ok(())
    }

    /// One attack at one radius on all test samples.
    fn one(
        &self,
        (model, surrogate): (&Built, Option<&Built>),
        threat: &ThreatPlan,
        epsilon: f64,
        plan: &AttackPlan,
        nearest: &mut Nearest,
        journal: &mut Journal,
    ) -> Result<()> {
        let norm = threat.norm;
        let key = attack_key(&model.name, &plan.label, norm, epsilon);
        if journal.has(&key) {
            return Ok(());
        }
        let test = &self.data.test;
        let question = Question::of(plan, epsilon);
        let parts = Parts::of(
            journal,
            &match question {
                Question::Within(_) => key.clone(),
                Question::Nearest => format!("{}/{}/{norm}/nearest", model.name, plan.label),
            },
        );
        let mut cost = Cost::begin();
        // One search of the nearest point answers for all radii.
        let reach = match question {
            Question::Within(epsilon) => epsilon,
            Question::Nearest => threat.epsilons.last().map_or(epsilon, |last| last.get()),
        };
        let settled = self.settled(model, norm, reach, journal)?;
        let search = || self.attacked(model, surrogate, plan, norm, question, (&parts, &settled));
        let (attacked, distances) = match question {
            Question::Within(_) => {
                let attacked = search()?;
                let distances = distances(&attacked.samples);
                (attacked, distances)
            }
            Question::Nearest => {
                if !nearest.contains_key(&plan.label) {
                    nearest.insert(plan.label.clone(), search()?);
                }
                let found = &nearest[&plan.label];
                (found.within(epsilon, test.values()), distances(&found.samples))
            }
        };
        let Attacked { samples, rows, stages, seconds, .. } = attacked;
        cost.seconds = Some(seconds);
        let count = |status| samples.iter().filter(|sample| sample.status == status).count() as u64;
        let robust = count(Status::Survived);
        let refused = self.refusals(model, &samples, robust);
        let losses: Vec<f64> = samples.iter().filter_map(|sample| sample.loss).collect();
        let complete = losses.len() == samples.len();
        cost.forwards = samples.iter().map(|sample| sample.forwards).sum();
        cost.backwards = samples.iter().map(|sample| sample.backwards).sum();
        let measured = Measured::Attack {
            attack: plan.label.clone(),
            algorithm: plan.name.into(),
            config: plan.config.clone(),
            norm,
            epsilon,
            budget: plan.budget,
            surrogate: plan.surrogate.clone(),
            model_draws: surrogate
                .unwrap_or(model)
                .subject()
                .is_random()
                .then(|| plan.model_draws.unwrap_or(AttackPlan::DRAWS))
                .filter(|_| !plan.passes_by()),
            unaware: !plan.aware,
            stages: if stages.len() > 1 { stages } else { Vec::new() },
            proved: settled.len() as u64,
            clean_correct: robust + count(Status::Broken),
            robust_correct: robust,
            abstained: refused.map(|(count, _)| count),
            mean_cost: refused.map(|(_, cost)| cost),
            adversarial_loss: Summary::of(&losses)?.filter(|_| complete).map(|loss| loss.mean),
            median_distance: quantile(&distances, 0.5)?,
        };
        if same(epsilon, threat.headline()) {
            Adversarial { key: &key, test, values: &rows }.save(journal.folder())?;
        }
        let line = |sample: &Sample| SampleRow {
            key: key.clone(),
            model: model.name.clone(),
            attack: plan.label.clone(),
            norm,
            epsilon,
            index: sample.id,
            label: sample.label,
            predicted: Some(sample.clean_prediction),
            confidence: sample.clean_confidence,
            clean_correct: sample.status != Status::AlreadyMet,
            robust: sample.status == Status::Survived,
            broken_by: sample.broken_by.clone(),
            distance: (sample.status == Status::Broken).then_some(sample.distance),
            adversarial: Some(sample.prediction),
            adversarial_confidence: sample.confidence,
            queries: sample.forwards,
            gradients: sample.backwards,
            certified: None,
        };
        let lines: Vec<SampleRow> = samples.iter().map(line).collect();
        let row = self.row(key.clone(), model, &cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &lines)?;
        let last = threat.epsilons.last().is_some_and(|last| same(last.get(), epsilon));
        if last || matches!(question, Question::Within(_)) { parts.clear() } else { Ok(()) }
    }

    /// Of a model that may refuse: refusals among the `robust` samples, and the mean cost of an
    /// answer under the attack.
    fn refusals(&self, model: &Built, samples: &[Sample], robust: u64) -> Option<(u64, f64)> {
        let (refusal, all) = (model.refusal?, self.data.test.len() as u64);
        let refuses = |sample: &&Sample| {
            sample.status == Status::Survived && sample.prediction == refusal.class
        };
        let abstained = samples.iter().filter(refuses).count() as u64;
        // Those refused before were not attacked.
        let before = model.predicted.iter().filter(|class| **class == refusal.class).count() as u64;
        let wrong = all - robust - before;
        Some((abstained, refusal.mean_cost(wrong, abstained + before, all)))
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
        let mut names: Vec<String> = attacks.iter().map(|plan| plan.label.clone()).collect();
        // What a proof attempt refuted is broken too.
        for line in self.proofs(model, norm, journal)? {
            if let (Some(by), Some(distance)) = (line.broken_by, line.distance)
                && distance <= epsilon
            {
                if !names.contains(&by) {
                    names.push(by.clone());
                }
                broken.entry(line.index).or_insert(Break { attack: by, distance });
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
                certified: None,
            });
        }
        let mut cost = Cost::begin();
        cost.forwards = spent.values().map(|(queries, _)| queries).sum();
        cost.backwards = spent.values().map(|(_, gradients)| gradients).sum();
        let measured = Measured::WorstCase {
            norm,
            epsilon,
            headline: same(epsilon, threat.headline()),
            attacks: names,
            clean_correct: lines.iter().filter(|line| line.clean_correct).count() as u64,
            robust_correct: lines.iter().filter(|line| line.robust).count() as u64,
            broken_by,
        };
        let row = self.row(key, model, &cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &lines)
    }
}

/// How far the points lie that met the goal.
fn distances(samples: &[Sample]) -> Vec<f64> {
    let broken = samples.iter().filter(|sample| sample.status == Status::Broken);
    broken.map(|sample| sample.distance).collect()
}

/// Whether two radii are the same number, as read from the same file.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
}

pub(crate) fn attack_key(model: &str, attack: &str, norm: Norm, epsilon: f64) -> String {
    format!("{model}/{attack}/{norm}/{epsilon}")
}
