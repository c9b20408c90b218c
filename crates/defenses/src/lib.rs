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
    AdaptiveDiversity, BaseRecipe, Combination, DefensiveDistillation, EnsembleAdversarialTraining, FgsmTraining, FiniteDifferenceCurvature, FiniteDifferenceInputGradient, FiniteDifferenceJacobian, FreeTraining, GaussianAugmentation, GradientAlignment, HelperTraining, LogitPairing, Mart, MultiNormTraining, NoParameters, NormBall, ParsevalTraining, PgdTraining, RobustnessWatch, SpectralNormConstraint, Trades, TrainingDefense, WassersteinTraining, WeightPerturbation, Yopo,
};
pub use transformation::{Backward, Defended, Jpeg, TrainingRows, Transformation};
