//! Several models that vote.
mod diversity;
mod weights;

use duress_core::{Classifier, Passes};
use duress_models::{Ensemble, Result, Vote};
use serde::{Deserialize, Serialize};

pub use diversity::{GradientDiversity, gradient_diversity};
pub use weights::{FittedWeights, fit_members, fit_weights};

use crate::table::{Defense, Entry, defaults};

/// How the members of an ensemble are combined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VotingEnsemble {
    /// Count predicted classes instead of averaging probabilities. A count has no gradient: attack
    /// the average of the same members instead, and score on the vote.
    pub majority: bool,
    /// Weight of each member's probabilities, summing to 1; equal weights if empty.
    pub weights: Vec<f64>,
    /// Take the weights of least cross-entropy on validation samples; not with `majority` or
    /// `weights`.
    pub fitted: bool,
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ensemble",
    summary: "weighted average of probabilities, or majority vote",
    reference: "Dietterich 2000, doi:10.1007/3-540-45014-9_1",
    defaults: defaults::<VotingEnsemble>,
    parse: |table| Ok(Defense::Ensemble(table.try_into()?)),
};

impl VotingEnsemble {
    /// The same with weights fitted to labelled rows `[N, F]` that no member was trained on.
    ///
    /// # Errors
    /// As [`VotingEnsemble::check`] and [`fit_members`].
    pub fn fit(
        &self,
        members: &[&dyn Classifier],
        values: &[f32],
        labels: &[usize],
        passes: &Passes,
    ) -> Result<Self> {
        self.check()?;
        let weights = fit_members(members, values, labels, passes)?.weights;
        Ok(Self { weights, fitted: false, ..self.clone() })
    }

    /// Checks that the fields do not contradict each other.
    ///
    /// # Errors
    /// [`duress_models::Error::Parameter`].
    pub fn check(&self) -> Result<()> {
        if self.fitted && (self.majority || !self.weights.is_empty()) {
            return Err(duress_models::Error::Parameter {
                what: "ensemble",
                field: "fitted",
                expected: "false beside `majority` or `weights`".into(),
                got: "true".into(),
            });
        }
        Ok(())
    }

    /// The ensemble of `members`.
    ///
    /// # Errors
    /// [`duress_core::Error::NotFitted`] for weights that are still to be fitted;
    /// [`duress_models::Error::Member`] for members of different inputs or classes,
    /// [`duress_models::Error::Parameter`] for weights that do not fit them.
    pub fn combine(&self, members: Vec<Box<dyn Classifier>>) -> Result<Ensemble> {
        self.check()?;
        if self.fitted {
            return Err(duress_core::Error::NotFitted { algorithm: ENTRY.name }.into());
        }
        let vote = if self.majority {
            Vote::Majority
        } else if self.weights.is_empty() {
            Vote::Weighted(vec![1.0 / members.len().max(1) as f64; members.len()])
        } else {
            Vote::Weighted(self.weights.clone())
        };
        Ensemble::new(members, vote)
    }
}
