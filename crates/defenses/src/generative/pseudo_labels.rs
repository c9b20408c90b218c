//! Generated rows with the classes that a classifier gives them: training data from a generator.
//!
//! Gowal, Rebuffi, Wiles, Stimberg, Calian, Mann. *Improving Robustness using Generated Data.*
//! `NeurIPS` 2021, §4.2 (pseudo-labels). <https://arxiv.org/abs/2110.09468>
use burn::prelude::*;
use duress_core::{Classifier, Error, Passes, Progress, Result, Seed, predictions};

use super::sampler::RowSampler;

/// Rows drawn at a time.
const AT_ONCE: u64 = 256;

/// Draws for each row that is wanted, after which a search for confident ones ends.
const MOST_DRAWS: u64 = 100;

/// Rows with the class and the softmax probability that a classifier gives each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PseudoLabelled {
    /// Values, row-major `[N, F]`.
    pub rows: Vec<f32>,
    /// Class of each row.
    pub labels: Vec<usize>,
    /// Probability of that class.
    pub confidences: Vec<f32>,
    /// Rows that were looked at.
    pub drawn: u64,
}

/// The class and its softmax probability of each of `rows` `[N, F]`, row-major: for rows of any
/// source, a foreign generator's file without labels, say.
///
/// # Errors
/// [`Error::Shape`], [`Error::Input`] for rows that are not of the classifier's domain.
pub fn pseudo_labels(
    classifier: &dyn Classifier,
    rows: &[f32],
    passes: &Passes,
) -> Result<Vec<(usize, f32)>> {
    let domain = classifier.domain();
    domain.check(rows)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let shape = [rows.len() / domain.features(), domain.features()];
    let rows = Tensor::from_data(TensorData::new(rows.to_vec(), shape), passes.device());
    predictions(passes.logits(classifier, rows)?)
}

/// The first `count` generated rows whose predicted class has a probability of at least
/// `least_confidence` (0 takes all), in the order of their numbers.
///
/// The result is a function of generator, classifier and seed. Mixed into a training as the
/// recipe's second set (`mix`), once written as an archive.
///
/// # Errors
/// [`Error::Parameter`] for a confidence outside `[0, 1)`, [`Error::Shape`] for a classifier of
/// rows of another layout, [`Error::Fit`] if a hundred times as many draws hold too few such rows,
/// [`Error::Cancelled`].
pub fn generate(
    sampler: &dyn RowSampler,
    classifier: &dyn Classifier,
    count: usize,
    least_confidence: f64,
    seed: Seed,
    passes: &Passes,
    progress: &dyn Progress,
) -> Result<PseudoLabelled> {
    const NAME: &str = "generated samples";
    if !(0.0..1.0).contains(&least_confidence) {
        let (expected, got) = ("in [0, 1)", least_confidence.to_string());
        return Err(Error::Parameter { algorithm: NAME, field: "least_confidence", expected, got });
    }
    let made = sampler.domain();
    if made.layout() != classifier.domain().layout() {
        return Err(Error::Shape {
            what: "rows of a generator for a classifier",
            expected: format!("{:?}", classifier.domain().layout()),
            got: format!("{:?}", made.layout()),
        });
    }
    let features = made.features();
    let mut taken = PseudoLabelled::default();
    progress.begin("generating samples", count as u64);
    while taken.labels.len() < count {
        if progress.cancelled() {
            return Err(Error::Cancelled);
        }
        if taken.drawn >= MOST_DRAWS * (count as u64).max(AT_ONCE) {
            return Err(Error::Fit {
                algorithm: NAME,
                reason: format!(
                    "of {} rows only {} of {count} reach a confidence of {least_confidence}; lower \
                     it or train the generator longer",
                    taken.drawn,
                    taken.labels.len()
                ),
            });
        }
        let ids: Vec<u64> = (taken.drawn..taken.drawn + AT_ONCE).collect();
        let rows = sampler.sample(&ids, seed, passes)?;
        let labels = pseudo_labels(classifier, &rows, passes)?;
        for (row, (label, confidence)) in rows.chunks_exact(features).zip(labels) {
            if taken.labels.len() == count {
                break;
            }
            taken.drawn += 1;
            if f64::from(confidence) >= least_confidence {
                taken.rows.extend_from_slice(row);
                taken.labels.push(label);
                taken.confidences.push(confidence);
                progress.advance(1);
            }
        }
    }
    progress.end();
    Ok(taken)
}
