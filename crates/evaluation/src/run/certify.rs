//! Certifies one model.
use std::ops::Range;
use std::time::Instant;

use duress_certification::{Certificate, Certification, Certifier};
use duress_metrics::average_certified_radius;
use serde::{Deserialize, Serialize};

use super::parts::Parts;
use super::{Built, Cost, Journal, Runner};
use crate::Result;
use crate::experiment::CertifierPlan;
use crate::row::{Measured, SampleRow};

/// What a certifier found of one sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) certificate: Certificate,
    /// Where the certificate ends, if the certifier knows.
    pub(super) refuted: Option<Refuted>,
}

/// A point of another class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refuted {
    pub(super) distance: f64,
    pub(super) prediction: usize,
}

/// What a batch of samples left, kept on disk until the row is written.
#[derive(Serialize, Deserialize)]
struct Batch {
    seconds: f64,
    found: Vec<Found>,
}

/// Samples of a part: no more than these are done again after a kill.
const TOGETHER: usize = 16;

impl Runner<'_> {
    /// Proofs first, where `proofs` says so, or else the certifiers that sample.
    pub(super) fn certify(&self, model: &Built, proofs: bool, journal: &mut Journal) -> Result<()> {
        for plan in &self.experiment.certifiers {
            let proves = matches!(plan.certifier, Certification::Proved(_));
            if proves == proofs && plan.models.contains(&model.name) {
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
        let key = certificate_key(&model.name, plan);
        if journal.has(&key) {
            return Ok(());
        }
        let parts = Parts::of(journal, &key);
        let test = &self.data.test;
        let count = plan.count(test.len());
        let observer = self.context.observer;
        observer.begin(&format!("{}: {}", model.name, plan.name), count as u64);
        let network = match &plan.certifier {
            Certification::Proved(_) => Some(self.network(model)?),
            Certification::Sampled(_) => None,
        };
        let (mut found, mut cost) = (Vec::with_capacity(count), Cost::begin());
        let mut seconds = 0.0;
        for (part, first) in (0..count).step_by(TOGETHER).enumerate() {
            let samples = first..count.min(first + TOGETHER);
            let length = samples.len();
            let batch = parts.table(part, || {
                let begun = Instant::now();
                let found = match (&plan.certifier, &network) {
                    (Certification::Sampled(certifier), _) => {
                        self.sample(model, certifier.as_ref(), samples)?
                    }
                    (Certification::Proved(prover), Some(network)) => {
                        let radii: Vec<f64> = plan.radii.iter().map(|one| one.get()).collect();
                        self.prove(network, prover.as_ref(), &radii, samples)?
                    }
                    // The network was made for exactly these.
                    (Certification::Proved(_), None) => Vec::new(),
                };
                Ok(Batch { seconds: begun.elapsed().as_secs_f64(), found })
            })?;
            seconds += batch.seconds;
            found.extend(batch.found);
            observer.advance(length as u64);
        }
        observer.end();
        cost.seconds = Some(seconds);
        cost.forwards = found.iter().map(|one| one.certificate.forwards).sum();
        let lines: Vec<SampleRow> = found
            .iter()
            .enumerate()
            .map(|(index, found)| self.line(&key, model, plan, index, found))
            .collect();
        let certificates: Vec<Option<f64>> =
            lines.iter().map(|line| line.clean_correct.then_some(line.epsilon)).collect();
        let radii: Vec<f64> = plan.radii.iter().map(|radius| radius.get()).collect();
        let curve = duress_metrics::certified(&certificates, &radii)?;
        let failure = |found: &Found| found.certificate.failure_probability;
        let measured = Measured::Certified {
            certifier: plan.name.into(),
            config: plan.config.clone(),
            norm: plan.certifier.norm(),
            certified_correct: curve.points.iter().map(|p| p.accuracy.successes()).collect(),
            radii,
            abstained: lines.iter().filter(|line| line.predicted.is_none()).count() as u64,
            average_radius: average_certified_radius(&certificates)?.unwrap_or(0.0),
            failure_probability: found.iter().map(failure).fold(0.0, f64::max),
        };
        let mut row = self.row(key, model, &cost, measured);
        row.samples = count as u64;
        observer.row(&row);
        journal.append(row, &lines)?;
        parts.clear()
    }

    fn sample(
        &self,
        model: &Built,
        certifier: &dyn Certifier,
        samples: Range<usize>,
    ) -> Result<Vec<Found>> {
        let (test, passes) = (&self.data.test, self.context.passes);
        let classifier = model.classifier("a certifier")?;
        samples
            .map(|index| {
                let row = test.rows(index..index + 1, passes.device());
                let sample = (self.experiment.seed, test.ids()[index]);
                let observer = self.context.observer;
                let certificate =
                    certifier.certify(classifier.as_ref(), passes, row, sample, observer)?;
                Ok(Found { certificate, refuted: None })
            })
            .collect()
    }

    fn line(
        &self,
        key: &str,
        model: &Built,
        plan: &CertifierPlan,
        index: usize,
        Found { certificate, refuted }: &Found,
    ) -> SampleRow {
        let (test, label) = (&self.data.test, self.data.test.label(index));
        let correct = certificate.prediction == Some(label);
        let refuted = refuted.as_ref().filter(|_| correct);
        SampleRow {
            key: key.to_owned(),
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
            broken_by: refuted.map(|_| plan.name.to_owned()),
            distance: refuted.map(|refuted| refuted.distance),
            adversarial: refuted.map(|refuted| refuted.prediction),
            adversarial_confidence: None,
            queries: certificate.forwards,
            gradients: 0,
            certified: None,
        }
    }
}

impl CertifierPlan {
    /// How many of `all` samples it certifies.
    pub(super) fn count(&self, all: usize) -> usize {
        self.samples.map_or(all, |samples| samples.min(all))
    }
}

/// The key of a certifier's row of a model.
pub(super) fn certificate_key(model: &str, plan: &CertifierPlan) -> String {
    let digest = super::build::digest(&[&plan.config.to_string()]);
    format!("{model}/{}/{}", plan.name, &digest[..8])
}
