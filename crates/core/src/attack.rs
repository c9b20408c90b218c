//! What an attack is: hyperparameters and one method. It proposes; the driver measures.
use burn::prelude::*;

use crate::job::{GradientJob, LabelJob, ScoreJob};
use crate::oracle::Access;
use crate::suite::WorstOf;
use crate::{Domain, Norm, Result};

/// Where an attack looks for its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the ball of the threat model.
    Ball,
    /// Anywhere in the box, as near to the clean row as it can: a point counts if it lies in the
    /// ball, and without a ball its distance is the result.
    Nearest,
    /// Anywhere in the box, under a constraint of its own (a rotation, a patch): the ball of the
    /// threat model must hold the whole box.
    Box,
}

/// What the driver knows of an attack before it runs.
///
/// Implementations hold hyperparameters only, so that a value can be shared, logged and reused.
pub trait Algorithm: std::fmt::Debug + Send + Sync {
    /// The name in the table of attacks.
    fn name(&self) -> &'static str;

    /// Norms that the attack is defined for.
    fn norms(&self) -> &[Norm];

    /// Where it looks for its points.
    fn reach(&self) -> Reach {
        Reach::Ball
    }

    /// Whether the samples of a batch share one perturbation, so that a result depends on who else
    /// is in the batch (universal perturbations, patches).
    fn joint(&self) -> bool {
        false
    }

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

/// An attack of any access level, or several.
#[derive(Debug)]
pub enum Attack {
    /// Needs gradients.
    Gradient(Box<dyn GradientAttack>),
    /// Needs logits.
    Score(Box<dyn ScoreAttack>),
    /// Needs predicted classes.
    Label(Box<dyn LabelAttack>),
    /// Several, one after the other on the samples that are left.
    Suite(WorstOf),
}

impl Attack {
    /// What the attack needs to see.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Attack::Gradient(_) => Access::Gradients,
            Attack::Score(_) => Access::Scores,
            Attack::Label(_) => Access::Labels,
            Attack::Suite(suite) => suite.access(),
        }
    }

    /// The attack without its access level.
    #[must_use]
    pub fn algorithm(&self) -> &dyn Algorithm {
        match self {
            Attack::Gradient(attack) => attack.as_ref(),
            Attack::Score(attack) => attack.as_ref(),
            Attack::Label(attack) => attack.as_ref(),
            Attack::Suite(suite) => suite,
        }
    }

    /// The attacks it consists of under `norm`, with their labels: itself, or the members of a
    /// suite.
    #[must_use]
    pub fn stages(&self, norm: Norm) -> Vec<(String, &Attack)> {
        match self {
            Attack::Suite(suite) => suite.members(norm),
            attack => vec![(attack.algorithm().name().to_owned(), attack)],
        }
    }

    /// Attempts on a sample that nothing breaks: the restarts of all stages.
    #[must_use]
    pub fn attempts(&self, norm: Norm) -> u64 {
        let restarts = |attack: &Attack| u64::from(attack.algorithm().restarts().max(1));
        self.stages(norm).iter().map(|(_, attack)| restarts(attack)).sum()
    }
}
