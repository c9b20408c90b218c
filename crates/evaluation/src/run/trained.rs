//! Networks that an experiment trains, from the cache or anew.
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use duress_attacks::Pgd;
use duress_core::{Classifier, Domain, Norm, Threat, predictions};
use duress_datasets::{Dataset, Input, npz};
use duress_defenses::{Defended, Passage, RobustnessWatch, TrainedBehind, TrainingDefense};
use duress_models::train::{EpochReport, Metric, Mix, Run, Watch};
use duress_models::{
    Accuracy, Architecture, Card, Model, Network, Objective, Recipe, Standard, TrainingData, train,
};
use serde::{Deserialize, Serialize};

use super::Runner;
use super::build::{BATCH, digest, file_name};
use super::lines::write_whole;
use crate::experiment::{ModelPlan, Source};
use crate::{Error, Result};

/// What the training of a model left behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Training {
    pub(super) parameters: u64,
    pub(super) seconds: f64,
    pub(super) stopped: Option<String>,
    pub(super) history: Vec<EpochReport>,
}

/// What a network is trained behind.
struct Front {
    /// The input space of its layers.
    inner: Domain,
    passage: Passage,
    /// How it is trained, as text.
    training: String,
}

impl Runner<'_> {
    /// The file of the trained model `name`.
    pub(super) fn train_named(&self, name: &str) -> Result<PathBuf> {
        for plan in &self.experiment.models {
            if let Source::Trained { architecture, recipe, defense, .. } = &plan.source
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

    /// The trained model, from the cache if it is there.
    pub(super) fn train(
        &self,
        plan: &ModelPlan,
        architecture: &Architecture,
        recipe: &Recipe,
        defense: Option<&dyn TrainingDefense>,
    ) -> Result<(Model, Training, PathBuf)> {
        let (train_data, context) = (&self.data.train, self.context);
        let (domain, classes) = (train_data.domain(), train_data.class_names().len());
        let minimised: &dyn Objective<Network> =
            defense.map_or(&Standard as &dyn Objective<Network>, TrainingDefense::objective);
        let front = self.front(plan)?;
        let behind =
            front.as_ref().map(|front| TrainedBehind::new(minimised, front.passage.clone()));
        let objective =
            behind.as_ref().map_or(minimised, |behind| behind as &dyn Objective<Network>);
        let objective_name = Objective::<Network>::name(objective).to_owned();
        let extra = recipe.mix.as_ref().map(|mix| self.second_set(mix)).transpose()?;
        let mut config = plan.config.to_string();
        if let Some(front) = &front {
            config.push_str(&front.training);
        }
        let key = digest(&[
            &serde_json::to_string(architecture)?,
            &serde_json::to_string(recipe)?,
            &objective_name,
            &config,
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
        let inner = front.as_ref().map_or(domain, |front| &front.inner);
        let network = architecture.init_by(by, inner, classes, self.experiment.seed, device)?;
        let network = behind.as_ref().map_or(network.clone(), |behind| behind.front(&network));
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

        let mut card = Card::new(architecture.clone(), inner.clone(), classes);
        card.class_names = train_data.class_names().to_vec();
        card.recipe = Some(recipe.clone());
        card.objective = Some(objective_name);
        card.objective_parameters = objective.parameters();
        card.data = Some(train_data.name().to_owned());
        card.data_digest = Some(train_data.digest().to_owned());
        card.seed = Some(self.experiment.seed);
        card.epochs = Some(trained.history.len() as u32);
        let model = self.judged(trained.chosen(), card, front.as_ref())?;
        let training = Training {
            parameters: architecture.parameters(inner, classes)?,
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

    /// What a network is trained behind, if it is.
    fn front(&self, plan: &ModelPlan) -> Result<Option<Front>> {
        let Source::Trained { behind: Some(behind), .. } = &plan.source else { return Ok(None) };
        let (transformation, _) = self.fitted(behind.transformation.as_ref())?;
        let inner = transformation.get().inner_domain(self.data.train.domain())?;
        let passage = transformation.get().passage(&inner, self.experiment.seed)?;
        let training = format!("{}{}", behind.training, behind.training_config);
        Ok(Some(Front { inner, passage, training }))
    }

    /// The layers as a model, whose card states its accuracy on the test samples, behind what it
    /// was trained behind.
    fn judged(&self, network: &Network, mut card: Card, front: Option<&Front>) -> Result<Model> {
        let model = Model::new(&network.without_front(), card.clone())?;
        card.clean_accuracy = Some(match front {
            None => self.accuracy(&model, &self.data.test)?,
            Some(front) => {
                let base: Arc<dyn Classifier> = Arc::new(model.clone());
                self.accuracy(&Defended::new(base, front.passage.clone()), &self.data.test)?
            }
        });
        Ok(model.with_card(card)?)
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

/// Samples a watch measures after each epoch.
const WATCHED: usize = 256;
