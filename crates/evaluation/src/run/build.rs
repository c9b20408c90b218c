//! Makes the models of an experiment, and measures them without an adversary.
use std::path::PathBuf;
use std::sync::Arc;

use duress_certification::Certification;
use duress_core::{Classifier, Norm, Oracle, Passes};
use duress_defenses::inference::{Abstention, RefusalRule};
use duress_defenses::{Backward, InferenceDefense};
use duress_graph::Graph;
use duress_models::Model;
use sha2::{Digest, Sha256};

use super::compose::answering;
use super::subject::Subject;
use super::training::Training;
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
    /// How it may refuse to answer: the class after the labels.
    pub(super) refusal: Option<Refusal>,
    /// Its operations, where something is to be proved of it.
    pub(super) graph: Option<Graph>,
}

/// The class of a refusal, and what one costs where an error costs 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) class: usize,
    pub(super) cost: f64,
}

impl Refusal {
    /// The mean cost of so many wrong answers and refusals, of `samples`.
    pub(super) fn mean_cost(self, wrong: u64, abstained: u64, samples: u64) -> f64 {
        (wrong as f64 + self.cost * abstained as f64) / samples.max(1) as f64
    }
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
        let right = (0..test.len()).filter(correct).count() as u64;
        let refused = built.refusal.map(|refusal| {
            let refused = built.predicted.iter().filter(|class| **class == refusal.class).count();
            let (refused, all) = (refused as u64, test.len() as u64);
            (refused, refusal.mean_cost(all - right - refused, refused, all))
        });
        let measured = Measured::Clean {
            correct: right,
            abstained: refused.map(|(count, _)| count),
            mean_cost: refused.map(|(_, cost)| cost),
            defense: plan.defense.into(),
            defense_config: plan.config.clone(),
            gradient: gradient(plan).map(Into::into),
            source: describe(&plan.source),
            parameters: built.training.parameters,
            epochs: built.training.history.len() as u32,
            training_seconds: built.training.seconds,
            stopped: built.training.stopped.clone(),
            watched: built.training.watched.clone(),
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
            refusal: plan.abstention().map(|abstention| Refusal {
                class: self.data.test.class_names().len(),
                cost: abstention.cost,
            }),
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
            Source::Trained { behind, .. } => {
                let (model, training, _) = self.train(plan)?;
                if let Some(behind) = behind {
                    let (base, transformation) = (model.digest()?, behind.transformation.as_ref());
                    let (digest, subject) =
                        self.behind(plan, Arc::new(model), &base, transformation)?;
                    return Ok(built(digest, subject, training));
                }
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
            Source::Answering { base, defense } => {
                let (digest, subject) = answering(plan, find(base)?, *defense)?;
                Ok(built(digest, subject, Training::default()))
            }
            Source::Voting { members, ensemble } => {
                let members: Vec<&Built> = members.iter().map(find).collect::<Result<_>>()?;
                let (digest, subject) = self.voting(plan, &members, ensemble)?;
                Ok(built(digest, subject, Training::default()))
            }
        }
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
}

/// Samples of a pass over a data set.
pub(super) const BATCH: usize = 1024;

/// How a gradient passes what stands around a model's classifier.
fn gradient(plan: &ModelPlan) -> Option<&'static str> {
    match &plan.source {
        Source::Answering {
            defense: InferenceDefense::Abstention(Abstention { rule: RefusalRule::Cost, .. }),
            ..
        } => Some(Backward::Exact.name()),
        Source::Answering { .. } => Some(Backward::Identity.name()),
        _ => plan.transformation().map(|front| front.gradient().name()),
    }
}

fn describe(source: &Source) -> serde_json::Value {
    match source {
        Source::Trained { architecture, recipe, behind: None, .. } => {
            serde_json::json!({ "architecture": architecture, "recipe": recipe })
        }
        Source::Trained { architecture, recipe, behind: Some(behind), .. } => serde_json::json!({
            "architecture": architecture,
            "recipe": recipe,
            "training": behind.training,
            "training_config": behind.training_config,
        }),
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
        Source::Wrapped { base, .. } | Source::Answering { base, .. } => {
            serde_json::json!({ "base": base })
        }
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
