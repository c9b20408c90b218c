//! Certifies one model, and confronts its certificates with what the attacks found.
use duress_core::Norm;
use duress_metrics::{Distance, average_certified_radius};

use super::transfer::Adversarial;
use super::{Built, Cost, Journal, Runner};
use crate::experiment::CertifierPlan;
use crate::row::{Measured, SampleRow};
use crate::{Error, Result};

impl Runner<'_> {
    pub(super) fn certify(&self, model: &Built, journal: &mut Journal) -> Result<()> {
        for plan in &self.experiment.certifiers {
            if plan.models.contains(&model.name) {
                self.certify_with(model, plan, journal)?;
            }
        }
        Ok(())
    }

    fn certify_with(
        &self,
        model: &Built,
        plan: &CertifierPlan,
        journal: &mut Journal,
    ) -> Result<()> {
        let digest = super::build::digest(&[&plan.config.to_string()]);
        let key = format!("{}/{}/{}", model.name, plan.name, &digest[..8]);
        if journal.has(&key) {
            return Ok(());
        }
        let mut cost = Cost::begin();
        let (test, passes) = (&self.data.test, self.context.passes);
        let count = plan.samples.map_or(test.len(), |samples| samples.min(test.len()));
        let observer = self.context.observer;
        observer.begin(&format!("{}: {}", model.name, plan.name), count as u64);
        let mut lines = Vec::with_capacity(count);
        let mut certificates = Vec::with_capacity(count);
        let (mut abstained, mut failure_probability) = (0, 0.0_f64);
        for index in 0..count {
            let row = test.rows(index..index + 1, passes.device());
            let sample = (self.experiment.seed, test.ids()[index]);
            let certificate =
                plan.certifier.certify(model.classifier.as_ref(), passes, row, sample, observer)?;
            let label = test.label(index);
            let correct = certificate.prediction == Some(label);
            abstained += u64::from(certificate.prediction.is_none());
            failure_probability = failure_probability.max(certificate.failure_probability);
            cost.forwards += certificate.forwards;
            certificates.push(correct.then_some(certificate.radius));
            lines.push(SampleRow {
                key: key.clone(),
                model: model.name.clone(),
                attack: plan.name.into(),
                norm: plan.certifier.norm(),
                epsilon: certificate.radius,
                index: test.ids()[index],
                label,
                predicted: certificate.prediction,
                confidence: None,
                clean_correct: correct,
                robust: correct && certificate.radius > 0.0,
                broken_by: None,
                distance: None,
                adversarial: None,
                adversarial_confidence: None,
                queries: certificate.forwards,
                gradients: 0,
            });
            observer.advance(1);
        }
        observer.end();
        let radii: Vec<f64> = plan.radii.iter().map(|radius| radius.get()).collect();
        let curve = duress_metrics::certified(&certificates, &radii)?;
        let measured = Measured::Certified {
            certifier: plan.name.into(),
            config: plan.config.clone(),
            norm: plan.certifier.norm(),
            certified_correct: curve.points.iter().map(|p| p.accuracy.successes()).collect(),
            radii,
            abstained,
            average_radius: average_certified_radius(&certificates)?.unwrap_or(0.0),
            failure_probability,
        };
        let mut row = self.row(key, model, &cost, measured);
        row.samples = count as u64;
        observer.row(&row);
        journal.append(row, &lines)
    }

    /// A deterministic certificate and an adversarial point inside it cannot both be right.
    ///
    /// A smoothing certificate is about the smoothed classifier and holds with a probability;
    /// what the attacks broke is the base classifier. Only certificates without a failure
    /// probability are confronted.
    pub(super) fn contradictions(&self, model: &Built, journal: &Journal) -> Result<()> {
        let proofs: Vec<(&str, Norm)> = journal
            .rows()
            .iter()
            .filter(|row| row.model == model.name)
            .filter_map(|row| match &row.measured {
                Measured::Certified { norm, failure_probability, .. }
                    if *failure_probability <= 0.0 =>
                {
                    Some((row.key.as_str(), *norm))
                }
                _ => None,
            })
            .collect();
        if proofs.is_empty() {
            return Ok(());
        }
        let samples = journal.samples()?;
        let attacks = journal.rows().iter().filter(|row| row.model == model.name);
        for row in attacks {
            let Measured::Attack { attack, .. } = &row.measured else { continue };
            let Some(stored) = Adversarial::load(journal.folder(), &row.key)? else { continue };
            let clean = self.data.test.values();
            let features = self.data.test.features();
            for (position, &id) in self.data.test.ids().iter().enumerate() {
                let at = position * features..(position + 1) * features;
                let distance = Distance::between(&clean[at.clone()], &stored[at])?;
                let broken = samples.iter().any(|sample| {
                    sample.key == row.key && sample.index == id && sample.broken_by.is_some()
                });
                for sample in samples.iter().filter(|sample| broken && sample.index == id) {
                    let Some((_, norm)) = proofs.iter().find(|(key, _)| *key == sample.key) else {
                        continue;
                    };
                    let distance = match norm {
                        Norm::L0 => distance.l0 as f64,
                        Norm::L1 => distance.l1,
                        Norm::L2 => distance.l2,
                        Norm::Linf => distance.linf,
                    };
                    if sample.robust && distance <= sample.epsilon {
                        return Err(Error::Contradiction {
                            model: model.name.clone(),
                            sample: id,
                            certified: sample.epsilon,
                            attack: attack.clone(),
                            distance,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}
