//! Trains the models of an experiment, and keeps both the best and the last weights of a training
//! that was watched.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duress_attacks::Pgd;
use duress_core::{Classifier, Domain, predictions};
use duress_datasets::{Dataset, Input, npz};
use duress_defenses::{Defended, Passage, RobustnessWatch, TrainedBehind, TrainingDefense};
use duress_models::train::{EpochReport, Mix, Run, Watch};
use duress_models::{
    Accuracy, Card, Model, Network, Objective, Recipe, Standard, Trained, TrainingData, train,
};
use serde::{Deserialize, Serialize};

use super::Runner;
use super::build::{BATCH, digest, file_name};
use super::lines::write_whole;
use super::watched::Watching;
use crate::experiment::{Behind, Checkpoint, ModelPlan, Source};
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
    behind: Option<&'a Behind>,
}

impl<'a> Task<'a> {
    fn of(plan: &'a ModelPlan) -> Option<Self> {
        let Source::Trained { architecture, recipe, defense, behind, .. } = &plan.source else {
            return None;
        };
        let (defense, behind) = (defense.as_deref(), behind.as_ref());
        Some(Self { plan, architecture, recipe, defense, behind })
    }

    fn objective(&self) -> &'a dyn Objective<Network> {
        self.defense.map_or(&Standard as &dyn Objective<Network>, TrainingDefense::objective)
    }
}

/// What a network is trained behind.
struct Front {
    /// The input space of its layers.
    inner: Domain,
    passage: Passage,
}

/// What a training step minimises, and what the network stands behind.
struct Aim<'a> {
    objective: &'a dyn Objective<Network>,
    front: Option<&'a Front>,
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
        let Task { plan, architecture, recipe, defense, .. } = task;
        let front = self.front(plan)?;
        let behind =
            front.as_ref().map(|front| TrainedBehind::new(task.objective(), front.passage.clone()));
        let objective = behind.as_ref().map_or(task.objective(), |behind| behind as _);
        let aim = Aim { objective, front: front.as_ref() };
        let device = context.passes.device();
        context.observer.note(&format!(
            "{}: training {} on {} samples, {} epochs, {}",
            plan.name,
            architecture.name(),
            train_data.len(),
            recipe.epochs,
            objective.name()
        ));
        let by = defense.map_or_else(Default::default, TrainingDefense::initialization);
        let inner = front.as_ref().map_or(domain, |front| &front.inner);
        let network = architecture.init_by(by, inner, classes, self.experiment.seed, device)?;
        let network = behind.as_ref().map_or(network.clone(), |behind| behind.front(&network));
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
            self.keep_weights(task, &aim, &trained, Checkpoint::Last, &files.last)?;
        }
        self.keep_weights(task, &aim, &trained, Checkpoint::Best, &files.weights)?;
        let training = Training {
            parameters: architecture.parameters(inner, classes)?,
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
        aim: &Aim<'_>,
        trained: &Trained<Network>,
        which: Checkpoint,
        path: &Path,
    ) -> Result<()> {
        let (data, Aim { objective, front }) = (&self.data.train, aim);
        let run = trained.history.len() as u32;
        let (network, epochs) = match (which, &trained.best) {
            (Checkpoint::Best, Some(best)) => (&best.network, best.epoch + 1),
            _ => (&trained.last, run),
        };
        let inner = front.map_or(data.domain(), |front| &front.inner).clone();
        let mut card = Card::new(task.architecture.clone(), inner, data.class_names().len());
        card.class_names = data.class_names().to_vec();
        card.recipe = Some(task.recipe.clone());
        card.objective = Some(objective.name().to_owned());
        card.objective_parameters = objective.parameters();
        card.data = Some(data.name().to_owned());
        card.data_digest = Some(data.digest().to_owned());
        card.seed = Some(self.experiment.seed);
        card.epochs = Some(epochs);
        let model = Model::new(&network.without_front(), card.clone())?;
        // Its accuracy is that behind what it was trained behind.
        card.clean_accuracy = Some(match front {
            None => self.accuracy(&model, &self.data.test)?,
            Some(front) => {
                let base: Arc<dyn Classifier> = Arc::new(model.clone());
                self.accuracy(&Defended::new(base, front.passage.clone()), &self.data.test)?
            }
        });
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
        let behind = task.behind.map_or_else(String::new, |behind| {
            format!("{} {} {}", task.plan.defense, behind.training, behind.training_config)
        });
        Ok(digest(&[
            &serde_json::to_string(task.architecture)?,
            &serde_json::to_string(task.recipe)?,
            task.objective().name(),
            &task.plan.config.to_string(),
            &behind,
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

    /// What a network is trained behind, if it is.
    fn front(&self, plan: &ModelPlan) -> Result<Option<Front>> {
        let Source::Trained { behind: Some(behind), .. } = &plan.source else { return Ok(None) };
        let (transformation, _) = self.fitted(behind.transformation.as_ref())?;
        let inner = transformation.get().inner_domain(self.data.train.domain())?;
        let passage = transformation.get().passage(&inner, self.experiment.seed)?;
        Ok(Some(Front { inner, passage }))
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
