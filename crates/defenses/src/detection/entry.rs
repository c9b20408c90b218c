//! What the command line, the experiments and the documentation know of a detector.
use serde::de::DeserializeOwned;

use super::{DetectionMethod, Error, Result};

/// A detector in the table.
#[derive(Debug)]
pub struct DetectorEntry {
    /// Name in configuration files and reports.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// What an attack differentiates: `exact`, or what stands in the place of a gradient that is
    /// zero or none.
    pub slope: &'static str,
    /// Whether it is fitted on adversarial rows too.
    pub supervised: bool,
    /// Its hyperparameters at their defaults.
    pub defaults: fn() -> toml::Table,
    /// Reads its hyperparameters; missing keys take their defaults, unknown keys are errors.
    pub parse: fn(toml::Table) -> Result<Box<dyn DetectionMethod>, toml::de::Error>,
}

impl DetectorEntry {
    pub(super) fn expect(
        &self,
        holds: bool,
        field: &'static str,
        expected: &'static str,
        got: impl ToString,
    ) -> Result<()> {
        if holds {
            return Ok(());
        }
        let (algorithm, got) = (self.name, got.to_string());
        Err(Error::Core(duress_core::Error::Parameter { algorithm, field, expected, got }))
    }

    pub(super) fn positive(&self, field: &'static str, value: f64) -> Result<()> {
        self.expect(value.is_finite() && value > 0.0, field, "positive", value)
    }

    pub(super) fn at_least(
        &self,
        field: &'static str,
        least: usize,
        expected: &'static str,
        value: usize,
    ) -> Result<()> {
        self.expect(value >= least, field, expected, value)
    }
}

pub(super) fn parse<D: DetectionMethod + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Box<dyn DetectionMethod>, toml::de::Error> {
    Ok(Box::new(table.try_into::<D>()?))
}
