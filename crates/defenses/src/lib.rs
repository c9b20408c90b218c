//! Defences of machine-learning models.
//!
//! [`DEFENSES`] lists them. A defence changes how a network is trained, transforms the input of a
//! classifier, or combines several classifiers.
mod ensemble;
mod table;
pub mod training;
pub mod transformation;

pub use ensemble::VotingEnsemble;
pub use table::{DEFENSES, Defense, Entry, find};
pub use training::{
    CrownIbpTraining, FastIbpTraining, FgsmTraining, GaussianAugmentation, IbpTraining,
    MtlIbpTraining, PgdTraining, RobustnessWatch, SabrTraining, TrainingDefense,
};
pub use transformation::{Backward, Jpeg, Transformation};
