//! Trains the models of an experiment, and keeps both the best and the last weights of a training
//! that was watched.
use std::fs;
use std::path::{Path, PathBuf};

use duress_attacks::Pgd;
use duress_core::{Classifier, Domain, predictions};
use duress_datasets::{Dataset, Input, npz};
use duress_defenses::{RobustnessWatch, TrainingDefense};
use duress_models::train::{EpochReport, Mix, Run, Watch};
use duress_models::{
    Accuracy, Card, Model, Network, Objective, Recipe, Standard, Trained, TrainingData, train,
};
use serde::{Deserialize, Serialize};

use super::Runner;
use super::build::{BATCH, digest, file_name};
use super::lines::write_whole;
use super::watched::Watching;
use crate::experiment::{Checkpoint, ModelPlan, Source};
use crate::row::Watched;
use crate::{Error, Result};

/// A trained model of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedModel {
    /// The file of the weights that are evaluated.
    pub path: PathBuf,
    /// What was watched while it was trained, if anything was.
    pub watched: Option<Watched>,
}

/// What the training of a model left behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) parameters: u64,
    pub(super) seconds: f64,
    pub(super) stopped: Option<String>,
    pub(super) history: Vec<EpochReport>,
    #[serde(skip)]
    pub(super) watched: Option<Watched>,
}

/// What is trained, as an experiment says it.
#[derive(Clone, Copy)]
struct Task<'a> {
    plan: &'a ModelPlan,
    architecture: &'a duress_models::Architecture,
    recipe: &'a Recipe,
    defense: Option<&'a dyn TrainingDefense>,
}

impl<'a> Task<'a> {
    fn of(plan: &'a ModelPlan) -> Option<Self> {
        let Source::Trained { architecture, recipe, defense, .. } = &plan.source else {
            return None;
        };
        Some(Self { plan, architecture, recipe, defense: defense.as_deref() })
    }

    fn objective(&self) -> &'a dyn Objective<Network> {
        self.defense.map_or(&Standard as &dyn Objective<Network>, TrainingDefense::objective)
    }
}

/// Where a training leaves what it made.
struct Files {
    /// The best weights of a training that was watched, the last ones of any other.
    weights: PathBuf,
    /// The last weights of a training that was watched.
    last: PathBuf,
    /// Epochs, scores, seconds.
    log: PathBuf,
    /// An unfinished training.
    checkpoint: PathBuf,
}

impl Runner<'_> {
    /// The file of the trained model `name`, and what was watched.
    pub(super) fn train_named(&self, name: &str) -> Result<TrainedModel> {
        let models = &self.experiment.models;
        if let Some(plan) = models.iter().find(|plan| plan.name == name && plan.is_trained()) {
            let (_, training, path) = self.train(plan)?;
            return Ok(TrainedModel { path, watched: training.watched });
        }
        Err(self.nothing_to_train(name))
    }

    fn nothing_to_train(&self, name: &str) -> Error {
        let trained = self.experiment.models.iter().filter(|plan| plan.is_trained());
        let known: Vec<&str> = trained.map(|plan| plan.name.as_str()).collect();
        Error::Experiment {
            path: PathBuf::from(&self.experiment.name),
            reason: format!("no model `{name}` to train; there are: {}", known.join(", ")),
        }
    }

    /// The trained model, from the cache if it is there: with the weights that the plan asks for.
    ///
    /// # Errors
    /// [`Error::Experiment`] for a model that is not trained.
    pub(super) fn train(&self, plan: &ModelPlan) -> Result<(Model, Training, PathBuf)> {
        let task = Task::of(plan).ok_or_else(|| self.nothing_to_train(&plan.name))?;
        let context = self.context;
        let extra = task.recipe.mix.as_ref().map(|mix| self.second_set(mix)).transpose()?;
        let files = self.files(task, extra.as_ref())?;
        let watching = self.watching(task)?;
        let kept = watching.is_none() || files.last.exists();
        let mut training = if files.weights.exists() && files.log.exists() && kept {
            let text = fs::read_to_string(&files.log).map_err(Error::io(&files.log))?;
            let before = files.weights.display();
            context.observer.note(&format!("{}: trained before, {before}", plan.name));
            serde_json::from_str(&text)?
        } else {
            fs::create_dir_all(&context.cache).map_err(Error::io(&context.cache))?;
            self.train_anew(task, watching.as_ref(), extra.as_ref(), &files)?
        };
        let used = plan.checkpoint();
        let path = match (used, &watching) {
            (Checkpoint::Last, Some(_)) => files.last,
            _ => files.weights,
        };
        training.watched = watching.and_then(|watching| watching.summary(&training.history, used));
        if let Some(watched) = &training.watched {
            context.observer.note(&format!("{}: {watched}", plan.name));
        }
        Ok((Model::load(&path, context.passes.device())?, training, path))
    }

    /// Trains, and writes the weights before the log, which says that they are there.
    fn train_anew(
        &self,
        task: Task<'_>,
        watching: Option<&Watching>,
        extra: Option<&Dataset>,
        files: &Files,
    ) -> Result<Training> {
        let (train_data, context) = (&self.data.train, self.context);
        let (domain, classes) = (train_data.domain(), train_data.class_names().len());
        let Task { plan, architecture, recipe, defense } = task;
        let (objective, device) = (task.objective(), context.passes.device());
        context.observer.note(&format!(
            "{}: training {} on {} samples, {} epochs, {}",
            plan.name,
            architecture.name(),
            train_data.len(),
            recipe.epochs,
            objective.name()
        ));
        let by = defense.map_or_else(Default::default, TrainingDefense::initialization);
        let network = architecture.init_by(by, domain, classes, self.experiment.seed, device)?;
        let mut watch = watching.map(|watching| self.watch(watching));
        let run = Run {
            passes: context.passes,
            watch: watch.as_mut().map(|watch| watch as &mut dyn Watch<Network>),
            checkpoint: Some(&files.checkpoint),
            extra: extra.map(|extra| samples(extra, domain, classes)),
            progress: context.observer,
        };
        let trained =
            train(&network, objective, &samples(train_data, domain, classes), recipe, run)?;
        if watching.is_some() {
            self.keep_weights(task, &trained, Checkpoint::Last, &files.last)?;
        }
        self.keep_weights(task, &trained, Checkpoint::Best, &files.weights)?;
        let training = Training {
            parameters: architecture.parameters(domain, classes)?,
            seconds: trained.history.iter().map(|report| report.seconds).sum(),
            stopped: trained.stopped.clone(),
            history: trained.history.clone(),
            watched: None,
        };
        write_whole(&files.log, serde_json::to_string_pretty(&training)?.as_bytes())?;
        // The models are safe: the way there is no longer needed.
        if files.checkpoint.exists() {
            fs::remove_file(&files.checkpoint).map_err(Error::io(&files.checkpoint))?;
        }
        Ok(training)
    }

    /// Writes one of the two sets of weights as a model.
    fn keep_weights(
        &self,
        task: Task<'_>,
        trained: &Trained<Network>,
        which: Checkpoint,
        path: &Path,
    ) -> Result<()> {
        let (data, objective) = (&self.data.train, task.objective());
        let run = trained.history.len() as u32;
        let (network, epochs) = match (which, &trained.best) {
            (Checkpoint::Best, Some(best)) => (&best.network, best.epoch + 1),
            _ => (&trained.last, run),
        };
        let (domain, classes) = (data.domain().clone(), data.class_names().len());
        let mut card = Card::new(task.architecture.clone(), domain, classes);
        card.class_names = data.class_names().to_vec();
        card.recipe = Some(task.recipe.clone());
        card.objective = Some(objective.name().to_owned());
        card.objective_parameters = objective.parameters();
        card.data = Some(data.name().to_owned());
        card.data_digest = Some(data.digest().to_owned());
        card.seed = Some(self.experiment.seed);
        card.epochs = Some(epochs);
        let model = Model::new(network, card.clone())?;
        card.clean_accuracy = Some(self.accuracy(&model, &self.data.test)?);
        Ok(model.with_card(card)?.save(path)?)
    }

    /// The files of a training. Models that are trained alike share them: the first of the
    /// experiment gives them its name.
    fn files(&self, task: Task<'_>, extra: Option<&Dataset>) -> Result<Files> {
        let key = self.key(task, extra)?;
        let mut name = &task.plan.name;
        for other in self.experiment.models.iter().filter_map(Task::of) {
            if other.recipe.mix == task.recipe.mix && self.key(other, extra)? == key {
                name = &other.plan.name;
                break;
            }
        }
        let stem = format!("{}-{}", file_name(name), &key[..16]);
        // A name may hold dots: `with_extension` would take them for one.
        let [weights, last, log, checkpoint] =
            ["safetensors", "last.safetensors", "json", "checkpoint"]
                .map(|kind| self.context.cache.join(format!("{stem}.{kind}")));
        Ok(Files { weights, last, log, checkpoint })
    }

    /// What a training depends on.
    fn key(&self, task: Task<'_>, extra: Option<&Dataset>) -> Result<String> {
        Ok(digest(&[
            &serde_json::to_string(task.architecture)?,
            &serde_json::to_string(task.recipe)?,
            task.objective().name(),
            &task.plan.config.to_string(),
            self.data.train.digest(),
            self.data.validation.digest(),
            &self.experiment.seed.0.to_string(),
            &self.context.device,
            env!("CARGO_PKG_VERSION"),
            extra.map_or("", Dataset::digest),
        ]))
    }

    /// The second set of samples that a recipe mixes in, in the space and classes of the first.
    pub(super) fn second_set(&self, mix: &Mix) -> Result<Dataset> {
        let first = &self.data.train;
        let options =
            npz::Options { classes: Some(first.class_names().to_vec()), ..npz::Options::default() };
        let name = file_name(&mix.file.to_string_lossy());
        let second = npz::dataset(&name, Input::open(&mix.file)?, &options)?;
        Ok(second.with_domain(first.domain().clone())?)
    }

    /// What is watched while a model is trained, if anything is.
    fn watching(&self, task: Task<'_>) -> Result<Option<Watching>> {
        let watching = Watching::of(task.recipe, task.defense, &self.data)?;
        match &watching {
            Some(watching) if watching.samples.is_empty() => Err(Error::Experiment {
                path: PathBuf::from(&self.experiment.name),
                reason: "[data]: no sample is left to validate on; raise `validation`".into(),
            }),
            _ => Ok(watching),
        }
    }

    fn watch<'s>(&'s self, watching: &Watching) -> RobustnessWatch<'s> {
        let (slice, passes) = (&watching.samples, self.context.passes);
        RobustnessWatch {
            rows: slice.rows(0..slice.len(), passes.device()),
            labels: slice.labels().to_vec(),
            ids: slice.ids().to_vec(),
            domain: self.data.train.domain(),
            threat: watching.threat.clone(),
            attack: Pgd { steps: 10, step_size: 0.25, ..Pgd::paper() },
            collapse: watching.collapse,
            seed: self.experiment.seed,
            passes,
            progress: self.context.observer,
        }
    }

    fn accuracy(&self, model: &dyn Classifier, data: &Dataset) -> Result<Accuracy> {
        let passes = self.context.passes;
        let mut correct = 0;
        for batch in data.batches(BATCH) {
            let got = predictions(passes.logits(model, batch.rows(passes.device()))?)?;
            let hits = got.iter().zip(batch.labels);
            correct += hits.filter(|((class, _), label)| class == *label).count() as u64;
        }
        Ok(Accuracy { correct, samples: data.len() as u64 })
    }
}

/// A data set as a training takes it.
fn samples<'a>(data: &'a Dataset, domain: &'a Domain, classes: usize) -> TrainingData<'a> {
    let (rows, labels, ids) = (data.values(), data.labels(), data.ids());
    TrainingData { rows, labels, ids, domain, classes }
}
