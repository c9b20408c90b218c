//! What an attack is: hyperparameters and one method. It proposes; the driver measures.
use burn::prelude::*;

use crate::job::{GradientJob, LabelJob, ScoreJob};
use crate::oracle::Access;
use crate::{Domain, Norm, Result};

/// What the driver knows of an attack before it runs.
///
/// Implementations hold hyperparameters only, so that a value can be shared, logged and reused.
pub trait Algorithm: std::fmt::Debug + Send + Sync {
    /// The name in the table of attacks.
    fn name(&self) -> &'static str;

    /// Norms that the attack is defined for.
    fn norms(&self) -> &'static [Norm];

    /// Attempts on each sample that is not broken yet, at least one.
    fn restarts(&self) -> u32 {
        1
    }

    /// Checks the hyperparameters against what is to be attacked.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`], [`crate::Error::NotAnImage`], [`crate::Error::Classes`] or
    /// [`crate::Error::LossGoal`].
    fn check(&self, setting: &Setting<'_>) -> Result<()>;
}

/// What an attack is about to run on.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The input space.
    pub domain: &'a Domain,
    /// Classes of the model.
    pub classes: usize,
    /// Whether the goal names the classes to reach.
    pub targeted: bool,
}

/// An attack that follows input gradients.
pub trait GradientAttack: Algorithm {
    /// Perturbed rows of the samples still active when it ends, `[N, F]`.
    ///
    /// # Errors
    /// A failure to look; a failure to find is a result.
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>>;
}

/// An attack that sees logits only.
pub trait ScoreAttack: Algorithm {
    /// As [`GradientAttack::perturb`].
    ///
    /// # Errors
    /// A failure to look; a failure to find is a result.
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>>;
}

/// An attack that sees predicted classes only.
pub trait LabelAttack: Algorithm {
    /// As [`GradientAttack::perturb`].
    ///
    /// # Errors
    /// A failure to look; a failure to find is a result.
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>>;
}

/// An attack of any access level.
#[derive(Debug)]
pub enum Attack {
    /// Needs gradients.
    Gradient(Box<dyn GradientAttack>),
    /// Needs logits.
    Score(Box<dyn ScoreAttack>),
    /// Needs predicted classes.
    Label(Box<dyn LabelAttack>),
}

impl Attack {
    /// What the attack needs to see.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Attack::Gradient(_) => Access::Gradients,
            Attack::Score(_) => Access::Scores,
            Attack::Label(_) => Access::Labels,
        }
    }

    /// The attack without its access level.
    #[must_use]
    pub fn algorithm(&self) -> &dyn Algorithm {
        match self {
            Attack::Gradient(attack) => attack.as_ref(),
            Attack::Score(attack) => attack.as_ref(),
            Attack::Label(attack) => attack.as_ref(),
        }
    }
}
