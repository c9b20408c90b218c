//! The independent check of what an attack returns.
use burn::prelude::*;

use crate::classifier::arg_max;
use crate::oracle::Oracle;
use crate::{Domain, Error, Goal, Norm, Result, Threat, host};

/// A distance may exceed its radius by this much, relative, plus what storing the two points in
/// f32 can move them.
const SLACK: f64 = 1e-6;

/// What was measured on one returned row.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) met: bool,
    pub(crate) prediction: usize,
    pub(crate) confidence: Option<f32>,
    pub(crate) loss: Option<f64>,
    pub(crate) distance: f64,
}

impl Verdict {
    /// Whether this attempt replaces `old`: success first, then the smaller distance among
    /// successes and the higher loss (lower for a target) among failures.
    pub(crate) fn improves(&self, old: &Verdict, targeted: bool) -> bool {
        match (self.met, old.met) {
            (true, false) => true,
            (false, true) => false,
            (true, true) => self.distance < old.distance,
            (false, false) => match (self.loss, old.loss) {
                (Some(new), Some(old)) if targeted => new < old,
                (Some(new), Some(old)) => new > old,
                _ => false,
            },
        }
    }
}

/// Holds the clean rows on the host, in full precision.
pub(crate) struct Verifier<'a> {
    oracle: Oracle<'a>,
    algorithm: &'static str,
    clean: Vec<f32>,
    rows: Tensor<2>,
    norm: Norm,
    radii: Vec<f64>,
    ids: &'a [u64],
}

impl<'a> Verifier<'a> {
    /// Checks that the clean rows lie in the domain.
    pub(crate) fn new(
        oracle: Oracle<'a>,
        algorithm: &'static str,
        rows: Tensor<2>,
        threat: &Threat,
        ids: &'a [u64],
    ) -> Result<Self> {
        let clean = host::floats(rows.clone())?;
        oracle.labels().domain().check(&clean)?;
        let radii = threat.radii(rows.dims()[0])?;
        Ok(Self { oracle, algorithm, clean, rows, norm: threat.norm(), radii, ids })
    }

    /// Verdicts at the clean rows.
    pub(crate) fn clean(&self, goal: &Goal) -> Result<Vec<Verdict>> {
        let all: Vec<usize> = (0..self.ids.len()).collect();
        self.check(&all, self.rows.clone(), goal)
    }

    /// Verdicts of `rows`, which stand at `positions` of the batch.
    pub(crate) fn check(
        &self,
        positions: &[usize],
        rows: Tensor<2>,
        goal: &Goal,
    ) -> Result<Vec<Verdict>> {
        let labels: Vec<usize> = positions.iter().map(|&at| goal.labels()[at]).collect();
        let answers = self.answers(positions, rows.clone(), &labels)?;
        let values = host::floats(rows)?;
        let domain = self.oracle.labels().domain();
        let features = domain.features();
        let mut verdicts = Vec::with_capacity(positions.len());
        for (index, (&at, answer)) in positions.iter().zip(answers).enumerate() {
            let row = &values[index * features..(index + 1) * features];
            let distance = self.distance(at, row, domain)?;
            let Answer { prediction, confidence, loss } = answer;
            let met = goal.is_met(at, prediction);
            verdicts.push(Verdict { met, prediction, confidence, loss, distance });
        }
        Ok(verdicts)
    }

    /// What the model answers to each row, from a fresh pass.
    fn answers(
        &self,
        positions: &[usize],
        rows: Tensor<2>,
        labels: &[usize],
    ) -> Result<Vec<Answer>> {
        let Some(oracle) = self.oracle.scores() else {
            let predicted = host::labels(self.oracle.labels().labels(rows)?)?;
            let answer = |prediction| Answer { prediction, confidence: None, loss: None };
            return Ok(predicted.into_iter().map(answer).collect());
        };
        let classes = oracle.classes();
        let logits = host::floats(oracle.logits(rows)?)?;
        let rows = logits.chunks_exact(classes).zip(labels).enumerate();
        rows.map(|(index, (logits, &label))| {
            if logits.iter().any(|logit| !logit.is_finite()) {
                return Err(Error::LogitsNotFinite { sample: self.ids[positions[index]] });
            }
            Ok(answer(logits, label))
        })
        .collect()
    }

    fn distance(&self, at: usize, row: &[f32], domain: &Domain) -> Result<f64> {
        let features = domain.features();
        let clean = &self.clean[at * features..(at + 1) * features];
        let sample = self.ids[at];
        for (feature, &value) in row.iter().enumerate() {
            let inside = domain.lower().at(feature) <= value && value <= domain.upper().at(feature);
            let frozen = domain.immutable().binary_search(&feature).is_ok();
            #[expect(clippy::float_cmp, reason = "an immutable feature keeps its bits")]
            if !inside || (frozen && value != clean[feature]) {
                let algorithm = self.algorithm;
                return Err(Error::OutsideDomain { algorithm, sample, feature, value });
            }
        }
        let delta: Vec<f64> =
            row.iter().zip(clean).map(|(&new, &old)| f64::from(new) - f64::from(old)).collect();
        let distance = self.norm.of_slice(&delta);
        let radius = self.radii[at];
        if distance > radius * (1.0 + SLACK) + self.rounding(row, clean) {
            let (algorithm, norm) = (self.algorithm, self.norm);
            return Err(Error::OutsideBall { algorithm, sample, norm, distance, radius });
        }
        Ok(distance)
    }

    /// How far storing a changed row in f32 can move it: one unit in the last place a feature.
    fn rounding(&self, row: &[f32], clean: &[f32]) -> f64 {
        if self.norm == Norm::L0 {
            return 0.0;
        }
        let place = |(&new, &old): (&f32, &f32)| {
            let changed = f64::from(u8::from(new.to_bits() != old.to_bits()));
            changed * f64::from(new.abs().max(old.abs())) * f64::from(f32::EPSILON)
        };
        self.norm.of_slice(&row.iter().zip(clean).map(place).collect::<Vec<_>>())
    }
}

/// What the model answers to one row.
struct Answer {
    prediction: usize,
    confidence: Option<f32>,
    loss: Option<f64>,
}

/// Arg max (ties to the lowest class), its softmax, and `−log softmax` of the label, in f64.
fn answer(logits: &[f32], label: usize) -> Answer {
    let best = arg_max(logits);
    let top = f64::from(logits[best]);
    let total: f64 = logits.iter().map(|&logit| (f64::from(logit) - top).exp()).sum();
    Answer {
        prediction: best,
        confidence: Some(total.recip() as f32),
        loss: Some(total.ln() + top - f64::from(logits[label])),
    }
}
