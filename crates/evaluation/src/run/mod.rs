//! Runs an experiment: trains, attacks, certifies, and writes rows as it goes.
mod attack;
mod attacked;
mod bound;
mod build;
mod certify;
mod compose;
mod contradiction;
mod data;
mod detect;
mod evade;
mod examples;
mod foreign;
mod generate;
mod journal;
mod lines;
mod parts;
mod phase;
mod predict;
mod preflight;
mod prove;
mod subject;
mod training;
mod transfer;
mod two_sided;
mod watched;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use duress_core::{Passes, Progress};
use duress_datasets::Folders;
use duress_remote::Secret;

pub(crate) use attacked::is_search;
pub use bound::{Around, Bounded, bound};
pub(crate) use evade::WORST_CASE;
pub use examples::write_examples;
pub use generate::{GenerationPlan, GeneratorPlan, generate_samples};
pub use journal::{Identity, Journal};
pub(crate) use lines::write_whole;
pub use predict::{Predictions, predict};
pub use training::TrainedModel;
pub(crate) use transfer::{Adversarial, CLEAN};
pub(crate) use watched::Watching;

use crate::experiment::{Experiment, ModelPlan};
use crate::row::{Measured, Row, SCHEMA};
use crate::{Check, Result, self_checks};
use build::Built;
use data::Data;

/// Hears what a run measures while it runs.
pub trait Observer: Progress {
    /// A row was written, or found from an earlier start of the same run.
    fn row(&self, row: &Row) {
        let _ = row;
    }

    /// All rows of a model are there.
    fn model_done(&self, rows: &[Row], model: &str) {
        let _ = (rows, model);
    }
}

impl Observer for duress_core::Silent {}

/// Where and with what a run runs.
pub struct Context<'a> {
    /// The run's folder: rows, samples, adversarial rows. An unfinished run in it goes on.
    pub out: PathBuf,
    /// Whether to repeat all measurements of an earlier run in the folder.
    pub fresh: bool,
    /// Trained models, kept between runs.
    pub cache: PathBuf,
    /// Where data sets are looked for.
    pub folders: Folders,
    /// Name of the device, for rows.
    pub device: String,
    /// Computes the passes.
    pub passes: &'a Passes,
    /// Hears of progress.
    pub observer: &'a dyn Observer,
    /// The command to repeat the run.
    pub command: String,
    /// What HTTP services are shown; it is never written.
    pub token: Option<Secret>,
    /// Whether to stop waiting for a service.
    pub stop: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    /// Whether to attack although model and data do not seem to fit.
    pub force: bool,
}

/// What a run found.
#[derive(Debug)]
pub struct Summary {
    /// All rows, in the order they were measured.
    pub rows: Vec<Row>,
    /// What speaks against trusting them.
    pub checks: Vec<Check>,
}

/// Trains the model `name` of `experiment` (or takes it from the cache) and returns its file and
/// what was watched.
///
/// # Errors
/// As [`run`]; [`crate::Error::Experiment`] for a name that is no trained model of it.
pub fn train_model(
    experiment: &Experiment,
    name: &str,
    context: &Context<'_>,
) -> Result<TrainedModel> {
    let data = Data::load(experiment, context)?;
    let runner = Runner { experiment, context, data };
    runner.check_training()?;
    runner.train_named(name)
}

/// Runs `experiment`, or what is left of it.
///
/// Everything that can be checked is checked before the first file is written.
///
/// # Errors
/// Wrong input; a model that cannot be attacked; [`crate::Error::Contradiction`]; a cancelled run,
/// whose finished rows stay and which the same call continues.
pub fn run(experiment: &Experiment, context: &Context<'_>) -> Result<Summary> {
    let data = Data::load(experiment, context)?;
    let runner = Runner { experiment, context, data };
    runner.check()?;
    let mut journal = Journal::open(&context.out, &runner.identity(), context.fresh)?;
    if let Err(error) = measure(&runner, &mut journal) {
        if !error.is_cancelled() {
            journal.discard_empty()?;
        }
        return Err(error);
    }
    journal.write_samples()?;
    let checks = self_checks(journal.rows());
    Ok(Summary { rows: journal.into_rows(), checks })
}

/// All measurements of a run that are not there yet.
fn measure(runner: &Runner<'_>, journal: &mut Journal) -> Result<()> {
    let Runner { experiment, context, .. } = *runner;
    runner.keep_clean_rows(journal)?;
    let mut models: Vec<Built> = Vec::new();
    // A surrogate must be there before the models that its examples are handed to.
    if experiment.attacks.iter().any(|plan| plan.surrogate.is_some()) {
        for plan in &experiment.models {
            models.push(runner.build(plan, &models, journal)?);
        }
    }
    for (index, plan) in experiment.models.iter().enumerate() {
        if index == models.len() {
            models.push(runner.build(plan, &models, journal)?);
        }
        let built = &models[index];
        // Proofs first: what they settle need not be attacked, what they refute is broken.
        runner.certify(built, true, journal)?;
        runner.attack(built, &models, journal)?;
        runner.detect(built, journal)?;
        runner.certify(built, false, journal)?;
        runner.contradictions(built, journal)?;
        runner.two_sided(built, journal)?;
        context.observer.model_done(journal.rows(), &built.name);
    }
    if experiment.transfer {
        runner.transfer(&models, journal)?;
    }
    Ok(())
}

/// One run.
struct Runner<'a> {
    experiment: &'a Experiment,
    context: &'a Context<'a>,
    data: Data,
}

/// What a measurement cost.
struct Cost {
    begun: Instant,
    /// Where the clock since `begun` is not what it took.
    seconds: Option<f64>,
    forwards: u64,
    backwards: u64,
}

impl Cost {
    fn begin() -> Self {
        Self { begun: Instant::now(), seconds: None, forwards: 0, backwards: 0 }
    }
}

impl Runner<'_> {
    /// The first model.
    fn first(&self) -> Result<&ModelPlan> {
        let name = &self.experiment.name;
        self.experiment.models.first().ok_or_else(|| crate::Error::Experiment {
            path: name.into(),
            reason: "a [[model]] is needed".into(),
        })
    }

    /// What must be the same for a run to go on in a folder.
    fn identity(&self) -> journal::Identity {
        journal::Identity {
            schema: SCHEMA,
            experiment: self.experiment.name.clone(),
            digest: self.experiment.digest.clone(),
            data_digest: self.data.test.digest().to_owned(),
            device: self.context.device.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            title: self.experiment.title.clone(),
            command: self.context.command.clone(),
            domain: self.data.test.domain().clone(),
            class_names: self.data.test.class_names().to_vec(),
            feature_names: self.data.test.feature_names().to_vec(),
        }
    }

    /// A row on all test samples.
    fn row(&self, key: String, model: &Built, cost: &Cost, measured: Measured) -> Row {
        Row {
            schema: SCHEMA,
            key,
            experiment: self.experiment.name.clone(),
            model: model.name.clone(),
            model_digest: model.digest.clone(),
            data: self.data.test.name().to_owned(),
            data_digest: self.data.test.digest().to_owned(),
            samples: self.data.test.len() as u64,
            seed: self.experiment.seed.0,
            device: self.context.device.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            seconds: cost.seconds.unwrap_or_else(|| cost.begun.elapsed().as_secs_f64()),
            forwards: cost.forwards,
            backwards: cost.backwards,
            measured,
        }
    }
}
