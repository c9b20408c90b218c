//! Defences that change what a training step minimises.
mod adp;
mod fgsm;
mod gal;
mod gaussian;
mod inner;
mod members;
mod pgd;
mod watch;

use duress_core::Threat;
use duress_models::{Network, Objective};

pub use adp::AdaptiveDiversity;
pub(crate) use adp::ENTRY as ADP_TRAINING;
pub(crate) use fgsm::ENTRY as FGSM_TRAINING;
pub use fgsm::FgsmTraining;
pub(crate) use gal::ENTRY as GAL_TRAINING;
pub use gal::GradientAlignment;
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
