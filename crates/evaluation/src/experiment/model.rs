//! `[[model]]`: a network to train, a classifier behind a transformation, or an ensemble.
use std::path::PathBuf;

use duress_core::Access;
use duress_defenses::inference::Abstention;
use duress_defenses::{
    DEFENSES, Defense, InferenceDefense, TrainingDefense, Transformation, VotingEnsemble, find,
};
use duress_graph::{Preparation, onnx};
use duress_models::train::Metric;
use duress_models::{Architecture, Normalization, Recipe};
use duress_remote::{CommandSettings, HttpSettings, OutputKind, Settings};
use serde::Deserialize;

use super::checkpoint::Checkpoint;
use super::text::{check_part, effective, one_line, take_name};
use crate::run::Watching;

/// One model of an experiment.
#[derive(Debug)]
pub struct ModelPlan {
    /// Name in rows.
    pub name: String,
    /// How it comes about.
    pub source: Source,
    /// Name of its defence, `none` without one.
    pub defense: &'static str,
    /// All hyperparameters of the defence, defaults included.
    pub config: serde_json::Value,
}

impl ModelPlan {
    /// Whether it is trained here.
    #[must_use]
    pub fn is_trained(&self) -> bool {
        matches!(&self.source, Source::Trained { .. })
    }

    /// Whether its answers depend on draws.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.transformation().is_some_and(Transformation::is_random)
    }

    /// What stands before its classifier.
    #[must_use]
    pub fn transformation(&self) -> Option<&dyn Transformation> {
        match &self.source {
            Source::Wrapped { transformation, .. } => Some(transformation.as_ref()),
            Source::Trained { behind: Some(behind), .. } => Some(behind.transformation.as_ref()),
            _ => None,
        }
    }

    /// How it may refuse to answer, if it may.
    #[must_use]
    pub fn abstention(&self) -> Option<&Abstention> {
        match &self.source {
            Source::Answering { defense: InferenceDefense::Abstention(abstention), .. } => {
                Some(abstention)
            }
            _ => None,
        }
    }

    /// Which weights of its training are evaluated: the best, unless the file says otherwise.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        match self.source {
            Source::Trained { checkpoint, .. } => checkpoint,
            _ => Checkpoint::Best,
        }
    }

    /// Whether its training is stopped by what validation samples say.
    #[must_use]
    pub fn stops_early(&self) -> bool {
        matches!(&self.source, Source::Trained { recipe, .. } if recipe.early_stop.is_some())
    }
}

/// How a model comes about.
#[derive(Debug)]
pub enum Source {
    /// A network is trained.
    Trained {
        /// Its layers.
        architecture: Architecture,
        /// How it is trained.
        recipe: Box<Recipe>,
        /// What training minimises; the plain cross-entropy if missing.
        defense: Option<Box<dyn TrainingDefense>>,
        /// Which of its weights are evaluated.
        checkpoint: Checkpoint,
        /// What it stands behind, in training as in use.
        behind: Option<Behind>,
    },
    /// A trained model is read from a file.
    Loaded {
        /// The safetensors file, relative to the working folder.
        path: PathBuf,
    },
    /// Weights of a file that says nothing of the layers: PyTorch, burn, any safetensors.
    Weights {
        /// The file, relative to the working folder.
        path: PathBuf,
        /// The layers they belong to.
        architecture: Architecture,
        /// Normalisation inside the network.
        normalization: Option<Normalization>,
        /// The file (TOML) that says which tensor is which, where names do not.
        keys: Option<PathBuf>,
    },
    /// A network of an ONNX file.
    Onnx {
        /// The file, relative to the working folder.
        path: PathBuf,
        /// What is done to a raw sample before the network sees it.
        preparation: Preparation,
        /// Which input and output of the file.
        ends: onnx::Options,
    },
    /// A service that is asked and not seen.
    Remote {
        /// Where it is.
        endpoint: EndpointPlan,
        /// How it is asked.
        settings: Box<Settings>,
    },
    /// Another model's input is transformed.
    Wrapped {
        /// Name of the other model.
        base: String,
        /// The transformation.
        transformation: Box<dyn Transformation>,
    },
    /// Another model's answers are changed.
    Answering {
        /// Name of the other model.
        base: String,
        /// What is done to its answers.
        defense: InferenceDefense,
    },
    /// Other models vote.
    Voting {
        /// Names of the others.
        members: Vec<String>,
        /// How they vote.
        ensemble: VotingEnsemble,
    },
}

/// A transformation that a network is trained behind, and how.
#[derive(Debug)]
pub struct Behind {
    /// What the network sees is what it makes of rows.
    pub transformation: Box<dyn Transformation>,
    /// Name of the training, `none` for the plain one.
    pub training: &'static str,
    /// All hyperparameters of the training, defaults included.
    pub training_config: serde_json::Value,
}

/// Where a service is.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointPlan {
    /// Behind HTTP.
    Http(HttpSettings),
    /// A program that is started.
    Command(CommandSettings),
}

impl Source {
    /// Whether its operations are known, so that bounds can be computed.
    #[must_use]
    pub fn is_network(&self) -> bool {
        matches!(
            self,
            Source::Trained { behind: None, .. }
                | Source::Loaded { .. }
                | Source::Weights { .. }
                | Source::Onnx { .. }
        )
    }

    /// What an adversary may ask of the model.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Source::Remote { settings, .. } if settings.output == OutputKind::Labels => {
                Access::Labels
            }
            Source::Remote { .. } => Access::Scores,
            _ => Access::Gradients,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    name: String,
    architecture: Option<Architecture>,
    recipe: Option<Recipe>,
    checkpoint: Option<Checkpoint>,
    file: Option<PathBuf>,
    keys: Option<PathBuf>,
    normalization: Option<Normalization>,
    input: Option<Preparation>,
    input_name: Option<String>,
    output_name: Option<String>,
    http: Option<HttpSettings>,
    command: Option<CommandSettings>,
    settings: Option<Settings>,
    base: Option<String>,
    members: Option<Vec<String>>,
    defense: Option<toml::Table>,
    training: Option<toml::Table>,
}

pub(super) fn check_all(tables: Vec<Table>) -> Result<Vec<ModelPlan>, String> {
    let mut plans: Vec<ModelPlan> = Vec::new();
    for table in tables {
        let at = format!("[[model]] `{}`", table.name);
        check_part("`name`", &table.name).map_err(|reason| format!("[[model]]: {reason}"))?;
        if plans.iter().any(|plan| plan.name == table.name) {
            return Err(format!("{at}: there is a model of this `name` already"));
        }
        let known: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        let plan = check(table, &known).map_err(|reason| format!("{at}: {reason}"))?;
        plans.push(plan);
    }
    Ok(plans)
}

fn check(mut table: Table, known: &[&str]) -> Result<ModelPlan, String> {
    if let Some(plan) = foreign(&mut table)? {
        return Ok(plan);
    }
    let loads = table.file.is_some() && table.architecture.is_some();
    if table.checkpoint.is_some() && (loads || table.architecture.is_none()) {
        return Err(CHECKPOINT.into());
    }
    if !loads && (table.keys.is_some() || table.normalization.is_some()) {
        return Err("`keys` and `normalization` belong to a `file` of weights with its \
                    `architecture`"
            .into());
    }
    let name = table.name;
    let (defense, label, config) = match table.defense {
        None => (None, "none", serde_json::Value::Null),
        Some(given) => {
            let (defense, label, config) = parse_defense(given)?;
            (Some(defense), label, config)
        }
    };
    let there = |model: &String| match known.contains(&model.as_str()) {
        true => Ok(()),
        false if known.is_empty() => Err(format!("no model `{model}` before it; there is none")),
        false => Err(format!("no model `{model}` before it; there are: {}", known.join(", "))),
    };
    let source = match (table.architecture, table.file, table.base, table.members, defense) {
        (None, Some(path), None, None, None) => Source::Loaded { path },
        (Some(architecture), Some(path), None, None, None) => Source::Weights {
            path,
            architecture,
            normalization: table.normalization,
            keys: table.keys,
        },
        (Some(architecture), None, None, None, defense) => {
            let (defense, behind) = match defense {
                None => (None, None),
                Some(Defense::Training(defense)) => (Some(defense), None),
                Some(Defense::Transformation(transformation)) => {
                    let (defense, behind) = trained_behind(transformation, table.training.take())?;
                    (defense, Some(behind))
                }
                Some(_) => return Err(format!("`{label}` is no training: it needs {OTHERS}")),
            };
            if table.training.is_some() {
                return Err(TRAINING.into());
            }
            let recipe = table.recipe.unwrap_or_default();
            recipe.check().map_err(|error| one_line(&error.to_string()))?;
            check_metric(&recipe, defense.as_deref())?;
            if table.checkpoint == Some(Checkpoint::Best)
                && !Watching::applies(&recipe, defense.as_deref())
            {
                return Err("`checkpoint = \"best\"` needs something that says which weights are \
                            the best: give `recipe` an `early_stop`"
                    .into());
            }
            let checkpoint = table.checkpoint.unwrap_or_default();
            let recipe = Box::new(recipe);
            return Ok(ModelPlan {
                name,
                source: Source::Trained { architecture, recipe, defense, checkpoint, behind },
                defense: label,
                config,
            });
        }
        (None, None, Some(base), None, Some(Defense::Transformation(transformation))) => {
            there(&base)?;
            Source::Wrapped { base, transformation }
        }
        (None, None, Some(base), None, Some(Defense::Inference(defense))) => {
            there(&base)?;
            Source::Answering { base, defense }
        }
        (None, None, None, Some(members), Some(Defense::Ensemble(ensemble))) => {
            members.iter().try_for_each(there)?;
            if members.is_empty() {
                return Err("`members` must name at least one model".into());
            }
            Source::Voting { members, ensemble }
        }
        _ => {
            return Err(format!(
                "give either `architecture` (with a training defence, a transformation to train \
                 behind, or none), `file`, `http`, `command`, {OTHERS}"
            ));
        }
    };
    if table.training.is_some() {
        return Err(TRAINING.into());
    }
    match table.recipe {
        Some(_) => Err("`recipe` belongs to a model with an `architecture`".into()),
        None => Ok(ModelPlan { name, source, defense: label, config }),
    }
}

const CHECKPOINT: &str = "`checkpoint` belongs to a model that is trained here";

/// How a network is trained that stands behind a transformation: by the `training` of its table.
fn trained_behind(
    transformation: Box<dyn Transformation>,
    training: Option<toml::Table>,
) -> Result<(Option<Box<dyn TrainingDefense>>, Behind), String> {
    let (defense, training, training_config) = match training {
        None => (None, "none", serde_json::Value::Null),
        Some(table) => {
            match parse_defense(table).map_err(|reason| format!("`training`: {reason}"))? {
                (Defense::Training(defense), label, _) if defense.propagates_bounds() => {
                    return Err(format!(
                        "`training`: `{label}` propagates bounds through the layers, and cannot \
                     through the transformation before them"
                    ));
                }
                (Defense::Training(defense), label, config) => (Some(defense), label, config),
                (_, label, _) => return Err(format!("`training`: `{label}` is no training")),
            }
        }
    };
    Ok((defense, Behind { transformation, training, training_config }))
}

/// A network of an ONNX file or a service, if the table is of one.
fn foreign(table: &mut Table) -> Result<Option<ModelPlan>, String> {
    let onnx = table
        .file
        .as_deref()
        .is_some_and(|path| path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("onnx")));
    let remote = table.http.is_some() || table.command.is_some();
    let ends = onnx::Options { input: table.input_name.take(), output: table.output_name.take() };
    if !onnx && (table.input.is_some() || ends != onnx::Options::default()) {
        return Err("`input`, `input_name` and `output_name` belong to the `file` of an ONNX \
                    network"
            .into());
    }
    if !remote && table.settings.is_some() {
        return Err("`settings` belong to a service: `http` or `command`".into());
    }
    if !onnx && !remote {
        return Ok(None);
    }
    if table.checkpoint.is_some() {
        return Err(CHECKPOINT.into());
    }
    let alone = table.architecture.is_none()
        && table.recipe.is_none()
        && table.base.is_none()
        && table.members.is_none()
        && table.defense.is_none()
        && table.training.is_none();
    let source = match (table.file.take(), table.http.take(), table.command.take()) {
        _ if !alone => {
            return Err("a file or a service stands alone: a transformation needs a \
                                   model of its own whose `base` it is"
                .into());
        }
        (Some(path), None, None) => {
            Source::Onnx { path, preparation: table.input.take().unwrap_or_default(), ends }
        }
        (None, Some(http), None) => Source::remote(EndpointPlan::Http(http), table.settings.take()),
        (None, None, Some(command)) => {
            Source::remote(EndpointPlan::Command(command), table.settings.take())
        }
        _ => return Err("give one of `file`, `http` and `command`".into()),
    };
    let (name, config) = (table.name.clone(), serde_json::Value::Null);
    Ok(Some(ModelPlan { name, source, defense: "none", config }))
}

impl Source {
    fn remote(endpoint: EndpointPlan, settings: Option<Settings>) -> Self {
        Source::Remote { endpoint, settings: Box::new(settings.unwrap_or_default()) }
    }
}

const TRAINING: &str = "`training` belongs to a model with an `architecture` and a transformation \
                        as `defense`: how the network behind it is trained";

const OTHERS: &str = "`base` with a transformation (or what is done to answers) as `defense`, or `members` with `defense.name = \"ensemble\"`";

/// Checks that what early stopping is to measure is what the model's watch can measure.
fn check_metric(recipe: &Recipe, defense: Option<&dyn TrainingDefense>) -> Result<(), String> {
    let Some(stop) = &recipe.early_stop else { return Ok(()) };
    let threatened = defense.is_some_and(|defense| defense.threat().is_some());
    match stop.metric {
        Metric::RobustAccuracy if !threatened => Err("`early_stop` measures robust accuracy, \
             and the model is trained against no threat; give it `metric = \"clean_accuracy\"`"
            .into()),
        Metric::CleanAccuracy if defense.is_some_and(|defense| defense.collapse().is_some()) => Err(
            "`early_stop` must measure `robust_accuracy`: the defence watches it for a collapse"
                .into(),
        ),
        _ => Ok(()),
    }
}

fn parse_defense(
    mut table: toml::Table,
) -> Result<(Defense, &'static str, serde_json::Value), String> {
    let name = take_name(&mut table, "[model.defense]")?;
    let Some(entry) = find(&name) else {
        let known: Vec<_> = DEFENSES.iter().map(|entry| entry.name).collect();
        return Err(format!("no defence `{name}`; known: {}", known.join(", ")));
    };
    let mut config = effective((entry.defaults)(), &table);
    let at = |reason: &str| format!("defence `{name}`: {}", one_line(reason));
    let defense = (entry.parse)(table).map_err(|error| at(&error.to_string()))?;
    if let Defense::Training(defense) = &defense {
        defense.check().map_err(|error| at(&error.to_string()))?;
        complete(&mut config, &defense.objective().parameters());
    }
    if let Defense::Transformation(transformation) = &defense {
        complete(&mut config, &transformation.parameters());
    }
    if let Defense::Inference(inference) = &defense {
        inference.check().map_err(|error| at(&error.to_string()))?;
    }
    if let Defense::Ensemble(ensemble) = &defense {
        ensemble.check().map_err(|error| at(&error.to_string()))?;
    }
    Ok((defense, entry.name, config))
}

/// Puts the defaults into tables within a table (a recipe inside another one), from all `known`
/// hyperparameters.
fn complete(config: &mut serde_json::Value, known: &serde_json::Value) {
    let Some(fields) = config.as_object_mut() else { return };
    for (name, value) in fields {
        if let (true, Some(known)) = (value.is_object() || value.is_array(), known.get(name)) {
            *value = known.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_inside_another_is_reported_with_its_defaults() {
        let text = "name = \"awp\"\ngamma = 0.01\ninner = { name = \"mart\", lambda = 5 }";
        let (_, _, config) = parse_defense(toml::from_str(text).unwrap()).unwrap();
        assert_eq!(config["gamma"], 0.01);
        assert_eq!(
            (&config["inner"]["name"], &config["inner"]["lambda"]),
            (&"mart".into(), &5.0.into())
        );
        assert_eq!(config["inner"]["steps"], 10);
        let text = "name = \"magnet-reformer\"\nautoencoder = { width = 9 }";
        let (_, _, config) = parse_defense(toml::from_str(text).unwrap()).unwrap();
        assert_eq!(
            (&config["autoencoder"]["width"], &config["autoencoder"]["epochs"]),
            (&9.into(), &100.into())
        );
        let plain = parse_defense(toml::from_str("name = \"pgd-training\"").unwrap()).unwrap().2;
        assert_eq!(plain["steps"], 7);
    }
}
