//! How answers and refusals are counted.
use duress_core::{Error, Result};

/// Answers without an adversary. A refusal is not a correct answer: accuracy counts it as wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanTally {
    /// Answered with the label.
    pub correct: u64,
    /// Answered with another class.
    pub wrong: u64,
    /// Refused.
    pub abstained: u64,
}

impl CleanTally {
    /// Counts decisions, where `classes` stands for a refusal.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one decision a label.
    pub fn of(decisions: &[usize], labels: &[usize], classes: usize) -> Result<Self> {
        same_length(decisions.len(), labels.len())?;
        let mut tally = Self::default();
        for (&decision, &label) in decisions.iter().zip(labels) {
            let counted = if decision == label {
                &mut tally.correct
            } else if decision == classes {
                &mut tally.abstained
            } else {
                &mut tally.wrong
            };
            *counted += 1;
        }
        Ok(tally)
    }

    /// Correct answers as a share of all samples; `None` without a sample.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.correct, self.correct + self.wrong + self.abstained)
    }

    /// Correct answers as a share of the answers; `None` without an answer.
    #[must_use]
    pub fn selective_accuracy(&self) -> Option<f64> {
        ratio(self.correct, self.correct + self.wrong)
    }

    /// The mean cost if an error costs 1 and a refusal `refusal`; `None` without a sample.
    #[must_use]
    pub fn mean_cost(&self, refusal: f64) -> Option<f64> {
        let all = self.correct + self.wrong + self.abstained;
        (all > 0).then(|| (self.wrong as f64 + refusal * self.abstained as f64) / all as f64)
    }
}

/// Answers under attack, of the samples that were answered correctly without one. A refusal is no
/// error there: the adversary wants a wrong answer. It is reported beside the answers, since a
/// model that refuses everything would be robust by that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdversarialTally {
    /// Still answered with the label.
    pub held: u64,
    /// Refused.
    pub abstained: u64,
    /// Answered with another class.
    pub broken: u64,
}

impl AdversarialTally {
    /// Counts decisions at clean and at adversarial rows, where `classes` stands for a refusal.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one decision of each kind a label.
    pub fn of(
        clean: &[usize],
        adversarial: &[usize],
        labels: &[usize],
        classes: usize,
    ) -> Result<Self> {
        same_length(clean.len(), labels.len())?;
        same_length(adversarial.len(), labels.len())?;
        let mut tally = Self::default();
        for ((&before, &after), &label) in clean.iter().zip(adversarial).zip(labels) {
            if before != label {
                continue;
            }
            let counted = if after == label {
                &mut tally.held
            } else if after == classes {
                &mut tally.abstained
            } else {
                &mut tally.broken
            };
            *counted += 1;
        }
        Ok(tally)
    }

    /// Robust samples of `samples`, refusals counted as robust; `None` without a sample.
    #[must_use]
    pub fn robust_accuracy(&self, samples: u64) -> Option<f64> {
        ratio(self.held + self.abstained, samples)
    }

    /// The same without refusals: what is still answered, and right.
    #[must_use]
    pub fn answered_accuracy(&self, samples: u64) -> Option<f64> {
        ratio(self.held, samples)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn same_length(got: usize, labels: usize) -> Result<()> {
    if got == labels {
        return Ok(());
    }
    let (expected, got) = (format!("{labels}, one a label"), got.to_string());
    Err(Error::Shape { what: "decisions", expected, got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_wrong_without_an_adversary_and_no_error_with_one() {
        let (labels, clean) = ([0, 1, 2, 0, 1], [0, 1, 3, 1, 1]);
        let tally = CleanTally::of(&clean, &labels, 3).unwrap();
        assert_eq!(tally, CleanTally { correct: 3, wrong: 1, abstained: 1 });
        assert_eq!(tally.accuracy(), Some(0.6));
        assert_eq!(tally.selective_accuracy(), Some(0.75));
        assert_eq!(tally.mean_cost(0.5), Some(0.3));
        // Those wrong or refused before are not attacked.
        let tally = AdversarialTally::of(&clean, &[3, 1, 0, 0, 2], &labels, 3).unwrap();
        assert_eq!(tally, AdversarialTally { held: 1, abstained: 1, broken: 1 });
        assert_eq!(tally.robust_accuracy(5), Some(0.4));
        assert_eq!(tally.answered_accuracy(5), Some(0.2));
        assert!(CleanTally::of(&clean, &labels[..4], 3).is_err());
        assert_eq!(CleanTally::default().accuracy(), None);
    }
}
