//! `[data]`: a known set by its name, or the user's own files by their path.
use std::path::PathBuf;

use duress_datasets::open::Options;
use serde::Deserialize;

use super::text::one_line;

/// The data of an experiment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct DataPlan {
    /// Where the samples come from.
    pub source: DataSource,
    /// Use only so many training samples, from the start.
    pub train: Option<usize>,
    /// Use only so many test samples, from the start.
    pub test: Option<usize>,
    /// Share of the training samples held out to watch the training.
    pub validation: f64,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq)]
pub enum DataSource {
    /// A name in the table of data sets.
    Known(String),
    /// Files or folders, relative to the working folder.
    Files(Box<Files>),
}

/// A user's files.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// The test samples.
    pub path: PathBuf,
    /// The training samples, without which nothing is trained.
    pub train_path: Option<PathBuf>,
    /// How to read the test samples, without a limit.
    pub options: Options,
    /// How to read the training samples: the same options with the part and labels of the training.
    pub train_options: Options,
}

/// The keys beside those of [`Options`].
#[derive(Deserialize)]
struct Own {
    name: Option<String>,
    path: Option<PathBuf>,
    train_path: Option<PathBuf>,
    train_part: Option<String>,
    train_labels: Option<PathBuf>,
    train: Option<usize>,
    test: Option<usize>,
    validation: Option<f64>,
}

const OWN: [&str; 8] =
    ["name", "path", "train_path", "train_part", "train_labels", "train", "test", "validation"];

impl TryFrom<toml::Table> for DataPlan {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let mut own = toml::Table::new();
        for key in OWN {
            own.extend(table.remove_entry(key));
        }
        let fault = |error: toml::de::Error| format!("[data]: {}", with_own_keys(error.message()));
        let own: Own = own.try_into().map_err(fault)?;
        let source = match (&own.name, &own.path) {
            (Some(name), None) => known(name, &own, &table)?,
            (None, Some(path)) => {
                let options: Options = table.try_into().map_err(fault)?;
                files(path.clone(), &own, options)?
            }
            (None, None) => {
                return Err(
                    "[data]: give the `name` of a known data set, or the `path` of a file \
                            or folder"
                        .into(),
                );
            }
            (Some(_), Some(_)) => {
                return Err("[data]: give either `name` or `path`, not both".into());
            }
        };
        let limit = match &source {
            DataSource::Files(files) => files.options.limit,
            DataSource::Known(_) => None,
        };
        if limit.is_some() && own.test.is_some() {
            return Err(
                "[data]: give either `limit` or `test`: both are the number of test samples".into(),
            );
        }
        let plan = Self {
            source: source.without_limit(),
            train: own.train,
            test: own.test.or(limit),
            validation: own.validation.unwrap_or(TENTH),
        };
        plan.check()?;
        Ok(plan)
    }
}

/// What the parser of the options says of an unknown key, with the keys beside them.
fn with_own_keys(message: &str) -> String {
    let own: Vec<String> = OWN.iter().map(|key| format!("`{key}`")).collect();
    one_line(message).replacen(
        "expected one of ",
        &format!("expected one of {}, ", own.join(", ")),
        1,
    )
}

fn known(name: &str, own: &Own, rest: &toml::Table) -> Result<DataSource, String> {
    if let Some(key) = rest.keys().next() {
        return Err(match rest.clone().try_into::<Options>() {
            Ok(_) => format!("[data]: `{key}` is for files: give a `path` instead of the `name`"),
            Err(error) => format!("[data]: {}", with_own_keys(error.message())),
        });
    }
    for (key, given) in [
        ("train_path", own.train_path.is_some()),
        ("train_part", own.train_part.is_some()),
        ("train_labels", own.train_labels.is_some()),
    ] {
        if given {
            return Err(format!("[data]: `{key}` is for files: `{name}` has a training part"));
        }
    }
    duress_datasets::find(name).map_err(|error| one_line(&format!("[data]: {error}")))?;
    Ok(DataSource::Known(name.into()))
}

fn files(path: PathBuf, own: &Own, options: Options) -> Result<DataSource, String> {
    options.check().map_err(|error| format!("[data]: {}", one_line(&error.to_string())))?;
    let mut train_options = options.clone();
    // Another part of one file needs no second path.
    let train_path =
        own.train_path.clone().or_else(|| own.train_part.is_some().then(|| path.clone()));
    if own.train_part.is_some() {
        train_options.part.clone_from(&own.train_part);
    }
    if own.train_labels.is_some() {
        train_options.labels.clone_from(&own.train_labels);
    }
    if train_path.is_none() {
        for (key, given) in [
            ("train", own.train.is_some()),
            ("train_labels", own.train_labels.is_some()),
            ("validation", own.validation.is_some()),
        ] {
            if given {
                return Err(format!("[data]: `{key}` needs a `train_path` (or a `train_part`)"));
            }
        }
    }
    Ok(DataSource::Files(Box::new(Files { path, train_path, options, train_options })))
}

impl DataSource {
    fn without_limit(mut self) -> Self {
        if let DataSource::Files(files) = &mut self {
            (files.options.limit, files.train_options.limit) = (None, None);
        }
        self
    }
}

impl DataPlan {
    /// Whether there are samples to learn from.
    #[must_use]
    pub fn trains(&self) -> bool {
        match &self.source {
            DataSource::Known(_) => true,
            DataSource::Files(files) => files.train_path.is_some(),
        }
    }

    fn check(&self) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.validation) {
            let got = self.validation;
            return Err(format!("[data]: `validation` must be in [0, 1), got {got}"));
        }
        for (key, limit) in [("train", self.train), ("test", self.test)] {
            if limit == Some(0) {
                return Err(format!("[data]: `{key}` must be at least 1, got 0"));
            }
        }
        Ok(())
    }
}

const TENTH: f64 = 0.1;
