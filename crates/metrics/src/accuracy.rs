//! Accuracy on clean and attacked samples, and how often an attack succeeds.
use serde::{Deserialize, Serialize};

use crate::{Error, Proportion, Result, error::same_length};

/// Whether each prediction is the label.
///
/// # Errors
/// [`Error::Length`] if the lists differ in length.
pub fn correct(predicted: &[usize], labels: &[usize]) -> Result<Vec<bool>> {
    same_length("predictions", labels.len(), predicted.len())?;
    Ok(predicted.iter().zip(labels).map(|(predicted, label)| predicted == label).collect())
}

/// Whether each sample is still correct under every attack: `robust[attack][sample]`.
///
/// The worst case over attacks is taken per sample; the smallest of the attacks' accuracies is
/// only an upper bound of it.
///
/// # Errors
/// [`Error::Empty`] without attacks, [`Error::Length`] if they saw different numbers of samples.
pub fn worst_case(robust: &[&[bool]]) -> Result<Vec<bool>> {
    let (first, others) = robust.split_first().ok_or(Error::Empty("attacks"))?;
    let mut worst = first.to_vec();
    for attack in others {
        same_length("outcomes of an attack", worst.len(), attack.len())?;
        worst.iter_mut().zip(*attack).for_each(|(worst, robust)| *worst &= robust);
    }
    Ok(worst)
}

/// How often an attack turned a correct answer into a wrong one, among the samples that were
/// correct before the attack.
///
/// # Errors
/// [`Error::Length`] if the lists differ in length.
pub fn attack_success(clean: &[bool], robust: &[bool]) -> Result<Proportion> {
    same_length("outcomes of an attack", clean.len(), robust.len())?;
    let attacked = clean.iter().zip(robust).filter(|&(clean, _)| *clean);
    Ok(Proportion::of(attacked.map(|(_, robust)| !robust)))
}

/// Classes before and after a targeted attack, one entry a sample.
#[derive(Clone, Copy, Debug)]
pub struct Targeted<'a> {
    /// True labels.
    pub labels: &'a [usize],
    /// Predictions on the clean samples.
    pub clean: &'a [usize],
    /// Predictions on the adversarial samples.
    pub adversarial: &'a [usize],
    /// Classes the attacker wants.
    pub targets: &'a [usize],
}

impl Targeted<'_> {
    /// How often the adversarial prediction is the target, among the samples that were correct
    /// before the attack. A wrong answer other than the target is no success.
    ///
    /// # Errors
    /// [`Error::Length`] if the lists differ in length; [`Error::Target`] for a target that is
    /// the true label, which no attack needs to reach.
    pub fn success(&self) -> Result<Proportion> {
        let samples = self.labels.len();
        same_length("clean predictions", samples, self.clean.len())?;
        same_length("adversarial predictions", samples, self.adversarial.len())?;
        same_length("targets", samples, self.targets.len())?;
        let same = |sample: &usize| self.labels[*sample] == self.targets[*sample];
        if let Some(sample) = (0..samples).find(same) {
            return Err(Error::Target { sample, target: self.targets[sample] });
        }
        let correct = (0..samples).filter(|&sample| self.clean[sample] == self.labels[sample]);
        Ok(Proportion::of(correct.map(|sample| self.adversarial[sample] == self.targets[sample])))
    }
}

/// Accuracy of one model on one list of samples, without and under attack.
///
/// A sample that is wrong before any attack is not robust, whatever an attack reports on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robustness {
    /// Correct without an attack.
    pub clean: Proportion,
    /// Correct without and under each attack, in the order given.
    pub robust: Vec<Proportion>,
    /// Correct without and under every attack: the headline.
    pub worst_case: Proportion,
    /// Success of each attack among the initially correct.
    pub success: Vec<Proportion>,
}

impl Robustness {
    /// Counts over `clean[sample]` and `attacks[attack][sample]`, `true` where the answer is
    /// correct. Without attacks the worst case is the clean accuracy.
    ///
    /// # Errors
    /// [`Error::Length`] if the lists differ in length.
    pub fn of(clean: &[bool], attacks: &[&[bool]]) -> Result<Self> {
        let under = |attack: &[bool]| Ok(Proportion::of(worst_case(&[clean, attack])?));
        let everything = [&[clean], attacks].concat();
        Ok(Self {
            clean: Proportion::of(clean.iter().copied()),
            robust: attacks.iter().map(|attack| under(attack)).collect::<Result<_>>()?,
            worst_case: Proportion::of(worst_case(&everything)?),
            success: attacks
                .iter()
                .map(|attack| attack_success(clean, attack))
                .collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn counts(proportion: Proportion) -> (u64, u64) {
        (proportion.successes(), proportion.total())
    }

    /// Each attack leaves half; together they leave a quarter.
    #[test]
    fn the_worst_case_is_taken_per_sample() {
        let (fgsm, pgd) = ([true, true, false, false], [true, false, true, false]);
        assert_eq!(worst_case(&[&fgsm, &pgd]).unwrap(), [true, false, false, false]);
        assert_eq!(worst_case(&[]), Err(Error::Empty("attacks")));
        assert!(worst_case(&[&fgsm, &pgd[..3]]).is_err());
    }

    #[test]
    fn an_attack_gets_no_credit_for_samples_that_were_wrong_before() {
        let (clean, robust) = ([true, true, false, false], [true, false, false, true]);
        assert_eq!(counts(attack_success(&clean, &robust).unwrap()), (1, 2));
        let robustness = Robustness::of(&clean, &[&robust]).unwrap();
        assert_eq!(counts(robustness.clean), (2, 4));
        assert_eq!(counts(robustness.robust[0]), (1, 4));
        assert_eq!(counts(robustness.worst_case), (1, 4));
    }

    #[test]
    fn a_targeted_attack_must_reach_its_target() {
        let outcome = Targeted {
            labels: &[0, 0, 0, 1],
            clean: &[0, 0, 0, 2],
            adversarial: &[1, 2, 0, 0],
            targets: &[1, 1, 1, 0],
        };
        assert_eq!(counts(outcome.success().unwrap()), (1, 3));
        let mistake = Targeted { targets: &[1, 1, 0, 0], ..outcome };
        assert_eq!(mistake.success(), Err(Error::Target { sample: 2, target: 0 }));
        assert!(Targeted { clean: &[0], ..outcome }.success().is_err());
    }

    #[test]
    fn predictions_are_compared_with_labels() {
        assert_eq!(correct(&[1, 2], &[1, 3]).unwrap(), [true, false]);
        assert!(correct(&[1], &[1, 3]).is_err());
    }

    proptest! {
        #[test]
        fn the_worst_case_is_never_above_any_attack_and_none_above_clean(
            samples in vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..50),
        ) {
            let column = |pick: fn(&(bool, bool, bool)) -> bool| {
                samples.iter().map(pick).collect::<Vec<_>>()
            };
            let (clean, one, two) = (column(|s| s.0), column(|s| s.1), column(|s| s.2));
            let got = Robustness::of(&clean, &[&one, &two]).unwrap();
            for (robust, success) in got.robust.iter().zip(&got.success) {
                prop_assert!(got.worst_case.successes() <= robust.successes());
                prop_assert!(robust.successes() <= got.clean.successes());
                // What was correct is either robust or broken.
                prop_assert_eq!(robust.successes() + success.successes(), got.clean.successes());
            }
        }
    }
}
