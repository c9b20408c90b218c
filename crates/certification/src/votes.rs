//! Votes of many classifiers, of which an adversary may turn a few: whose majority stands?
use duress_core::{Error, Result};

/// How many voters each class has. The winner has the most, the lowest class of equals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Votes {
    counts: Vec<u64>,
    winner: usize,
}

impl Votes {
    /// Counts by class.
    ///
    /// # Errors
    /// [`Error::Shape`] without a class.
    pub fn new(counts: Vec<u64>) -> Result<Self> {
        let most = counts.iter().copied().max().ok_or_else(|| Error::Shape {
            what: "votes",
            expected: "at least one class".into(),
            got: "none".into(),
        })?;
        let winner = counts.iter().position(|&count| count == most).unwrap_or(0);
        Ok(Self { counts, winner })
    }

    /// Counts the predictions of voters, each below `classes`.
    ///
    /// # Errors
    /// [`Error::Label`] names a vote for no class; [`Error::Shape`] for `classes = 0`.
    pub fn of(predictions: &[usize], classes: usize) -> Result<Self> {
        let mut counts = vec![0; classes];
        for (row, &label) in predictions.iter().enumerate() {
            *counts.get_mut(label).ok_or(Error::Label { row, label, classes })? += 1;
        }
        Self::new(counts)
    }

    /// The votes of each class.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The class with the most votes, the lowest of equals.
    #[must_use]
    pub fn winner(&self) -> usize {
        self.winner
    }

    /// How many voters an adversary may turn, from any opinion to any other, without changing the
    /// winner: the largest `ρ` with `n_A − ρ ≥ n_c + ρ + [c < A]` for every other class `c`, where the
    /// bracket is 1 if `c` would win a tie. [`u64::MAX`] if there is no other class. Exact: turning one
    /// more does change it, if there are voters to turn.
    #[must_use]
    pub fn tolerated(&self) -> u64 {
        let own = self.counts[self.winner];
        let rivals = self.counts.iter().enumerate().filter(|&(class, _)| class != self.winner);
        // The winner is ahead of those that win ties, so nothing here is negative.
        rivals
            .map(|(class, &count)| (own - count - u64::from(class < self.winner)) / 2)
            .min()
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether some way to turn `left` votes changes the winner.
    fn can_change(counts: &[u64], winner: usize, left: u64) -> bool {
        if Votes::new(counts.to_vec()).unwrap().winner() != winner {
            return true;
        }
        let classes = counts.len();
        left > 0
            && (0..classes * classes).any(|pair| {
                let (from, to) = (pair / classes, pair % classes);
                if counts[from] == 0 || from == to {
                    return false;
                }
                let mut turned = counts.to_vec();
                turned[from] -= 1;
                turned[to] += 1;
                can_change(&turned, winner, left - 1)
            })
    }

    /// Every division of up to 7 votes among three classes, every way to turn them.
    #[test]
    fn brute_force_agrees_ties_included() {
        for code in 0..8_u64.pow(3) {
            let counts = vec![code % 8, code / 8 % 8, code / 64];
            if counts.iter().sum::<u64>() > 7 {
                continue;
            }
            let votes = Votes::new(counts.clone()).unwrap();
            let tolerated = votes.tolerated();
            assert!(!can_change(&counts, votes.winner(), tolerated), "{counts:?}");
            let total: u64 = counts.iter().sum();
            let next = tolerated + 1;
            assert!(next > total || can_change(&counts, votes.winner(), next), "{counts:?}");
        }
    }

    #[test]
    fn a_class_that_wins_ties_needs_one_vote_less() {
        assert_eq!(Votes::new(vec![5, 3]).unwrap().tolerated(), 1);
        assert_eq!(Votes::new(vec![3, 5]).unwrap().tolerated(), 0);
        assert_eq!(Votes::new(vec![3, 6]).unwrap().tolerated(), 1);
        assert_eq!(Votes::new(vec![4]).unwrap().tolerated(), u64::MAX);
        assert_eq!(Votes::of(&[2, 0, 2], 3).unwrap().counts(), [1, 0, 2]);
    }

    #[test]
    fn a_vote_for_no_class_is_named() {
        let told = Votes::of(&[0, 3], 3).unwrap_err().to_string();
        assert_eq!(told, "row 1: label 3 but the model has 3 classes");
        assert!(Votes::of(&[], 0).is_err());
    }
}
