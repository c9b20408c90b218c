//! Stratified splits: each part holds each class in the same proportion.
use duress_core::{Seed, Use};
use rand::Rng;

use crate::{Error, Result};

/// Splits samples into parts, class by class: the indices of each part, ascending.
///
/// Within a class of `n` samples, part `p` gets `⌊n · fractions[p]⌋` of them and what is
/// missing to `n` goes to the parts with the largest remainders (Hamilton's method), the
/// earlier part at a tie. Which samples: a Fisher-Yates shuffle of the class, drawn from
/// `seed.stream(class, 0, 0, Use::Split)`. The result depends on nothing but the arguments.
///
/// # Errors
/// [`Error::Parameter`] unless the fractions are at least 0 and sum to 1 (within 10⁻⁹).
pub fn stratified(labels: &[usize], fractions: &[f64], seed: Seed) -> Result<Vec<Vec<usize>>> {
    let sum: f64 = fractions.iter().sum();
    // A NaN is in no interval.
    let whole = (-1e-9..=1e-9).contains(&(sum - 1.0));
    if fractions.iter().any(|&fraction| fraction < 0.0) || !whole {
        let got = format!("{fractions:?}");
        return Err(Error::parameter("fractions", "parts of at least 0 that sum to 1", got));
    }
    let mut order: Vec<_> = (0..labels.len()).collect();
    order.sort_by_key(|&index| labels[index]);
    let mut parts = vec![Vec::new(); fractions.len()];
    for class in order.chunk_by_mut(|&a, &b| labels[a] == labels[b]) {
        shuffle(class, &mut seed.stream(labels[class[0]] as u64, 0, 0, Use::Split));
        let mut rest = &*class;
        for (part, count) in parts.iter_mut().zip(apportion(class.len(), fractions)) {
            let (head, tail) = rest.split_at(count);
            part.extend_from_slice(head);
            rest = tail;
        }
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    Ok(parts)
}

/// Whole numbers that sum to `count` and are the nearest to `count · fractions` (largest
/// remainder).
fn apportion(count: usize, fractions: &[f64]) -> Vec<usize> {
    let quota = |part: usize| count as f64 * fractions[part];
    let mut counts: Vec<_> =
        (0..fractions.len()).map(|part| quota(part).floor() as usize).collect();
    // A sum of fractions a hair above 1 may give one too many.
    while counts.iter().sum::<usize>() > count {
        if let Some(last) = counts.iter_mut().rev().find(|part| **part > 0) {
            *last -= 1;
        }
    }
    let mut by_remainder: Vec<_> = (0..fractions.len()).collect();
    let remainder = |part: usize| quota(part) - quota(part).floor();
    by_remainder.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)));
    let missing = count - counts.iter().sum::<usize>();
    for &part in by_remainder.iter().cycle().take(missing) {
        counts[part] += 1;
    }
    counts
}

/// Fisher-Yates, from the end.
fn shuffle(items: &mut [usize], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u64 + 1, rng) as usize);
    }
}

/// A uniform number below `bound > 0`: draws from the incomplete last interval are repeated.
fn below(bound: u64, rng: &mut impl Rng) -> u64 {
    let whole = u64::MAX - u64::MAX % bound;
    loop {
        let draw = rng.next_u64();
        if draw < whole {
            return draw % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn the_largest_remainders_get_the_rest() {
        assert_eq!(apportion(10, &[0.8, 0.2]), [8, 2]);
        assert_eq!(apportion(11, &[0.8, 0.2]), [9, 2]); // 8.8, 2.2
        assert_eq!(apportion(7, &[0.5, 0.25, 0.25]), [3, 2, 2]); // 3.5, 1.75, 1.75
        assert_eq!(apportion(1, &[0.5, 0.5]), [1, 0]);
        assert_eq!(apportion(0, &[0.5, 0.5]), [0, 0]);
        assert_eq!(apportion(5, &[0.0, 1.0]), [0, 5]);
    }

    #[test]
    fn the_seed_and_nothing_else_decides() {
        let labels: Vec<_> = (0..200).map(|index| index % 2).collect();
        let split = |seed| stratified(&labels, &[0.5, 0.5], Seed(seed)).unwrap();
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
    }

    #[test]
    fn fractions_that_are_no_partition_are_rejected() {
        for wrong in [&[0.8, 0.1][..], &[], &[1.5, -0.5], &[f64::NAN, 1.0], &[f64::INFINITY]] {
            assert!(stratified(&[0, 1], wrong, Seed(0)).is_err(), "{wrong:?}");
        }
    }

    /// χ² of 60,000 draws in 6 cells stays below the 0.9999 quantile for 5 degrees of freedom.
    #[test]
    fn the_shuffle_is_uniform_over_orders() {
        let mut counts = std::collections::BTreeMap::new();
        for sample in 0..60_000 {
            let mut items = [0, 1, 2];
            shuffle(&mut items, &mut Seed(5).stream(sample, 0, 0, Use::Split));
            *counts.entry(items).or_insert(0_u32) += 1;
        }
        let chi: f64 = counts.values().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert!(counts.len() == 6 && chi < 25.74, "{counts:?} {chi}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_sample_lands_in_one_part_in_proportion(
            labels in vec(0_usize..4, 0..200),
            first in 0.0_f64..=1.0,
            seed: u64,
        ) {
            let fractions = [first, (1.0 - first) / 3.0, (1.0 - first) * 2.0 / 3.0];
            let parts = stratified(&labels, &fractions, Seed(seed)).unwrap();
            let mut all: Vec<_> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            for (part, fraction) in parts.iter().zip(fractions) {
                prop_assert!(part.is_sorted());
                for class in 0..4 {
                    let of = |at: usize| labels[at] == class;
                    let whole = (0..labels.len()).filter(|&at| of(at)).count() as f64;
                    let got = part.iter().filter(|&&at| of(at)).count() as f64;
                    prop_assert!((got - whole * fraction).abs() <= 1.0 + 1e-6);
                }
            }
        }
    }
}
