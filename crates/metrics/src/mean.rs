//! A mean of very many losses that does not depend on how they were batched, up to rounding.
use serde::{Deserialize, Serialize};

/// A running mean in `f64` with a carried rounding error.
///
/// For the adversarial loss over a data set: push each sample's loss, or merge the means of
/// shards. Neumaier. *Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen.*
/// ZAMM 54, 1974, algorithm IV. A loss that is not finite makes the mean not finite: it is not
/// dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    count: u64,
    sum: f64,
    carry: f64,
}

impl Mean {
    /// Adds one value.
    pub fn push(&mut self, value: f64) {
        self.add(value);
        self.count += 1;
    }

    /// Adds all values of another mean.
    pub fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.carry += other.carry;
        self.count += other.count;
    }

    /// Number of values so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values so far.
    #[must_use]
    pub fn sum(&self) -> f64 {
        // An infinite sum has a carry of ∞ − ∞.
        if self.sum.is_finite() { self.sum + self.carry } else { self.sum }
    }

    /// The mean, `None` without values.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum() / self.count as f64)
    }

    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.carry += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }
}

impl Extend<f64> for Mean {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl FromIterator<f64> for Mean {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut mean = Self::default();
        mean.extend(values);
        mean
    }
}

impl<'a> FromIterator<&'a f32> for Mean {
    fn from_iter<I: IntoIterator<Item = &'a f32>>(values: I) -> Self {
        values.into_iter().map(|&value| f64::from(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// The classic case that plain summation gets wrong: the sum is 2, not 0.
    #[test]
    fn small_losses_survive_a_huge_one() {
        let mean = [1.0, 1e100, 1.0, -1e100].into_iter().collect::<Mean>();
        assert_eq!(mean.value(), Some(0.5));
    }

    #[test]
    fn losses_in_single_precision_are_widened_before_they_are_added() {
        let losses = [16_777_216.0_f32, 1.0, 1.0, 1.0];
        assert_eq!(losses.iter().collect::<Mean>().sum().to_bits(), 16_777_219.0_f64.to_bits());
    }

    #[test]
    fn nothing_has_no_mean_and_a_bad_loss_is_not_hidden() {
        assert_eq!(Mean::default().value(), None);
        let infinite = [1.0, f64::INFINITY, 2.0].into_iter().collect::<Mean>();
        assert_eq!(infinite.value(), Some(f64::INFINITY));
        let bad = [1.0, f64::NAN].into_iter().collect::<Mean>();
        assert!(bad.value().is_some_and(f64::is_nan));
    }

    proptest! {
        #[test]
        fn shards_merge_to_the_mean_of_the_whole(
            values in vec(-1e3_f64..1e3, 1..60), cut in 0_usize..60,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = left.iter().copied().collect::<Mean>();
            merged.merge(&right.iter().copied().collect());
            let whole = values.iter().copied().collect::<Mean>();
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert!((merged.sum() - whole.sum()).abs() <= 1e-12 * (1.0 + whole.sum().abs()));
        }
    }
}
