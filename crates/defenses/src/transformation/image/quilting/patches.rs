//! Patches of training pictures, and the search among them.
use duress_core::{Seed, Use};
use rand::RngExt;

use crate::transformation::TrainingRows;

/// Square patches of pictures, planes first.
#[derive(Clone, Debug, PartialEq)]
pub struct Patches {
    channels: usize,
    side: usize,
    values: Vec<f32>,
}

impl Patches {
    /// `count` patches of `side` pixels from places drawn evenly over all pictures.
    pub(super) fn draw(
        data: &TrainingRows<'_>,
        shape: [usize; 3],
        side: usize,
        count: usize,
        seed: u64,
    ) -> Self {
        let [channels, height, width] = shape;
        let mut generator = Seed(seed).stream(0, 0, 0, Use::Noise);
        let mut values = Vec::new();
        for _ in 0..count {
            let row = data.row(generator.random_range(0..data.len()));
            let y = generator.random_range(0..=height - side);
            let x = generator.random_range(0..=width - side);
            values.extend(cut(row, shape, side, [y, x]));
        }
        Self { channels, side, values }
    }

    /// Planes and side.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.channels, self.side]
    }

    fn size(&self) -> usize {
        self.channels * self.side * self.side
    }

    /// Patch `index`.
    pub(super) fn get(&self, index: usize) -> &[f32] {
        &self.values[index * self.size()..][..self.size()]
    }

    /// The `count` patches of the least squared difference from `wanted`, the nearest first, of
    /// equals the first.
    pub(super) fn nearest(&self, wanted: &[f32], count: usize) -> Vec<usize> {
        let squares = |patch: &[f32]| -> f32 {
            patch.iter().zip(wanted).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let mut best: Vec<(f32, usize)> = Vec::with_capacity(count + 1);
        for (index, patch) in self.values.chunks_exact(self.size()).enumerate() {
            let distance = squares(patch);
            if best.len() < count || best.last().is_some_and(|last| distance < last.0) {
                let place = best.partition_point(|other| other.0 <= distance);
                best.insert(place, (distance, index));
                best.truncate(count);
            }
        }
        best.into_iter().map(|(_, index)| index).collect()
    }
}

/// The patch of `side` pixels at `[y, x]`, planes first.
pub(super) fn cut(
    row: &[f32],
    [channels, height, width]: [usize; 3],
    side: usize,
    [y, x]: [usize; 2],
) -> Vec<f32> {
    let mut patch = Vec::with_capacity(channels * side * side);
    for channel in 0..channels {
        for line in 0..side {
            let from = (channel * height + y + line) * width + x;
            patch.extend_from_slice(&row[from..from + side]);
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_equals_in_their_order() {
        let values = vec![0.9, 0.1, 0.5, 0.1, 0.4];
        let patches = Patches { channels: 1, side: 1, values };
        assert_eq!(patches.nearest(&[0.1], 3), [1, 3, 4]);
        assert_eq!(patches.nearest(&[1.0], 1), [0]);
        assert_eq!(patches.nearest(&[0.0], 9).len(), 5);
    }

    #[test]
    fn a_patch_has_its_lines_plane_by_plane() {
        let row: Vec<f32> = (0..24).map(|value| value as f32).collect();
        let got = cut(&row, [2, 3, 4], 2, [1, 2]);
        assert_eq!(got, [6.0, 7.0, 10.0, 11.0, 18.0, 19.0, 22.0, 23.0]);
    }
}
