//! The three parts of an experiment's data.
use duress_datasets::{Dataset, Part, split};

use super::Context;
use crate::Result;
use crate::experiment::Experiment;

/// Training, validation and test samples. What selects weights never sees a test sample.
pub(super) struct Data {
    pub(super) train: Dataset,
    pub(super) validation: Dataset,
    pub(super) test: Dataset,
}

impl Data {
    pub(super) fn load(experiment: &Experiment, context: &Context<'_>) -> Result<Self> {
        let plan = &experiment.data;
        let part = |part, limit: Option<usize>| -> Result<Dataset> {
            let all = duress_datasets::load(&plan.name, &context.folders, part)?;
            Ok(match limit {
                Some(count) if count < all.len() => {
                    let name = format!("{}[..{count}]", all.name());
                    all.take(count).named(name)
                }
                _ => all,
            })
        };
        let test = part(Part::Test, plan.test)?;
        let all = part(Part::Train, plan.train)?;
        let fractions = [1.0 - plan.validation, plan.validation];
        let parts = split::stratified(all.labels(), &fractions, experiment.seed)?;
        let (train, validation) = (all.select(&parts[0]), all.select(&parts[1]));
        Ok(Self { train, validation, test })
    }
}
