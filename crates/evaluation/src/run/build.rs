//! Makes the models of an experiment, and measures them without an adversary.
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use duress_attacks::Pgd;
use duress_certification::Certification;
use duress_core::{Classifier, Domain, Norm, Oracle, Passes, Threat, predictions};
use duress_datasets::{Dataset, Input, npz};
use duress_defenses::{RobustnessWatch, TrainingDefense};
use duress_graph::Graph;
use duress_models::train::{EpochReport, Metric, Mix, Run, Watch};
use duress_models::{
    Accuracy, Architecture, Card, Model, Network, Objective, Recipe, Standard, TrainingData, train,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::lines::write_whole;
use super::subject::Subject;
use super::{Cost, Journal, Runner, foreign};
use crate::experiment::{EndpointPlan, ModelPlan, Source};
use crate::row::{Measured, SampleRow};
use crate::{Error, Result, hexadecimal};

/// A model that is ready to be attacked.
pub(super) struct Built {
    pub(super) name: String,
    pub(super) digest: String,
    subject: Subject,
    /// Prediction at each test sample.
    pub(super) predicted: Vec<usize>,
    training: Training,
    /// Its operations, where something is to be proved of it.
    pub(super) graph: Option<Graph>,
}

/// What the training of a model left behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Training {
    parameters: u64,
    seconds: f64,
    stopped: Option<String>,
    history: Vec<EpochReport>,
}

impl Built {
    /// Runs `work` with the best access an adversary has.
    pub(super) fn with_oracle<T>(&self, passes: &Passes, work: impl FnOnce(Oracle<'_>) -> T) -> T {
        self.subject.with_oracle(passes, work)
    }

    /// What there is to attack.
    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The model, where it is in this process and answers without draws.
    ///
    /// # Errors
    /// [`Error::Experiment`] saying who needs it.
    pub(super) fn classifier(&self, who: &str) -> Result<&Arc<dyn Classifier>> {
        let reason = match &self.subject {
            subject if subject.is_random() => {
                format!("{who} needs a model without draws, and this one is random")
            }
            Subject::Local { classifier, .. } => return Ok(classifier),
            _ => format!("{who} needs a model in this process, and this one is a service"),
        };
        Err(Error::Experiment { path: PathBuf::from(&self.name), reason })
    }
}

impl Runner<'_> {
    /// Builds a model and writes its row.
    pub(super) fn build(
        &self,
        plan: &ModelPlan,
        others: &[Built],
        journal: &mut Journal,
    ) -> Result<Built> {
        let mut built = self.assemble(plan, others)?;
        let mut cost = Cost::begin();
        let test = &self.data.test;
        let passes = self.context.passes;
        let mut logits = Vec::new();
        for batch in test.batches(BATCH) {
            let rows = batch.rows(passes.device());
            let (classes, answers) = built.subject.answers(passes, rows)?;
            if built.predicted.len() < foreign::LOOKED_AT {
                logits.extend(answers.unwrap_or_default());
            }
            built.predicted.extend(classes);
        }
        cost.forwards = test.len() as u64;
        self.look(plan, &built, &logits)?;
        let key = format!("{}/clean", built.name);
        if let Some(row) = journal.row(&key) {
            if row.model_digest == built.digest {
                return Ok(built);
            }
            return Err(Error::OtherRun {
                path: journal.folder().to_owned(),
                what: format!("the weights of model `{}`", built.name),
                stored: row.model_digest.clone(),
                now: built.digest,
            });
        }
        let correct = |index: &usize| built.predicted[*index] == test.labels()[*index];
        let measured = Measured::Clean {
            correct: (0..test.len()).filter(correct).count() as u64,
            defense: plan.defense.into(),
            defense_config: plan.config.clone(),
            gradient: match &plan.source {
                Source::Wrapped { transformation, .. } => {
                    Some(transformation.gradient().name().into())
                }
                _ => None,
            },
            source: describe(&plan.source),
            parameters: built.training.parameters,
            epochs: built.training.history.len() as u32,
            training_seconds: built.training.seconds,
            stopped: built.training.stopped.clone(),
        };
        let samples: Vec<SampleRow> = (0..test.len())
            .map(|index| SampleRow {
                key: key.clone(),
                model: built.name.clone(),
                attack: "none".into(),
                norm: Norm::Linf,
                epsilon: 0.0,
                index: test.ids()[index],
                label: test.labels()[index],
                predicted: Some(built.predicted[index]),
                confidence: None,
                clean_correct: correct(&index),
                robust: correct(&index),
                broken_by: None,
                distance: None,
                adversarial: None,
                adversarial_confidence: None,
                queries: 1,
                gradients: 0,
                certified: None,
            })
            .collect();
        let row = self.row(key, &built, &cost, measured);
        self.context.observer.row(&row);
        journal.append(row, &samples)?;
        Ok(built)
    }

    pub(super) fn assemble(&self, plan: &ModelPlan, others: &[Built]) -> Result<Built> {
        let find = |name: &String| {
            let known = others.iter().find(|other| &other.name == name);
            known.ok_or_else(|| Error::Experiment {
                path: PathBuf::from(&self.experiment.name),
                reason: format!("[[model]] `{}`: no model `{name}` before it", plan.name),
            })
        };
        let built = |digest, subject, training| Built {
            name: plan.name.clone(),
            digest,
            subject,
            predicted: Vec::new(),
            training,
            graph: None,
        };
        let local = |digest, classifier, training, graph| Built {
            graph,
            ..built(digest, Subject::local(classifier, None), training)
        };
        let proved = self.experiment.certifiers.iter().any(|certifier| {
            matches!(certifier.certifier, Certification::Proved(_))
                && certifier.models.contains(&plan.name)
        });
        let graph = |model: &Model| -> Result<Option<Graph>> {
            Ok(if proved { Some(model.graph()?) } else { None })
        };
        match &plan.source {
            Source::Trained { architecture, recipe, defense } => {
                let (model, training, _) =
                    self.train(plan, architecture, recipe, defense.as_deref())?;
                let graph = graph(&model)?;
                Ok(local(model.digest()?, Arc::new(model), training, graph))
            }
            Source::Loaded { path } => {
                let model = Model::load(path, self.context.passes.device())?;
                self.fits(&plan.name, &model)?;
                let (domain, classes) = (model.domain().clone(), model.classes());
                let training = Training {
                    parameters: model.card().architecture.parameters(&domain, classes)?,
                    ..Training::default()
                };
                let graph = graph(&model)?;
                Ok(local(model.digest()?, Arc::new(model), training, graph))
            }
            Source::Weights { path, architecture, normalization, keys } => {
                let (given, keys) = (normalization.as_ref(), keys.as_deref());
                let model = self.weights(path, architecture, given, keys)?;
                let (domain, classes) = (model.domain().clone(), model.classes());
                let training = Training {
                    parameters: architecture.parameters(&domain, classes)?,
                    ..Training::default()
                };
                let normalization = serde_json::to_string(normalization)?;
                let digest = digest(&[&model.digest()?, &normalization]);
                let graph = graph(&model)?;
                Ok(local(digest, Arc::new(model), training, graph))
            }
            Source::Onnx { path, preparation, ends } => {
                let network = self.onnx(path, preparation, ends)?;
                let training =
                    Training { parameters: foreign::about(&network), ..Training::default() };
                let prepared = serde_json::to_string(preparation)?;
                let digest = digest(&[network.digest(), &prepared, &format!("{ends:?}")]);
                let graph = proved.then(|| network.graph().clone());
                Ok(local(digest, Arc::new(network), training, graph))
            }
            Source::Remote { endpoint, settings } => {
                let (subject, digest) = self.remote(endpoint, settings)?;
                Ok(built(digest, subject, Training::default()))
            }
            Source::Wrapped { base, transformation } => {
                let (digest, subject) = self.wrapped(plan, find(base)?, transformation.as_ref())?;
                Ok(built(digest, subject, Training::default()))
            }
            Source::Voting { members, ensemble } => {
                let members: Vec<&Built> = members.iter().map(find).collect::<Result<_>>()?;
                let (digest, subject) = self.voting(plan, &members, ensemble)?;
                Ok(built(digest, subject, Training::default()))
            }
        }
    }

    /// The file of the trained model `name`.
    pub(super) fn train_named(&self, name: &str) -> Result<PathBuf> {
        for plan in &self.experiment.models {
            if let Source::Trained { architecture, recipe, defense } = &plan.source
                && plan.name == name
            {
                let (_, _, path) = self.train(plan, architecture, recipe, defense.as_deref())?;
                return Ok(path);
            }
        }
        let trained = |plan: &&ModelPlan| matches!(plan.source, Source::Trained { .. });
        let known: Vec<&str> =
            self.experiment.models.iter().filter(trained).map(|plan| plan.name.as_str()).collect();
        Err(Error::Experiment {
            path: PathBuf::from(&self.experiment.name),
            reason: format!("no model `{name}` to train; there are: {}", known.join(", ")),
        })
    }

    /// Checks that a model of a file takes the experiment's data.
    pub(super) fn fits(&self, name: &str, model: &Model) -> Result<()> {
        let test = &self.data.test;
        let (classes, layout) = (test.class_names().len(), test.domain().layout());
        if model.classes() == classes && model.domain().layout() == layout {
            return Ok(model.domain().check(test.values())?);
        }
        Err(Error::Experiment {
            path: PathBuf::from(&self.experiment.name),
            reason: format!(
                "[[model]] `{name}` takes {:?} and has {} classes, `{}` has {layout:?} and \
                 {classes} classes",
                model.domain().layout(),
                model.classes(),
                test.name()
            ),
        })
    }

    /// The trained model, from the cache if it is there.
    fn train(
        &self,
        plan: &ModelPlan,
        architecture: &Architecture,
        recipe: &Recipe,
        defense: Option<&dyn TrainingDefense>,
    ) -> Result<(Model, Training, PathBuf)> {
        let (train_data, context) = (&self.data.train, self.context);
        let (domain, classes) = (train_data.domain(), train_data.class_names().len());
        let objective: &dyn Objective<Network> =
            defense.map_or(&Standard as &dyn Objective<Network>, TrainingDefense::objective);
        let objective_name = Objective::<Network>::name(objective).to_owned();
        let extra = recipe.mix.as_ref().map(|mix| self.second_set(mix)).transpose()?;
        let key = digest(&[
            &serde_json::to_string(architecture)?,
            &serde_json::to_string(recipe)?,
            &objective_name,
            &plan.config.to_string(),
            train_data.digest(),
            self.data.validation.digest(),
            &self.experiment.seed.0.to_string(),
            &context.device,
            env!("CARGO_PKG_VERSION"),
            extra.as_ref().map_or("", Dataset::digest),
        ]);
        let stem = format!("{}-{}", file_name(&plan.name), &key[..16]);
        // A name may hold dots: `with_extension` would take them for one.
        let [weights, log, checkpoint] = ["safetensors", "json", "checkpoint"]
            .map(|kind| context.cache.join(format!("{stem}.{kind}")));
        let device = context.passes.device();
        if weights.exists() && log.exists() {
            let text = fs::read_to_string(&log).map_err(Error::io(&log))?;
            context.observer.note(&format!("{}: trained before, {}", plan.name, weights.display()));
            let model = Model::load(&weights, device)?;
            return Ok((model, serde_json::from_str(&text)?, weights));
        }
        fs::create_dir_all(&context.cache).map_err(Error::io(&context.cache))?;

        context.observer.note(&format!(
            "{}: training {} on {} samples, {} epochs, {objective_name}",
            plan.name,
            architecture.name(),
            train_data.len(),
            recipe.epochs
        ));
        let by = defense.map_or_else(Default::default, TrainingDefense::initialization);
        let network = architecture.init_by(by, domain, classes, self.experiment.seed, device)?;
        let mut watch = self.watch(recipe, defense)?;
        let run = Run {
            passes: context.passes,
            watch: watch.as_mut().map(|watch| watch as &mut dyn Watch<Network>),
            checkpoint: Some(&checkpoint),
            extra: extra.as_ref().map(|extra| samples(extra, domain, classes)),
            progress: context.observer,
        };
        let samples = samples(train_data, domain, classes);
        let trained = train(&network, objective, &samples, recipe, run)?;

        let mut card = Card::new(architecture.clone(), domain.clone(), classes);
        card.class_names = train_data.class_names().to_vec();
        card.recipe = Some(recipe.clone());
        card.objective = Some(objective_name);
        card.objective_parameters = objective.parameters();
        card.data = Some(train_data.name().to_owned());
        card.data_digest = Some(train_data.digest().to_owned());
        card.seed = Some(self.experiment.seed);
        card.epochs = Some(trained.history.len() as u32);
        let mut model = Model::new(trained.chosen(), card.clone())?;
        card.clean_accuracy = Some(self.accuracy(&model, &self.data.test)?);
        model = model.with_card(card)?;
        let training = Training {
            parameters: architecture.parameters(domain, classes)?,
            seconds: trained.history.iter().map(|report| report.seconds).sum(),
            stopped: trained.stopped.clone(),
            history: trained.history.clone(),
        };
        model.save(&weights)?;
        write_whole(&log, serde_json::to_string_pretty(&training)?.as_bytes())?;
        // The model is safe: the way there is no longer needed.
        if checkpoint.exists() {
            fs::remove_file(&checkpoint).map_err(Error::io(&checkpoint))?;
        }
        Ok((model, training, weights))
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

    /// Who watches the training: on validation samples for early stopping, else on a slice of the
    /// training samples for a collapse.
    fn watch<'s>(
        &'s self,
        recipe: &Recipe,
        defense: Option<&dyn TrainingDefense>,
    ) -> Result<Option<RobustnessWatch<'s>>> {
        let collapse = defense.and_then(TrainingDefense::collapse);
        if collapse.is_none() && recipe.early_stop.is_none() {
            return Ok(None);
        }
        let source =
            if recipe.early_stop.is_some() { &self.data.validation } else { &self.data.train };
        if source.is_empty() {
            return Err(Error::Experiment {
                path: PathBuf::from(&self.experiment.name),
                reason: "[data]: no sample is left to validate on; raise `validation`".into(),
            });
        }
        let slice = source.take(source.len().min(WATCHED));
        // Clean accuracy is robust accuracy at radius 0.
        let clean = recipe.early_stop.as_ref().is_some_and(|s| s.metric == Metric::CleanAccuracy);
        let threat = match defense.and_then(TrainingDefense::threat) {
            Some(threat) if !clean => threat,
            _ => Threat::new(Norm::Linf, 0.0)?,
        };
        Ok(Some(RobustnessWatch {
            rows: slice.rows(0..slice.len(), self.context.passes.device()),
            labels: slice.labels().to_vec(),
            ids: slice.ids().to_vec(),
            domain: self.data.train.domain(),
            threat,
            attack: Pgd { steps: 10, step_size: 0.25, ..Pgd::paper() },
            collapse,
            seed: self.experiment.seed,
            passes: self.context.passes,
            progress: self.context.observer,
        }))
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

/// Samples of a pass over a data set.
pub(super) const BATCH: usize = 1024;

/// Samples a watch measures after each epoch.
const WATCHED: usize = 256;

fn describe(source: &Source) -> serde_json::Value {
    match source {
        Source::Trained { architecture, recipe, .. } => {
            serde_json::json!({ "architecture": architecture, "recipe": recipe })
        }
        Source::Loaded { path } => serde_json::json!({ "file": path }),
        Source::Weights { path, architecture, normalization, keys } => serde_json::json!({
            "file": path, "architecture": architecture, "normalization": normalization, "keys": keys
        }),
        Source::Onnx { path, preparation, .. } => {
            serde_json::json!({ "file": path, "input": preparation })
        }
        Source::Remote { endpoint: EndpointPlan::Http(http), settings } => {
            serde_json::json!({ "http": http, "settings": settings })
        }
        Source::Remote { endpoint: EndpointPlan::Command(command), settings } => {
            serde_json::json!({ "command": command, "settings": settings })
        }
        Source::Wrapped { base, .. } => serde_json::json!({ "base": base }),
        Source::Voting { members, .. } => serde_json::json!({ "members": members }),
    }
}

/// A name as part of a file name.
pub(super) fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// SHA-256 of the parts and their lengths.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hexadecimal(&hash.finalize())
}
