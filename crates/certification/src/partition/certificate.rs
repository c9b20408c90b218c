//! How many training samples an adversary may touch before a vote of base classifiers can change.
use duress_core::Result;

use crate::votes::Votes;

/// The votes of base classifiers on one test sample, each trained on its own part of the training
/// set, and what a poisoner would need.
///
/// The bounds are about the multiset of training samples, before and after; each holds for the
/// sample's prediction by the vote, the lowest class of equals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoisoningCertificate {
    votes: Votes,
}

impl PoisoningCertificate {
    /// From the prediction of each base classifier, below `classes`.
    ///
    /// # Errors
    /// [`duress_core::Error::Label`] names a prediction that is no class.
    pub fn of(predictions: &[usize], classes: usize) -> Result<Self> {
        Ok(Self { votes: Votes::of(predictions, classes)? })
    }

    /// The votes.
    #[must_use]
    pub fn votes(&self) -> &Votes {
        &self.votes
    }

    /// The predicted class.
    #[must_use]
    pub fn prediction(&self) -> usize {
        self.votes.winner()
    }

    /// How many samples may be added or removed, together (the symmetric difference of the training
    /// sets): each touches one part and turns at most its vote,
    /// `ρ = ⌊min_c (n_A − n_c − [c < A]) / 2⌋`.
    #[must_use]
    pub fn inserted_or_removed(&self) -> u64 {
        self.votes.tolerated()
    }

    /// How many samples may have another label: with the parts of [`super::assign`], whose hash
    /// leaves the label out, each touches one part.
    #[must_use]
    pub fn relabelled(&self) -> u64 {
        self.votes.tolerated()
    }

    /// How many samples may be replaced by others: each is a removal and an insertion, which touch
    /// up to two parts, so half as many.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.votes.tolerated() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_sample_counts_twice() {
        let predictions = [vec![1; 8], vec![0; 2], vec![2; 1]].concat();
        let certificate = PoisoningCertificate::of(&predictions, 3).unwrap();
        // 8 − 2 − 1 for the tie that class 0 wins: 5 / 2.
        assert_eq!((certificate.prediction(), certificate.inserted_or_removed()), (1, 2));
        assert_eq!((certificate.relabelled(), certificate.replaced()), (2, 1));
        assert!(PoisoningCertificate::of(&[3], 3).is_err());
    }
}
