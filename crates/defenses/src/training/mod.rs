//! Defences that change what a training step minimises.
pub mod certified;
mod fgsm;
mod gaussian;
mod inner;
mod pgd;
mod watch;

use duress_core::Threat;
use duress_models::{Initialization, Network, Objective};

pub(crate) use certified::{
    CROWN_IBP_TRAINING, FAST_IBP_TRAINING, IBP_TRAINING, MTL_IBP_TRAINING, SABR_TRAINING,
};
pub use certified::{
    CrownIbpTraining, FastIbpTraining, IbpTraining, MtlIbpTraining, Ramp, SabrTraining,
};
pub(crate) use fgsm::ENTRY as FGSM_TRAINING;
pub use fgsm::FgsmTraining;
pub(crate) use gaussian::ENTRY as GAUSSIAN_AUGMENTATION;
pub use gaussian::GaussianAugmentation;
pub(crate) use pgd::ENTRY as PGD_TRAINING;
pub use pgd::PgdTraining;
pub use watch::RobustnessWatch;

/// A training objective that defends.
pub trait TrainingDefense: std::fmt::Debug + Send + Sync {
    /// What a training step minimises.
    fn objective(&self) -> &dyn Objective<Network>;

    /// The threat model it trains against, if it has one.
    fn threat(&self) -> Option<Threat>;

    /// How the weights are drawn that it starts from.
    fn initialization(&self) -> Initialization {
        Initialization::default()
    }

    /// How far robust accuracy may fall from one epoch to the next before the training counts as
    /// collapsed; `None` where no such check belongs to the method.
    fn collapse(&self) -> Option<f64> {
        None
    }

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`], [`duress_core::Error::UnsupportedNorm`].
    fn check(&self) -> duress_core::Result<()>;
}
