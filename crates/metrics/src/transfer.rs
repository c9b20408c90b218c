//! How often an adversarial example made on one model fools another.
use serde::{Deserialize, Serialize};

use crate::{Proportion, Result, error::same_length};

/// Which samples a transfer rate is counted over. Papers differ; a rate must say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// Samples whose clean row both the source and the target classify correctly.
    #[default]
    CorrectOnBoth,
    /// Of these, the samples whose adversarial row fools the source. Answers: given that the
    /// attack worked where it was made, does it work elsewhere?
    FoolsSource,
}

/// Counts for each pair of a source and a target model.
///
/// Papernot, `McDaniel`, Goodfellow. *Transferability in Machine Learning.* 2016, §3.
/// <https://arxiv.org/abs/1605.07277>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferMatrix {
    /// What the cells are counted over.
    pub denominator: Denominator,
    /// `cells[source][target]`: rows made on `source` that `target` gets wrong.
    pub cells: Vec<Vec<Proportion>>,
}

impl TransferMatrix {
    /// Counts over `clean[model][sample]` and `adversarial[source][target][sample]`, each `true`
    /// where the answer is correct. The adversarial rows of a source are the same for every
    /// target, in the order of the clean rows.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if a list has not one entry for each model or each sample.
    pub fn of(
        clean: &[&[bool]],
        adversarial: &[Vec<&[bool]>],
        denominator: Denominator,
    ) -> Result<Self> {
        let models = clean.len();
        let samples = clean.first().map_or(0, |model| model.len());
        for model in clean {
            same_length("clean outcomes of a model", samples, model.len())?;
        }
        same_length("source models", models, adversarial.len())?;
        for targets in adversarial {
            same_length("target models", models, targets.len())?;
            for outcomes in targets {
                same_length("adversarial outcomes of a target", samples, outcomes.len())?;
            }
        }
        let cell = |source: usize, target: usize| {
            let counted = (0..samples).filter(|&sample| {
                let on_both = clean[source][sample] && clean[target][sample];
                let fooled = !adversarial[source][source][sample];
                on_both && (denominator == Denominator::CorrectOnBoth || fooled)
            });
            Proportion::of(counted.map(|sample| !adversarial[source][target][sample]))
        };
        let row = |source| (0..models).map(|target| cell(source, target)).collect();
        Ok(Self { denominator, cells: (0..models).map(row).collect() })
    }

    /// `rates()[source][target]` in `[0, 1]`; `None` where no sample counts.
    #[must_use]
    pub fn rates(&self) -> Vec<Vec<Option<f64>>> {
        self.cells.iter().map(|row| row.iter().map(|cell| cell.rate()).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Model 0 is right on samples 0-2, model 1 on samples 1-3; they share 1 and 2.
    #[test]
    fn a_pair_is_counted_over_the_samples_both_get_right() {
        let clean: [&[bool]; 2] = [&[true, true, true, false], &[false, true, true, true]];
        let from_first: Vec<&[bool]> =
            vec![&[false, false, true, false], &[false, false, false, true]];
        let from_second: Vec<&[bool]> =
            vec![&[true, true, true, false], &[false, false, false, false]];
        let adversarial = [from_first, from_second];
        let counts = |denominator| {
            let matrix = TransferMatrix::of(&clean, &adversarial, denominator).unwrap();
            let pair = |cell: &Proportion| (cell.successes(), cell.total());
            matrix.cells.iter().flatten().map(pair).collect::<Vec<_>>()
        };
        assert_eq!(counts(Denominator::CorrectOnBoth), [(2, 3), (2, 2), (0, 2), (3, 3)]);
        assert_eq!(counts(Denominator::FoolsSource), [(2, 2), (1, 1), (0, 2), (3, 3)]);
    }

    #[test]
    fn models_without_a_common_sample_have_no_rate() {
        let clean: [&[bool]; 2] = [&[true, false], &[false, true]];
        let nothing: &[bool] = &[false, false];
        let adversarial = [vec![nothing; 2], vec![nothing; 2]];
        let matrix = TransferMatrix::of(&clean, &adversarial, Denominator::default()).unwrap();
        assert_eq!(matrix.rates(), [[Some(1.0), None], [None, Some(1.0)]]);
    }

    #[test]
    fn a_missing_target_or_sample_is_an_error() {
        let (two, one): (&[bool], &[bool]) = (&[true, true], &[true]);
        let of = |clean: &[&[bool]], adversarial: &[Vec<&[bool]>]| {
            TransferMatrix::of(clean, adversarial, Denominator::default())
        };
        assert!(of(&[two], &[]).is_err());
        assert!(of(&[two], &[vec![]]).is_err());
        assert!(of(&[two], &[vec![one]]).is_err());
        assert!(of(&[two, one], &[vec![two; 2], vec![two; 2]]).is_err());
        assert_eq!(of(&[], &[]).unwrap().rates(), Vec::<Vec<Option<f64>>>::new());
    }

    proptest! {
        /// The diagonal is the white-box success: given that it fooled the source, all of it.
        #[test]
        fn the_diagonal_given_success_is_one(outcomes in vec(any::<(bool, bool)>(), 0..30)) {
            let (clean, attacked): (Vec<bool>, Vec<bool>) = outcomes.into_iter().unzip();
            let adversarial = [vec![attacked.as_slice()]];
            let of = |denominator| {
                TransferMatrix::of(&[&clean], &adversarial, denominator).unwrap().cells[0][0]
            };
            let (all, given) = (of(Denominator::CorrectOnBoth), of(Denominator::FoolsSource));
            prop_assert_eq!(given.failures(), 0);
            prop_assert_eq!(all.successes(), given.successes());
        }
    }
}
