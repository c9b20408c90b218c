//! A bound of a probability that may be looked at while the draws come in.
//!
//! Who bounds a probability after every batch and stops at the first bound that pleases is wrong
//! more often than α. Here the looks are fixed beforehand and each spends an equal share of α: by
//! the union bound all of them hold together with probability at least `1 − α`, so the best of those
//! taken may be reported, whatever made the caller stop.
//!
//! Voráček. *Treatment of Statistical Estimation Problems in Randomized Smoothing for Adversarial
//! Robustness.* `NeurIPS` 2024 (confidence sequences by a union bound).
//! <https://arxiv.org/abs/2406.17830>
use duress_core::{Error, Result};

use super::{probability_lower_bound, probability_upper_bound};

/// Counts of draws at which a bound is computed: `first`, twice that, …, and last `most`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks(Vec<u64>);

impl Looks {
    /// Looks after `first` draws, after each doubling, and after `most`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `1 ≤ first ≤ most`.
    pub fn doubling(first: u64, most: u64) -> Result<Self> {
        if first == 0 || first > most {
            return Err(Error::Parameter {
                algorithm: "sequential bound",
                field: "first_look",
                expected: "between 1 and the most draws",
                got: format!("{first} of {most}"),
            });
        }
        let doubled = |&draws: &u64| draws.checked_mul(2).filter(|&draws| draws < most);
        let mut looks: Vec<u64> = if first < most {
            std::iter::successors(Some(first), doubled).collect()
        } else {
            Vec::new()
        };
        looks.push(most);
        Ok(Self(looks))
    }

    /// The counts, ascending.
    #[must_use]
    pub fn draws(&self) -> &[u64] {
        &self.0
    }
}

/// The best lower bound of a success probability so far, valid at whichever look it is read.
#[derive(Clone, Debug)]
pub struct SequentialBound {
    looks: Looks,
    alpha: f64,
    taken: usize,
    lower: f64,
    upper: f64,
}

impl SequentialBound {
    /// No look taken yet; all bounds together fail with probability at most `alpha`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `0 < alpha < 1`.
    pub fn new(looks: Looks, alpha: f64) -> Result<Self> {
        if !(0.0 < alpha && alpha < 1.0) {
            return Err(Error::Parameter {
                algorithm: "sequential bound",
                field: "alpha",
                expected: "inside (0, 1)",
                got: alpha.to_string(),
            });
        }
        let alpha = alpha / looks.0.len() as f64;
        Ok(Self { looks, alpha, taken: 0, lower: 0.0, upper: 1.0 })
    }

    /// How many draws the next look is at; `None` after the last.
    #[must_use]
    pub fn next_look(&self) -> Option<u64> {
        self.looks.0.get(self.taken).copied()
    }

    /// Takes the next look, at which `successes` of all draws so far were successes, and gives the
    /// largest lower bound of the looks taken.
    ///
    /// # Errors
    /// [`Error::Parameter`] for more successes than draws or a look after the last.
    pub fn observe(&mut self, successes: u64) -> Result<f64> {
        let draws = self.next_look().unwrap_or(0);
        self.lower = self.lower.max(probability_lower_bound(successes, draws, self.alpha)?);
        // Says only whether going on is worth it: nothing that is certified depends on it.
        self.upper = probability_upper_bound(successes, draws, self.alpha)?;
        self.taken += 1;
        Ok(self.lower)
    }

    /// A value that the probability is likely to stay below: a reason to give up, no certificate.
    #[must_use]
    pub fn likely_below(&self) -> f64 {
        self.upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Seed, Use};
    use rand::RngExt;

    #[test]
    fn looks_double_up_to_the_most() {
        let looks = |first, most| Looks::doubling(first, most).unwrap().0;
        assert_eq!(looks(1000, 10_000), [1000, 2000, 4000, 8000, 10_000]);
        assert_eq!(looks(5, 10), [5, 10]);
        assert_eq!(looks(7, 7), [7]);
        assert!(Looks::doubling(0, 7).is_err() && Looks::doubling(8, 7).is_err());
    }

    #[test]
    fn a_look_has_its_share_of_alpha() {
        let mut bound = SequentialBound::new(Looks::doubling(10, 40).unwrap(), 0.03).unwrap();
        let expected = probability_lower_bound(10, 10, 0.01).unwrap().to_bits();
        assert_eq!(bound.observe(10).unwrap().to_bits(), expected);
        // A later look that says less takes nothing back.
        assert_eq!(bound.observe(12).unwrap().to_bits(), expected);
        bound.observe(30).unwrap();
        assert_eq!(bound.next_look(), None);
        assert!(bound.observe(30).is_err());
        assert!(SequentialBound::new(Looks::doubling(10, 40).unwrap(), 1.0).is_err());
    }

    /// 4000 simulated runs at `p = 0.7`, `α = 0.1`, each stopped at the worst moment there is: at
    /// the first look whose bound exceeds `p`. The union bound is wrong in at most α of them; the
    /// same looks at α each are not.
    #[test]
    fn stopping_at_the_worst_look_fails_less_often_than_alpha() {
        let (p, alpha, runs) = (0.7, 0.1, 4000_u64);
        let looks = Looks::doubling(8, 256).unwrap();
        let shared = alpha / looks.0.len() as f64;
        // The smallest count at each look whose bound exceeds p.
        let wrong_from = |alpha: f64| -> Vec<u64> {
            let exceeds = |draws| {
                move |&count: &u64| probability_lower_bound(count, draws, alpha).unwrap() > p
            };
            looks.0.iter().map(|&n| (0..=n).find(exceeds(n)).unwrap_or(u64::MAX)).collect()
        };
        let (careful, naive) = (wrong_from(shared), wrong_from(alpha));
        let mut failures = [0_u64; 2];
        for run in 0..runs {
            let mut rng = Seed(11).stream(run, 0, 0, Use::Noise);
            let (mut done, mut count, mut failed) = (0, 0, [false; 2]);
            for (look, &draws) in looks.0.iter().enumerate() {
                count += (done..draws).filter(|_| rng.random::<f64>() < p).count() as u64;
                done = draws;
                failed[0] |= count >= careful[look];
                failed[1] |= count >= naive[look];
            }
            failures[0] += u64::from(failed[0]);
            failures[1] += u64::from(failed[1]);
        }
        let rate = failures.map(|count| count as f64 / runs as f64);
        assert!(rate[0] <= alpha && rate[0] > 0.0, "{rate:?}");
        assert!(rate[1] > alpha, "peeking should fail more often: {rate:?}");
    }
}
