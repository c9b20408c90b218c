//! What attacks and proofs say together of each sample, and which samples need no attack.
use std::collections::{HashMap, HashSet};

use duress_certification::Certification;
use duress_core::Norm;

use super::certify::certificate_key;
use super::{Built, Cost, Journal, Runner};
use crate::Result;
use crate::experiment::CertifierPlan;
use crate::row::{Measured, SampleRow};

impl Runner<'_> {
    /// The certifiers that prove something of a model in a norm.
    pub(super) fn provers(&self, model: &str, norm: Norm) -> impl Iterator<Item = &CertifierPlan> {
        let proves = move |plan: &&CertifierPlan| {
            matches!(plan.certifier, Certification::Proved(_))
                && plan.certifier.norm() == norm
                && plan.models.iter().any(|name| name == model)
        };
        self.experiment.certifiers.iter().filter(proves)
    }

    /// The lines of the proofs of a model in a norm.
    pub(super) fn proofs(
        &self,
        model: &Built,
        norm: Norm,
        journal: &Journal,
    ) -> Result<Vec<SampleRow>> {
        let keys: HashSet<String> = self
            .provers(&model.name, norm)
            .map(|plan| certificate_key(&model.name, plan))
            .collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut lines = journal.samples()?;
        lines.retain(|line| keys.contains(&line.key));
        Ok(lines)
    }

    /// Ids of the samples that need no attack in the ball: they are proved, and the experiment
    /// says that is enough.
    pub(super) fn settled(
        &self,
        model: &Built,
        norm: Norm,
        epsilon: f64,
        journal: &Journal,
    ) -> Result<HashSet<u64>> {
        if !self.experiment.skip_certified {
            return Ok(HashSet::new());
        }
        let mut lines = self.proofs(model, norm, journal)?;
        lines.retain(|line| line.robust && line.epsilon >= epsilon);
        Ok(lines.into_iter().map(|line| line.index).collect())
    }

    /// One row for each certifier that proves, threat and radius.
    pub(super) fn two_sided(&self, model: &Built, journal: &mut Journal) -> Result<()> {
        for threat in &self.experiment.threats {
            let norm = threat.norm;
            let proofs = self.proofs(model, norm, journal)?;
            if proofs.is_empty() {
                continue;
            }
            let samples = journal.samples()?;
            for epsilon in threat.epsilons.iter().map(|epsilon| epsilon.get()) {
                let worst = format!("{}/worst-case/{norm}/{epsilon}", model.name);
                let attacked: HashMap<u64, &SampleRow> = samples
                    .iter()
                    .filter(|line| line.key == worst)
                    .map(|line| (line.index, line))
                    .collect();
                for plan in self.provers(&model.name, norm) {
                    let own = certificate_key(&model.name, plan);
                    let key = format!("{own}/two-sided/{norm}/{epsilon}");
                    if journal.has(&key) {
                        continue;
                    }
                    let lines = proofs.iter().filter(|line| line.key == own);
                    let [mut wrong, mut broken, mut proved, mut open] = [0; 4];
                    for line in lines {
                        let Some(attacked) = attacked.get(&line.index) else { continue };
                        let counted = if !attacked.clean_correct {
                            &mut wrong
                        } else if !attacked.robust {
                            &mut broken
                        } else if line.robust && line.epsilon >= epsilon {
                            &mut proved
                        } else {
                            &mut open
                        };
                        *counted += 1;
                    }
                    let certifier = plan.name.to_owned();
                    let measured = Measured::TwoSided {
                        certifier,
                        norm,
                        epsilon,
                        wrong,
                        broken,
                        proved,
                        open,
                    };
                    let mut row = self.row(key, model, &Cost::begin(), measured);
                    row.samples = wrong + broken + proved + open;
                    self.context.observer.row(&row);
                    journal.append(row, &[])?;
                }
            }
        }
        Ok(())
    }
}
