//! The table of defences: everything else finds a defence here, by name.
use serde::{Serialize, de::DeserializeOwned};

use crate::training::{self, TrainingDefense};
use crate::transformation::{self, Transformation};
use crate::{VotingEnsemble, ensemble};

/// A defence with its hyperparameters.
#[derive(Debug)]
pub enum Defense {
    /// Changes how a network is trained.
    Training(Box<dyn TrainingDefense>),
    /// Transforms the input of one classifier.
    Transformation(Box<dyn Transformation>),
    /// Combines several classifiers.
    Ensemble(VotingEnsemble),
}

/// What the command line, the experiments and the documentation know of a defence.
#[derive(Debug)]
pub struct Entry {
    /// Name in configuration files and reports.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// Its hyperparameters at their defaults.
    pub defaults: fn() -> toml::Table,
    /// Reads its hyperparameters; missing keys take their defaults, unknown keys are errors.
    pub parse: fn(toml::Table) -> Result<Defense, toml::de::Error>,
}

/// Every defence, in alphabetical order.
pub const DEFENSES: &[Entry] = &[
    training::CROWN_IBP_TRAINING,
    ensemble::ENTRY,
    training::FAST_IBP_TRAINING,
    training::FGSM_TRAINING,
    training::GAUSSIAN_AUGMENTATION,
    training::IBP_TRAINING,
    transformation::JPEG,
    training::MTL_IBP_TRAINING,
    training::PGD_TRAINING,
    training::SABR_TRAINING,
];

/// The entry called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    DEFENSES.iter().find(|entry| entry.name == name)
}

pub(crate) fn training<D: TrainingDefense + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Defense, toml::de::Error> {
    Ok(Defense::Training(Box::new(table.try_into::<D>()?)))
}

pub(crate) fn transformation<D: Transformation + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Defense, toml::de::Error> {
    Ok(Defense::Transformation(Box::new(table.try_into::<D>()?)))
}

pub(crate) fn defaults<D: Default + Serialize>() -> toml::Table {
    // A struct of numbers and names always has a table form.
    toml::Table::try_from(D::default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_default_parses() {
        assert!(DEFENSES.is_sorted_by_key(|entry| entry.name));
        for entry in DEFENSES {
            assert!((entry.parse)((entry.defaults)()).is_ok(), "{}", entry.name);
            let table = toml::Table::from_iter([("qualty".to_string(), toml::Value::Integer(3))]);
            let message = (entry.parse)(table).unwrap_err().to_string();
            assert!(message.contains("unknown field `qualty`"), "{message}");
        }
    }
}
