//! Defences of machine-learning models.
//!
//! [`DEFENSES`] lists them. A defence changes how a network is trained, transforms the input of a
//! classifier, or combines several classifiers.
pub mod ensemble;
pub mod inference;
mod table;
pub mod training;
pub mod transformation;

pub use ensemble::VotingEnsemble;
pub use table::{DEFENSES, Defense, Entry, find};
pub use training::{
    AdaptiveDiversity, FgsmTraining, GaussianAugmentation, GradientAlignment, PgdTraining,
    RobustnessWatch, TrainingDefense,
};
pub use transformation::{Backward, Defended, Jpeg, TrainingRows, Transformation};
