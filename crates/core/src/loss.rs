//! What a gradient attack maximises.
use burn::prelude::*;

use crate::{Aim, Result};

/// A function of a sample's logits that grows as the sample comes closer to the adversary's goal.
pub trait Loss: std::fmt::Debug + Send + Sync {
    /// Name used in configuration files and reports.
    fn name(&self) -> &'static str;

    /// Checks that the loss is defined for this many classes and this kind of goal.
    ///
    /// # Errors
    /// [`crate::Error::Classes`] with the smallest number; [`crate::Error::LossGoal`].
    fn check(&self, classes: usize, targeted: bool) -> Result<()> {
        let _ = (classes, targeted);
        Ok(())
    }

    /// Whether the loss itself tells the class of refusal of [`crate::Goal::Undetected`] from the
    /// others. A loss that does not sees it joined to the label ([`Aim::join_refusal`]).
    fn sees_refusal(&self) -> bool {
        false
    }

    /// The loss of each sample: logits `[N, K] → [N]`. No sample sees another.
    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1>;
}
