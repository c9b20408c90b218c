//! Attacks on a model and its detector together.
use std::collections::HashSet;
use std::sync::Arc;

use duress_core::{Cut, Norm, Oracle, Problem, Status, Threat, WhiteBox, run};
use duress_defenses::Guarded;

use super::build::BATCH;
use super::detect::Fitted;
use super::{Built, Cost, Journal, Runner};
use crate::Result;
use crate::experiment::{AdaptivePlan, DetectorPlan};
use crate::row::Measured;

/// Name of the worst case over the attacks in rows.
pub(crate) const WORST_CASE: &str = "worst-case";

/// The attacks on both that run under one norm, at each rate of false positives.
pub(super) struct Evasion<'a> {
    attacks: Vec<&'a AdaptivePlan>,
    rates: &'a [f64],
}

impl<'a> Evasion<'a> {
    pub(super) fn of(plan: &'a DetectorPlan, norm: Norm) -> Self {
        let supports = |one: &&AdaptivePlan| one.attack.algorithm().norms().contains(&norm);
        Self { attacks: plan.adaptive.iter().filter(supports).collect(), rates: &plan.rates }
    }

    /// Names of all that is measured at a rate.
    fn names(&self) -> impl Iterator<Item = &str> {
        let worst = (!self.attacks.is_empty()).then_some(WORST_CASE);
        self.attacks.iter().map(|attack| attack.label.as_str()).chain(worst)
    }

    /// The keys of its rows.
    pub(super) fn keys(&self, key: &impl Fn(&str) -> String) -> Vec<String> {
        let at = |rate| self.names().map(move |name| key(&named(name, rate)));
        self.rates.iter().flat_map(|&rate| at(rate)).collect()
    }
}

fn named(attack: &str, rate: f64) -> String {
    format!("evaded-by/{attack}/{rate}")
}

impl Runner<'_> {
    /// Every attack on both at every rate, and the worst case over the attacks, sample by sample.
    pub(super) fn evade(
        &self,
        model: &Built,
        fitted: &Fitted<'_>,
        evasion: &Evasion<'_>,
        key: &impl Fn(&str) -> String,
        journal: &mut Journal,
    ) -> Result<()> {
        let observer = self.context.observer;
        for (place, &rate) in evasion.rates.iter().enumerate() {
            let keys: Vec<String> = evasion.names().map(|name| key(&named(name, rate))).collect();
            if keys.iter().all(|key| journal.has(key)) {
                observer.advance(keys.len() as u64);
                continue;
            }
            let guarded = Guarded::new(Arc::clone(&fitted.detector), fitted.thresholds[place]);
            let mut worst = Evaded::default();
            let mut all = Cost::begin();
            for (plan, key) in evasion.attacks.iter().zip(&keys) {
                let mut cost = Cost::begin();
                let evaded = self.evaded(&guarded, plan, fitted, &mut cost)?;
                worst.join(&evaded);
                all.forwards += cost.forwards;
                all.backwards += cost.backwards;
                let what = (plan.label.as_str(), plan.config.clone());
                let measured = self.undetected(model, fitted, place, what, &evaded);
                self.keep(key, model, &cost, measured, journal)?;
                observer.advance(1);
            }
            if let Some(key) = keys.get(evasion.attacks.len()) {
                let names: Vec<&str> =
                    evasion.attacks.iter().map(|plan| plan.label.as_str()).collect();
                let what = (WORST_CASE, serde_json::json!({ "attacks": names }));
                let measured = self.undetected(model, fitted, place, what, &worst);
                self.keep(key, model, &all, measured, journal)?;
                observer.advance(1);
            }
        }
        Ok(())
    }

    fn keep(
        &self,
        key: &str,
        model: &Built,
        cost: &Cost,
        measured: Measured,
        journal: &mut Journal,
    ) -> Result<()> {
        if journal.has(key) {
            return Ok(());
        }
        let row = self.row(key.to_owned(), model, cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &[])
    }

    /// One attack on all test samples.
    fn evaded(
        &self,
        guarded: &Guarded,
        plan: &AdaptivePlan,
        fitted: &Fitted<'_>,
        cost: &mut Cost,
    ) -> Result<Evaded> {
        let (test, passes) = (&self.data.test, self.context.passes);
        let oracle = WhiteBox::with_cut(guarded, passes, Cut::FULL);
        let threat = Threat::new(fitted.norm, fitted.epsilon)?;
        let mut evaded = Evaded::default();
        for batch in test.batches(BATCH) {
            let goal = guarded.goal(batch.labels.to_vec());
            let rows = batch.rows(passes.device());
            let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat.clone())
                .with_ids(batch.ids.to_vec())
                .with_seed(self.seed());
            for sample in run(&plan.attack, &problem)?.samples {
                cost.forwards += sample.forwards;
                cost.backwards += sample.backwards;
                match sample.status {
                    Status::AlreadyMet => evaded.wrong.insert(sample.id),
                    Status::Broken => evaded.broken.insert(sample.id),
                    Status::Survived => false,
                };
            }
        }
        Ok(evaded)
    }

    fn undetected(
        &self,
        model: &Built,
        fitted: &Fitted<'_>,
        place: usize,
        (attack, config): (&str, serde_json::Value),
        evaded: &Evaded,
    ) -> Measured {
        let (test, line) = (&self.data.test, fitted.thresholds[place]);
        let passed =
            |at: &usize| model.predicted[*at] == test.label(*at) && !line.flags(fitted.clean[*at]);
        Measured::Undetected {
            detector: fitted.plan.label.clone(),
            method: fitted.plan.name.into(),
            attack: attack.to_owned(),
            config,
            norm: fitted.norm,
            epsilon: fitted.epsilon,
            rate: fitted.plan.rates[place],
            threshold: f64::from(line.value),
            clean_passed: (0..test.len()).filter(passed).count() as u64,
            wrong_passed: evaded.wrong.len() as u64,
            evaded: evaded.broken.len() as u64,
        }
    }
}

/// Samples that are misclassified and not detected.
#[derive(Default)]
struct Evaded {
    /// Without an attack.
    wrong: HashSet<u64>,
    /// By the attack.
    broken: HashSet<u64>,
}

impl Evaded {
    fn join(&mut self, other: &Self) {
        self.wrong.extend(&other.wrong);
        self.broken.extend(&other.broken);
    }
}
