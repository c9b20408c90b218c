//! Several models that vote.
use duress_core::Classifier;
use duress_models::{Ensemble, Result, Vote};
use serde::{Deserialize, Serialize};

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
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ensemble",
    summary: "weighted average of probabilities, or majority vote",
    reference: "Dietterich 2000, doi:10.1007/3-540-45014-9_1",
    defaults: defaults::<VotingEnsemble>,
    parse: |table| Ok(Defense::Ensemble(table.try_into()?)),
};

impl VotingEnsemble {
    /// The ensemble of `members`.
    ///
    /// # Errors
    /// [`duress_models::Error::Member`] for members of different inputs or classes,
    /// [`duress_models::Error::Parameter`] for weights that do not fit them.
    pub fn combine(&self, members: Vec<Box<dyn Classifier>>) -> Result<Ensemble> {
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
