//! The table of defences: everything else finds a defence here, by name.
use serde::{Serialize, de::DeserializeOwned};

use crate::detection::{self, DetectorEntry};
use crate::training::{self, TrainingDefense};
use crate::transformation::{Transformation, audio, generic, image};
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
    audio::BAND_PASS,
    audio::MU_LAW,
    audio::NOISE_INJECTION,
    audio::RESAMPLING,
    audio::SPEED_PERTURBATION,
    audio::WAVEFORM_MEDIAN,
    ensemble::ENTRY,
    generic::FEATURE_ROUNDING,
    generic::GAUSSIAN_NOISE,
    generic::PCA_DENOISING,
    generic::SIGN_QUANTIZER,
    generic::SOFTMAX_TEMPERATURE,
    generic::ZEROED_GRADIENT,
    image::BIT_DEPTH,
    image::ERROR_DIFFUSION,
    image::GAUSSIAN_SMOOTHING,
    image::JPEG,
    image::MEDIAN_SMOOTHING,
    image::NON_LOCAL_MEANS,
    image::ORDERED_DITHERING,
    image::PIXEL_DEFLECTION,
    image::QUILTING,
    image::RANDOM_RESIZE,
    image::THERMOMETER,
    image::TOTAL_VARIATION,
    image::WAVELET_DENOISING,
    training::ADP_TRAINING,
    training::CURVATURE,
    training::DEFENSIVE_DISTILLATION,
    training::ENSEMBLE_ADVERSARIAL_TRAINING,
    training::FGSM_TRAINING,
    training::FREE_TRAINING,
    training::GAL_TRAINING,
    training::GAUSSIAN_AUGMENTATION,
    training::HELPER_TRAINING,
    training::INPUT_GRADIENT,
    training::JACOBIAN,
    training::LOGIT_PAIRING,
    training::MART,
    training::MULTI_NORM_TRAINING,
    training::PARSEVAL,
    training::PGD_TRAINING,
    training::SPECTRAL_NORM,
    training::TRADES,
    training::WASSERSTEIN_TRAINING,
    training::WEIGHT_PERTURBATION,
    training::YOPO,
];

/// Every detector of adversarial inputs, in alphabetical order.
pub const DETECTORS: &[DetectorEntry] = &[
    detection::ACTIVATION_CLASSIFIER,
    detection::DEEP_NEIGHBORS,
    detection::FEATURE_SQUEEZING,
    detection::KERNEL_DENSITY,
    detection::INTRINSIC_DIMENSION,
    detection::RECONSTRUCTION_DIVERGENCE,
    detection::RECONSTRUCTION,
    detection::MAHALANOBIS,
    detection::NOISE_ODDS,
    detection::SUBSET_SCANNING,
];

/// The detector called `name`.
#[must_use]
pub fn find_detector(name: &str) -> Option<&'static DetectorEntry> {
    DETECTORS.iter().find(|entry| entry.name == name)
}

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

    #[test]
    fn the_table_of_detectors_is_sorted_and_every_default_parses() {
        assert!(DETECTORS.is_sorted_by_key(|entry| entry.name));
        for entry in DETECTORS {
            let method = (entry.parse)((entry.defaults)()).unwrap();
            assert_eq!(method.name(), entry.name);
            assert!(method.check().is_ok(), "{}", entry.name);
            assert_eq!(find_detector(entry.name).map(|entry| entry.name), Some(entry.name));
            let table = toml::Table::from_iter([("neigbors".to_string(), toml::Value::Integer(3))]);
            let message = (entry.parse)(table).unwrap_err().to_string();
            assert!(message.contains("unknown field `neigbors`"), "{message}");
        }
    }
}
