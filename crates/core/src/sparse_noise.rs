//! Noise that hides most of a row, or replaces some of its values: what certificates in L0 rest on.
use burn::prelude::*;
use rand::{RngExt, seq::index};
use rand_chacha::ChaCha8Rng;

use crate::{Domain, Layout};

/// Keeps some positions of a row, drawn uniformly without repetition, and hides the others.
///
/// A position is a pixel with all its channels, an instant of a waveform, or a column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ablating {
    /// Positions that are kept.
    pub keep: usize,
    /// Features that lie in one position.
    pub planes: usize,
}

impl Ablating {
    /// Features that lie in one position of `domain`.
    #[must_use]
    pub fn planes(domain: &Domain) -> usize {
        match domain.layout() {
            Layout::Image { channels, .. } | Layout::Waveform { channels, .. } => channels,
            Layout::Table { .. } => 1,
        }
    }

    /// Writes a draw: one where a feature is kept, zero where it is hidden. All are kept if there
    /// are no more positions than `keep`.
    pub fn mask(self, rng: &mut ChaCha8Rng, mask: &mut [f32]) {
        let positions = mask.len() / self.planes.max(1);
        mask.fill(0.0);
        for kept in index::sample(rng, positions, self.keep.min(positions)) {
            for plane in 0..self.planes {
                mask[plane * positions + kept] = 1.0;
            }
        }
    }
}

/// Cuts each feature's box into equally spaced levels, and replaces the level of some features by
/// another, drawn uniformly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// Probability that a feature keeps its level.
    pub keep: f64,
    /// Levels of a feature, both ends of its box included; at least 2.
    pub levels: u32,
}

impl Resampling {
    /// Writes a draw: how many levels each feature rises, past the highest to the lowest; 0 where
    /// it keeps its own.
    pub fn shifts(self, rng: &mut ChaCha8Rng, shifts: &mut [f32]) {
        for shift in shifts {
            let kept = rng.random::<f64>() < self.keep;
            *shift = if kept { 0.0 } else { rng.random_range(1..self.levels) as f32 };
        }
    }

    /// The value of a feature on `[low, high]` after a shift; values beyond the box are on its edge.
    #[must_use]
    pub fn shifted(self, value: f32, shift: f32, [low, high]: [f32; 2]) -> f32 {
        let (levels, span) = (self.levels as f32, high - low);
        let highest = levels - 1.0;
        // An empty box has one value.
        let share = if span > 0.0 { (value - low) / span } else { 0.0 };
        let level = (share.clamp(0.0, 1.0) * highest).round() + shift;
        let level = if level > highest { level - levels } else { level };
        low + level / highest * span
    }

    /// The same for rows `[N, F]` and their shifts, on a device.
    #[must_use]
    pub fn shifted_rows(self, rows: Tensor<2>, shifts: Tensor<2>, domain: &Domain) -> Tensor<2> {
        let (low, high) = domain.bounds(&rows.device());
        let (levels, span) = (f64::from(self.levels), high - low.clone());
        let highest = levels - 1.0;
        let empty = span.clone().lower_equal_elem(0.0);
        let share = (rows - low.clone()) / span.clone().mask_fill(empty, 1.0);
        let level = (share.clamp(0.0, 1.0) * highest).round() + shifts;
        let past = level.clone().greater_elem(highest).float();
        low + (level - past * levels) / highest * span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bound, Seed, Use, host};

    #[test]
    fn exactly_the_kept_positions_keep_all_their_planes() {
        let (ablating, mut seen) = (Ablating { keep: 4, planes: 3 }, [0; 9]);
        for draw in 0..900 {
            let mut mask = vec![7.0_f32; 27];
            ablating.mask(&mut Seed(1).stream(0, 0, draw, Use::Noise), &mut mask);
            let kept: Vec<usize> = (0..9).filter(|&pixel| mask[pixel] > 0.0).collect();
            assert_eq!(kept.len(), 4);
            assert_eq!(mask[..9], mask[9..18]);
            assert_eq!(mask[..9], mask[18..]);
            for pixel in kept {
                seen[pixel] += 1;
            }
        }
        // 400 expected, standard deviation 15.
        assert!(seen.iter().all(|&count| (320..480).contains(&count)), "{seen:?}");
    }

    /// Of 30,000 features 70 % keep their level, and the others split evenly over the other three.
    #[test]
    fn a_level_that_is_not_kept_is_uniform_over_the_others() {
        let mut shifts = vec![0.0_f32; 30_000];
        let resampling = Resampling { keep: 0.7, levels: 4 };
        resampling.shifts(&mut Seed(2).stream(0, 0, 0, Use::Noise), &mut shifts);
        for (shift, share) in [(0.0, 0.7), (1.0, 0.1), (2.0, 0.1), (3.0, 0.1)] {
            let count =
                shifts.iter().filter(|&&value| f32::abs(value - shift) < 0.5).count() as f64;
            let deviation = f64::sqrt(30_000.0 * share * (1.0 - share));
            assert!((count - 30_000.0 * share).abs() < 5.0 * deviation, "{shift}: {count}");
        }
    }

    #[test]
    fn rows_and_values_are_shifted_alike() {
        let resampling = Resampling { keep: 0.5, levels: 5 };
        let (low, high) = (vec![-1.0, 0.0, 3.0, 0.0], vec![1.0, 8.0, 3.0, 1.0]);
        let layout = Layout::Table { features: 4 };
        let (lower, upper) = (Bound::PerFeature(low), Bound::PerFeature(high));
        let domain = Domain::new(layout, lower, upper).unwrap();
        let (row, shift) = ([0.1_f32, 7.5, 3.0, 0.6], [1.0_f32, 1.0, 2.0, 4.0]);
        let device = Device::flex();
        let rows = Tensor::<2>::from_data([row], &device);
        let shifts = Tensor::<2>::from_data([shift], &device);
        let got = host::floats(resampling.shifted_rows(rows, shifts, &domain)).unwrap();
        // 0.1 is nearest to level 2 of (−1, −0.5, 0, 0.5, 1); 7.5 to level 4 of (0, 2, .., 8).
        assert_eq!(got, [0.5, 0.0, 3.0, 0.25]);
        for feature in 0..4 {
            let bounds = [domain.lower().at(feature), domain.upper().at(feature)];
            let alone = resampling.shifted(row[feature], shift[feature], bounds);
            assert_eq!(alone.to_bits(), got[feature].to_bits());
        }
        assert_eq!(resampling.shifted(9.0, 0.0, [0.0, 1.0]).to_bits(), 1.0_f32.to_bits());
    }
}
