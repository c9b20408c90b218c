//! The table of defences: everything else finds a defence here, by name.
use serde::{Serialize, de::DeserializeOwned};

use crate::detection::{self, DetectorEntry};
use crate::generative;
use crate::inference::{self, InferenceDefense};
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
    /// Changes what one classifier answers.
    Inference(InferenceDefense),
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
    training::ABLATION_AUGMENTATION,
    inference::ABSTENTION,
    training::ADP_TRAINING,
    training::WEIGHT_PERTURBATION,
    audio::BAND_PASS,
    image::BIT_DEPTH,
    training::CONSISTENCY,
    training::CROWN_IBP_TRAINING,
    training::CURVATURE,
    generative::DEFENSE_GAN,
    training::DEFENSIVE_DISTILLATION,
    image::DENOISER,
    generative::DIFFUSION_PURIFIER,
    training::DISCRETE_AUGMENTATION,
    ensemble::ENTRY,
    training::ENSEMBLE_ADVERSARIAL_TRAINING,
    image::ERROR_DIFFUSION,
    training::FAST_IBP_TRAINING,
    generic::FEATURE_ROUNDING,
    training::FGSM_TRAINING,
    training::FREE_TRAINING,
    training::GAL_TRAINING,
    training::GAUSSIAN_AUGMENTATION,
    generic::GAUSSIAN_NOISE,
    image::GAUSSIAN_SMOOTHING,
    training::HELPER_TRAINING,
    training::IBP_TRAINING,
    training::INPUT_GRADIENT,
    training::JACOBIAN,
    image::JPEG,
    training::LIPSCHITZ_MARGIN_TRAINING,
    training::LOGIT_PAIRING,
    training::MACER,
    generative::MAGNET_REFORMER,
    training::MART,
    image::MEDIAN_SMOOTHING,
    training::MTL_IBP_TRAINING,
    audio::MU_LAW,
    training::MULTI_NORM_TRAINING,
    audio::NOISE_INJECTION,
    image::NON_LOCAL_MEANS,
    image::ORDERED_DITHERING,
    training::PARSEVAL,
    generic::PCA_DENOISING,
    training::PGD_TRAINING,
    image::PIXEL_DEFLECTION,
    image::QUILTING,
    image::RANDOM_RESIZE,
    audio::RESAMPLING,
    inference::REVERSE_SIGMOID,
    training::SABR_TRAINING,
    inference::SCORE_ROUNDING,
    generic::SIGN_QUANTIZER,
    training::SMOOTH_ADV,
    generic::SOFTMAX_TEMPERATURE,
    training::SPECTRAL_NORM,
    audio::SPEED_PERTURBATION,
    training::STABILITY,
    image::THERMOMETER,
    inference::TOP_SCORES,
    image::TOTAL_VARIATION,
    training::TRADES,
    training::WASSERSTEIN_TRAINING,
    audio::WAVEFORM_MEDIAN,
    image::WAVELET_DENOISING,
    training::YOPO,
    generic::ZEROED_GRADIENT,
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
