//! Attacks on a classifier and a detector together: a row must be misclassified and pass.
//!
//! They need no door of their own to the detector. Behind it a classifier has one class more, that
//! of refusal, and both margins are read off its logits
//! ([`duress_core::Goal::Undetected`]). Under a goal without a refusal they are ascents of the
//! margin.
mod joint;
mod orthogonal;
mod selective;

pub(crate) use joint::ENTRY as JOINT_PGD;
pub use joint::JointPgd;
pub(crate) use orthogonal::ENTRY as ORTHOGONAL_PGD;
pub use orthogonal::OrthogonalPgd;
pub(crate) use selective::ENTRY as SELECTIVE_PGD;
pub use selective::SelectivePgd;

use duress_core::{Error, Loss, Result, Setting};

use crate::losses::LossKind;
use crate::table::Entry;

/// Checks what the three have in common.
fn check(
    entry: &Entry,
    (steps, step_size, restarts): (usize, f64, u32),
    setting: &Setting<'_>,
) -> Result<()> {
    entry.at_least_one("steps", steps as u64)?;
    entry.at_least_one("restarts", u64::from(restarts))?;
    entry.positive("step_size", step_size)?;
    if setting.targeted {
        return Err(Error::LossGoal { loss: "undetected", goal: "targeted" });
    }
    LossKind::Margin.check(setting.classes, setting.targeted)
}
