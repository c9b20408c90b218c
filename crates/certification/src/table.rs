//! The table of certifiers, and what all of them answer.
use burn::prelude::*;
use duress_core::{Classifier, Norm, Passes, Progress, Result, Seed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::proof::{self, Prover};
use crate::smoothing::{ablation, adaptive, discrete, gaussian, l1, top_k};

/// What a certifier says about one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Class that the certified classifier predicts; `None` where it abstains.
    pub prediction: Option<usize>,
    /// No perturbation shorter than this changes the prediction; 0 where it abstains. In L0, which
    /// counts, none of this many changes does either.
    pub radius: f64,
    /// Probability that the statement is wrong: 0 for a proof.
    pub failure_probability: f64,
    /// Forward passes of the base classifier.
    pub forwards: u64,
}

/// Certifies predictions of a classifier, one sample at a time.
pub trait Certifier: std::fmt::Debug + Send + Sync {
    /// Name in the table of certifiers.
    fn name(&self) -> &'static str;

    /// The norm of the certified ball, in units of the raw input.
    fn norm(&self) -> Norm;

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`].
    fn check(&self) -> Result<()>;

    /// Certifies the prediction at one row `[1, F]` of the sample `id`.
    ///
    /// # Errors
    /// Wrong hyperparameters or a failing model; abstaining is a result.
    fn certify(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        row: Tensor<2>,
        sample: (Seed, u64),
        progress: &dyn Progress,
    ) -> Result<Certificate>;
}

/// A certifier with its hyperparameters, by what it needs of a model.
#[derive(Debug)]
pub enum Certification {
    /// It asks a classifier, and its statement may fail with a small probability.
    Sampled(Box<dyn Certifier>),
    /// It needs the operations of a network, and its statement is a proof.
    Proved(Box<dyn Prover>),
}

impl Certification {
    /// The norm of the certified ball, in units of the raw input.
    #[must_use]
    pub fn norm(&self) -> Norm {
        match self {
            Certification::Sampled(certifier) => certifier.norm(),
            Certification::Proved(prover) => prover.norm(),
        }
    }

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// As [`Certifier::check`] and [`Prover::check`].
    pub fn check(&self) -> Result<()> {
        match self {
            Certification::Sampled(certifier) => certifier.check(),
            Certification::Proved(prover) => prover.check(),
        }
    }
}

/// The certifier `C` of a table of hyperparameters.
pub(crate) fn sampled<C: Certifier + DeserializeOwned + 'static>(
    table: toml::Table,
) -> Result<Certification, toml::de::Error> {
    Ok(Certification::Sampled(Box::new(table.try_into::<C>()?)))
}

/// What the command line and the experiments know of a certifier.
#[derive(Debug)]
pub struct Entry {
    /// Name in configuration files and reports.
    pub name: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// The norm of its balls at the defaults.
    pub norm: Norm,
    /// Its hyperparameters at their defaults.
    pub defaults: fn() -> toml::Table,
    /// Reads its hyperparameters; missing keys take their defaults, unknown keys are errors.
    pub parse: fn(toml::Table) -> Result<Certification, toml::de::Error>,
}

/// Every certifier, in alphabetical order.
pub const CERTIFIERS: &[Entry] = &[
    ablation::ENTRY,
    proof::ALPHA_CROWN,
    proof::CROWN,
    proof::CROWN_IBP,
    proof::FORWARD,
    proof::IBP,
    proof::LIPSCHITZ_MARGIN,
    proof::LOCAL_LIPSCHITZ,
    gaussian::ENTRY,
    adaptive::ENTRY,
    discrete::ENTRY,
    l1::ENTRY,
    top_k::ENTRY,
    proof::SPECTRAL_PRODUCT,
    proof::VERIFY,
    proof::ZONOTOPE,
];

/// The entry called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    CERTIFIERS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_the_defaults_pass_their_own_check() {
        assert!(CERTIFIERS.is_sorted_by_key(|entry| entry.name));
        for entry in CERTIFIERS {
            let certifier = (entry.parse)((entry.defaults)()).unwrap();
            certifier.check().unwrap();
            let name = match &certifier {
                Certification::Sampled(certifier) => certifier.name(),
                Certification::Proved(prover) => prover.name(),
            };
            assert_eq!((name, certifier.norm()), (entry.name, entry.norm));
            assert!(!(entry.defaults)().is_empty(), "{}", entry.name);
            assert!((entry.parse)(toml::from_str("sigmoid = 1").unwrap()).is_err());
        }
    }
}
