//! Defences of machine-learning models.
//!
//! [`DEFENSES`] lists them, [`DETECTORS`] those that detect instead. A defence changes how a network is trained, transforms the input of a
//! classifier, or combines several classifiers.
pub mod detection;
mod ensemble;
mod table;
pub mod training;
pub mod transformation;

pub use detection::{DetectionMethod, Detector, DetectorEntry, Evidence, Guarded, Threshold};
pub use ensemble::VotingEnsemble;
pub use table::{DEFENSES, DETECTORS, Defense, Entry, find, find_detector};
pub use training::{
    FgsmTraining, GaussianAugmentation, PgdTraining, RobustnessWatch, TrainingDefense,
};
pub use transformation::{Backward, Jpeg, Transformation};
