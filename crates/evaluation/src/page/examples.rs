//! Adversarial examples to look at.
use duress_core::Norm;

use super::comparison::short;
use crate::report::{Example, FeatureChange, FeatureChanges, Gallery, Prediction};
use crate::row::{Measured, SampleRow};
use crate::run::{Adversarial, CLEAN, Identity};
use crate::{Journal, Result, Row};

/// Models shown.
const MODELS: usize = 3;

/// Examples of each.
const EXAMPLES: usize = 4;

/// Features of a table row shown.
const FEATURES: usize = 12;

/// A finished picture.
pub(super) struct Picture {
    pub(super) name: String,
    pub(super) png: Vec<u8>,
    pub(super) alternative: String,
    pub(super) caption: String,
}

/// Galleries of the first models that the first attack broke at its headline radius.
pub(super) fn all(journal: &Journal) -> Result<Vec<Picture>> {
    let mut pictures: Vec<Picture> = Vec::new();
    let folder = journal.folder();
    let Some(samples) = journal.rows().first().map(|row| row.samples) else {
        return Ok(pictures);
    };
    let shape = [samples as usize, journal.identity().domain.features()];
    let Some(clean) = Adversarial::load(folder, CLEAN, shape)? else { return Ok(pictures) };
    let samples = journal.samples()?;
    let mut shown: Vec<&str> = Vec::new();
    for row in journal.rows() {
        if shown.len() == MODELS || shown.contains(&row.model.as_str()) || row.backwards == 0 {
            continue;
        }
        let Measured::Attack { attack, norm, epsilon, .. } = &row.measured else { continue };
        let Some(adversarial) = Adversarial::load(folder, &row.key, shape)? else { continue };
        let of_row: Vec<&SampleRow> =
            samples.iter().filter(|sample| sample.key == row.key).collect();
        let found = Found { row, norm: *norm, clean: &clean, adversarial: &adversarial };
        let title = format!("{}: {attack} at {norm} {}", row.model, short(*epsilon));
        if let Some(picture) = found.picture(&of_row, journal.identity(), title)? {
            shown.push(&row.model);
            pictures.push(picture);
        }
    }
    Ok(pictures)
}

struct Found<'a> {
    row: &'a Row,
    norm: Norm,
    clean: &'a [f32],
    adversarial: &'a [f32],
}

impl Found<'_> {
    fn picture(
        &self,
        samples: &[&SampleRow],
        identity: &Identity,
        title: String,
    ) -> Result<Option<Picture>> {
        let domain = &identity.domain;
        let features = domain.features();
        let broken: Vec<(usize, &SampleRow)> = samples
            .iter()
            .enumerate()
            .filter(|(_, sample)| sample.broken_by.is_some())
            .map(|(position, sample)| (position, *sample))
            .filter(|(position, _)| (position + 1) * features <= self.clean.len())
            .take(EXAMPLES)
            .collect();
        let Some(&(first, sample)) = broken.first() else { return Ok(None) };
        let at = |position: usize| position * features..(position + 1) * features;
        let name = format!("examples-{}", file_name(&self.row.model));
        let alternative = format!("Adversarial examples of {title}");
        if let Ok(shape) = domain.image_shape()
            && matches!(shape[0], 1 | 3)
        {
            let examples = broken.iter().map(|&(position, sample)| Example {
                clean: self.clean[at(position)].to_vec(),
                adversarial: self.adversarial[at(position)].to_vec(),
                truth: class(identity, sample.label),
                before: prediction(identity, sample.predicted, sample.confidence),
                after: prediction(identity, sample.adversarial, sample.adversarial_confidence),
                distance: format!("{} {:.4}", self.norm, sample.distance.unwrap_or(0.0)),
            });
            let range = (domain.lower().at(0), domain.upper().at(0));
            let gallery = Gallery { title, shape, range, examples: examples.collect() };
            let caption = "The first samples that the attack broke.".into();
            return Ok(Some(Picture { name, png: gallery.png()?, alternative, caption }));
        }
        let change = |feature: usize| {
            let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
            let known = identity.feature_names.get(feature);
            FeatureChange {
                name: known.cloned().unwrap_or_else(|| format!("feature {feature}")),
                clean: self.clean[at(first)][feature],
                adversarial: self.adversarial[at(first)][feature],
                range: (high - low).max(f32::MIN_POSITIVE),
            }
        };
        let chart =
            FeatureChanges { title, features: (0..features).map(change).collect(), most: FEATURES };
        let after = prediction(identity, sample.adversarial, sample.adversarial_confidence);
        let caption = format!(
            "The first sample that the attack broke: {} is taken for {} ({:.0} %).",
            class(identity, sample.label),
            after.label,
            100.0 * after.confidence
        );
        Ok(Some(Picture { name, png: chart.draw()?.png()?, alternative, caption }))
    }
}

fn class(identity: &Identity, label: usize) -> String {
    identity.class_names.get(label).cloned().unwrap_or_else(|| label.to_string())
}

fn prediction(identity: &Identity, label: Option<usize>, confidence: Option<f32>) -> Prediction {
    Prediction {
        label: label.map_or_else(|| "?".into(), |label| class(identity, label)),
        confidence: f64::from(confidence.unwrap_or(0.0)),
    }
}

fn file_name(model: &str) -> String {
    model.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
