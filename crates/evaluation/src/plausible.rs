//! Does this make sense? What speaks against attacking a model with these data at all.
//!
//! A foreign model meets a user's files; where the two do not fit, each attack "succeeds" and the
//! report is worthless. [`examine`] looks at clean predictions and at the data and says what it
//! saw, with numbers, and what to try; [`refuse`] stops on what makes an attack nonsense.
mod accuracy;
mod assignment;
mod samples;
mod scores;
mod wording;

use std::fmt;

use duress_datasets::Dataset;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Clean predictions of one model on its data.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The samples.
    pub data: &'a Dataset,
    /// The predicted class of each sample.
    pub predicted: &'a [usize],
    /// Classes of the model.
    pub classes: usize,
    /// The model's answers, row-major `[N, classes]`, where it gives any.
    pub logits: Option<&'a [f32]>,
}

/// Another way to hand the samples to the model, tried if the accuracy is no better than chance.
pub struct Alternative<'a> {
    /// What is different, in words: `the channels last`.
    pub name: String,
    /// What the user has to change if it fits.
    pub advice: String,
    /// Predicts the class of each sample that way.
    pub predict: Box<dyn FnOnce() -> Result<Vec<usize>> + 'a>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To be known and reported.
    Warn,
    /// To attack would be nonsense.
    Stop,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Labels that the model has no class for.
    MissingClasses,
    /// All samples have one label.
    OneLabel,
    /// The accuracy is no better than that of a guess.
    Chance,
    /// The model gives one answer to all samples.
    OneAnswer,
    /// The labels are off by one.
    LabelOffset,
    /// The classes are in another order.
    ClassOrder,
    /// The samples fit the model in another form.
    OtherForm,
    /// The pictures look normalised.
    Normalised,
    /// The model answers with numbers that are none.
    NotFinite,
    /// The model answers with probabilities.
    Softmax,
    /// Features that are the same in all samples.
    ConstantFeatures,
    /// Samples that are there more than once.
    Duplicates,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// What it is about.
    pub kind: Kind,
    /// What was seen, with numbers.
    pub seen: String,
    /// What to check or to try.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.seen, self.advice)
    }
}

impl Finding {
    fn new(
        severity: Severity,
        kind: Kind,
        seen: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity, kind, seen: seen.into(), advice: advice.into() }
    }
}

/// What speaks against trusting an attack on this model with these data, the gravest first.
///
/// `alternatives` are called only if the accuracy is no better than a guess and neither the labels
/// nor the order of the classes explain it; the best one that is far better is reported.
///
/// # Errors
/// [`duress_core::Error::Shape`] for lists that do not fit together; the errors of the
/// alternatives.
pub fn examine(subject: &Subject<'_>, alternatives: Vec<Alternative<'_>>) -> Result<Vec<Finding>> {
    let count = subject.data.len();
    check("predictions", count, subject.predicted.len())?;
    if let Some(logits) = subject.logits {
        check("logits", count.saturating_mul(subject.classes), logits.len())?;
    }
    let mut findings: Vec<Finding> = accuracy::missing_classes(subject).into_iter().collect();
    findings.extend(scores::findings(subject));
    findings.extend(accuracy::findings(subject, alternatives)?);
    findings.extend(samples::findings(subject.data));
    // Stable: findings of one severity stay in the order in which they explain each other.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(findings)
}

/// Hands the findings back unless one of them makes an attack on `model` nonsense.
///
/// # Errors
/// [`Error::Implausible`] with all findings if one is a [`Severity::Stop`].
pub fn refuse(model: &str, findings: Vec<Finding>) -> Result<Vec<Finding>> {
    if findings.iter().any(|finding| finding.severity == Severity::Stop) {
        return Err(Error::Implausible { model: model.into(), findings });
    }
    Ok(findings)
}

/// The findings that stop, one after the other.
pub(crate) fn stops(findings: &[Finding]) -> String {
    let stops = findings.iter().filter(|finding| finding.severity == Severity::Stop);
    stops.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn check(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    let (expected, got) = (format!("{expected} for the samples"), got.to_string());
    Err(Error::Core(duress_core::Error::Shape { what, expected, got }))
}

#[cfg(test)]
mod tests;
