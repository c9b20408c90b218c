//! Defences of machine-learning models.
//!
//! [`DEFENSES`] lists those that change how a network is trained, transform the input of a
//! classifier, change its answers, or combine several classifiers; [`DETECTORS`] those that flag suspicious inputs.
//! [`generative`] holds networks that make rows, and purifiers and training data made of them.
//! [`inference`] holds what is done to the answers: abstaining, hardening.
pub mod detection;
pub mod ensemble;
pub mod generative;
pub mod inference;
mod table;
pub mod training;
pub mod transformation;

pub use detection::{DetectionMethod, Detector, DetectorEntry, Evidence, Guarded, Threshold};
pub use ensemble::VotingEnsemble;
pub use inference::InferenceDefense;
pub use table::{DEFENSES, DETECTORS, Defense, Entry, find, find_detector};
pub use training::{
    AblationAugmentation, AdaptiveDiversity, BaseRecipe, CollapseCheck, Combination, Consistency,
    CrownIbpTraining, DefensiveDistillation, DiscreteAugmentation, EnsembleAdversarialTraining,
    FastIbpTraining, FgsmTraining, FiniteDifferenceCurvature, FiniteDifferenceInputGradient,
    FiniteDifferenceJacobian, FreeTraining, GaussianAugmentation, GradientAlignment,
    HelperTraining, IbpTraining, LipschitzMarginTraining, LogitPairing, Macer, Mart,
    MtlIbpTraining, MultiNormTraining, NoParameters, NormBall, ParsevalTraining, PgdTraining,
    RobustnessWatch, SabrTraining, SmoothAdv, SpectralNormConstraint, Stability, Trades,
    TrainingDefense, WassersteinTraining, WeightPerturbation, Yopo,
};
pub use transformation::{
    Backward, Defended, Jpeg, Passage, TrainedBehind, TrainingRows, Transformation,
};
