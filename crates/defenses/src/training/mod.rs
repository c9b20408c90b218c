//! Defences that change what a training step minimises.
mod adp;
mod ball;
mod base;
pub mod certified;
mod check;
mod curvature;
mod difference;
mod distillation;
mod ensemble_adversarial;
mod fgsm;
mod free;
mod gal;
mod gaussian;
mod helper;
mod inner;
mod input_gradient;
mod jacobian;
mod lipschitz_margin;
mod logit_pairing;
mod losses;
mod mart;
mod members;
mod minimax;
mod multi_norm;
mod near_pgd;
mod parseval;
mod pgd;
pub mod smoothed;
mod spectral;
#[cfg(test)]
mod tests;
mod trades;
mod wasserstein;
mod watch;
mod weight_perturbation;
mod yopo;

use duress_core::Threat;
use duress_models::{Initialization, Network, Objective, Recipe};

pub use adp::AdaptiveDiversity;
pub(crate) use adp::ENTRY as ADP_TRAINING;
pub use base::{BaseRecipe, NoParameters};
pub(crate) use certified::{
    CROWN_IBP_TRAINING, FAST_IBP_TRAINING, IBP_TRAINING, MTL_IBP_TRAINING, SABR_TRAINING,
};
pub use certified::{
    CrownIbpTraining, FastIbpTraining, IbpTraining, MtlIbpTraining, Ramp, SabrTraining,
};
pub(crate) use curvature::ENTRY as CURVATURE;
pub use curvature::FiniteDifferenceCurvature;
pub use distillation::DefensiveDistillation;
pub(crate) use distillation::ENTRY as DEFENSIVE_DISTILLATION;
pub(crate) use ensemble_adversarial::ENTRY as ENSEMBLE_ADVERSARIAL_TRAINING;
pub use ensemble_adversarial::EnsembleAdversarialTraining;
pub(crate) use fgsm::ENTRY as FGSM_TRAINING;
pub use fgsm::FgsmTraining;
pub(crate) use free::ENTRY as FREE_TRAINING;
pub use free::FreeTraining;
pub(crate) use gal::ENTRY as GAL_TRAINING;
pub use gal::GradientAlignment;
pub(crate) use gaussian::ENTRY as GAUSSIAN_AUGMENTATION;
pub use gaussian::GaussianAugmentation;
pub(crate) use helper::ENTRY as HELPER_TRAINING;
pub use helper::HelperTraining;
pub(crate) use input_gradient::ENTRY as INPUT_GRADIENT;
pub use input_gradient::FiniteDifferenceInputGradient;
pub(crate) use jacobian::ENTRY as JACOBIAN;
pub use jacobian::FiniteDifferenceJacobian;
pub(crate) use lipschitz_margin::ENTRY as LIPSCHITZ_MARGIN_TRAINING;
pub use lipschitz_margin::LipschitzMarginTraining;
pub(crate) use logit_pairing::ENTRY as LOGIT_PAIRING;
pub use logit_pairing::LogitPairing;
pub(crate) use mart::ENTRY as MART;
pub use mart::Mart;
pub(crate) use multi_norm::ENTRY as MULTI_NORM_TRAINING;
pub use multi_norm::{Combination, MultiNormTraining, NormBall};
pub(crate) use parseval::ENTRY as PARSEVAL;
pub use parseval::ParsevalTraining;
pub(crate) use pgd::ENTRY as PGD_TRAINING;
pub use pgd::PgdTraining;
pub(crate) use smoothed::{
    ABLATION_AUGMENTATION, CONSISTENCY, DISCRETE_AUGMENTATION, MACER, SMOOTH_ADV, STABILITY,
};
pub use smoothed::{
    AblationAugmentation, Consistency, DiscreteAugmentation, Macer, SmoothAdv, Stability,
};
pub(crate) use spectral::ENTRY as SPECTRAL_NORM;
pub use spectral::SpectralNormConstraint;
pub(crate) use trades::ENTRY as TRADES;
pub use trades::Trades;
pub(crate) use wasserstein::ENTRY as WASSERSTEIN_TRAINING;
pub use wasserstein::WassersteinTraining;
pub use watch::{CollapseCheck, RobustnessWatch};
pub(crate) use weight_perturbation::ENTRY as WEIGHT_PERTURBATION;
pub use weight_perturbation::WeightPerturbation;
pub(crate) use yopo::ENTRY as YOPO;
pub use yopo::Yopo;

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

    /// Whether it propagates bounds through the layers, from a box of rows that nothing stands
    /// before: such a network cannot be trained behind a transformation.
    fn propagates_bounds(&self) -> bool {
        false
    }

    /// When the training counts as collapsed; `None` where no such check belongs to the method.
    fn collapse(&self) -> Option<CollapseCheck> {
        None
    }

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`], [`duress_core::Error::UnsupportedNorm`].
    fn check(&self) -> duress_core::Result<()>;

    /// Checks that `recipe` and an untrained `network` are such that the training can be done:
    /// what would else be told at its first step.
    ///
    /// # Errors
    /// [`duress_models::Error::Objective`] for a recipe that is too short,
    /// [`duress_models::Error::Parameter`] for a network of another kind.
    fn fits(&self, recipe: &Recipe, network: &Network) -> duress_models::Result<()> {
        let _ = (recipe, network);
        Ok(())
    }
}
