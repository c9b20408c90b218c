//! The three parts of an experiment's data.
use std::path::{Path, PathBuf};

use duress_datasets::open::{Opened, Options, open, together};
use duress_datasets::{Dataset, Part, split};

use super::Context;
use crate::experiment::{DataPlan, DataSource, Experiment, Files, one_line};
use crate::{Error, Result};

/// Training, validation and test samples. What selects weights never sees a test sample.
///
/// Without a training part the first two are empty.
pub(super) struct Data {
    pub(super) train: Dataset,
    pub(super) validation: Dataset,
    pub(super) test: Dataset,
}

impl Data {
    pub(super) fn load(experiment: &Experiment, context: &Context<'_>) -> Result<Self> {
        let plan = &experiment.data;
        let (all, test) = match &plan.source {
            DataSource::Known(name) => {
                let part = |part, limit| -> Result<Dataset> {
                    Ok(limited(duress_datasets::load(name, &context.folders, part)?, limit))
                };
                let test = part(Part::Test, plan.test)?;
                (part(Part::Train, plan.train)?, test)
            }
            DataSource::Files(files) => {
                read(files, plan, context).map_err(|error| Error::Experiment {
                    path: PathBuf::from(&experiment.name),
                    reason: format!("[data]: {}", one_line(&error.to_string())),
                })?
            }
        };
        let fractions = [1.0 - plan.validation, plan.validation];
        let parts = split::stratified(all.labels(), &fractions, experiment.seed)?;
        let (train, validation) = (all.select(&parts[0]), all.select(&parts[1]));
        Ok(Self { train, validation, test })
    }
}

fn limited(all: Dataset, limit: Option<usize>) -> Dataset {
    match limit {
        Some(count) if count < all.len() => {
            let name = format!("{}[..{count}]", all.name());
            all.take(count).named(name)
        }
        _ => all,
    }
}

/// The training samples, none without a path, and the test samples.
fn read(
    files: &Files,
    plan: &DataPlan,
    context: &Context<'_>,
) -> duress_datasets::Result<(Dataset, Dataset)> {
    let part = |what: &str, path: &Path, options: &Options, limit| {
        let opened = open(path, &Options { limit, ..options.clone() })?;
        for note in &opened.notes {
            context.observer.note(&format!("[data]{what}: {note}"));
        }
        Ok::<Opened, duress_datasets::Error>(opened)
    };
    let test = part("", &files.path, &files.options, plan.test)?;
    let Some(path) = &files.train_path else {
        let none = test.dataset.select(&[]);
        return Ok((none, test.dataset));
    };
    let train = part(" (training)", path, &files.train_options, plan.train)?;
    let [train, test] = together(&train, &test)?;
    Ok((train, test))
}
