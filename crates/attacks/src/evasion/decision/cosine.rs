//! Random rows made of an image's lowest frequencies.
use std::f64::consts::PI;

use duress_core::{Domain, Layout};

/// The orthonormal cosines (type II) that span a subspace of the rows: for an image of any shape
/// the same frequencies of each channel, for a sound those of each channel. The columns of a table
/// have no order, so it is spanned by its features.
pub(super) struct Cosines {
    channels: usize,
    height: usize,
    width: usize,
    /// Frequencies `(down, across)`; none for a table.
    kept: Vec<(usize, usize)>,
    /// `[frequency, position]`.
    down: Vec<f64>,
    across: Vec<f64>,
}

impl Cosines {
    /// Frequencies below `most` in both directions.
    pub(super) fn square(domain: &Domain, most: usize) -> Self {
        Self::new(domain, |height, width| {
            let (down, across) = (height.min(most).max(1), width.min(most).max(1));
            (0..down).flat_map(|u| (0..across).map(move |v| (u, v))).collect()
        })
    }

    /// The lowest `share` of the frequencies in zigzag order, at least one.
    pub(super) fn lowest(domain: &Domain, share: f64) -> Self {
        Self::new(domain, |height, width| {
            let mut all: Vec<_> =
                (0..height).flat_map(|u| (0..width).map(move |v| (u, v))).collect();
            all.sort_by_key(|&(u, v)| (u + v, if (u + v) % 2 == 1 { u } else { v }));
            all.truncate((((height * width) as f64 * share) as usize).max(1));
            all
        })
    }

    fn new(domain: &Domain, keep: impl Fn(usize, usize) -> Vec<(usize, usize)>) -> Self {
        let (channels, height, width) = match domain.layout() {
            Layout::Image { channels, height, width } => (channels, height, width),
            Layout::Waveform { channels, samples } => (channels, 1, samples),
            Layout::Table { features } => {
                let (kept, down, across) = (Vec::new(), Vec::new(), Vec::new());
                return Self { channels: 1, height: 1, width: features, kept, down, across };
            }
        };
        let kept = keep(height, width);
        let count =
            |of: fn(&(usize, usize)) -> usize| kept.iter().map(of).max().map_or(0, |u| u + 1);
        let down = cosines(count(|kept| kept.0), height);
        let across = cosines(count(|kept| kept.1), width);
        Self { channels, height, width, kept, down, across }
    }

    /// The row whose coefficients `draw` gives, channel by channel.
    pub(super) fn row(&self, mut draw: impl FnMut() -> f64) -> Vec<f64> {
        let plane = self.height * self.width;
        if self.kept.is_empty() {
            return (0..plane).map(|_| draw()).collect();
        }
        let mut row = vec![0.0; self.channels * plane];
        let mut lines = vec![0.0; self.down.len() / self.height * self.width];
        for channel in row.chunks_exact_mut(plane) {
            lines.fill(0.0);
            for &(u, v) in &self.kept {
                let coefficient = draw();
                let line = &mut lines[u * self.width..][..self.width];
                add(line, &self.across[v * self.width..][..self.width], coefficient);
            }
            for (u, line) in lines.chunks_exact(self.width).enumerate() {
                for (y, out) in channel.chunks_exact_mut(self.width).enumerate() {
                    add(out, line, self.down[u * self.height + y]);
                }
            }
        }
        row
    }
}

fn add(to: &mut [f64], from: &[f64], times: f64) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from * times);
}

/// The first `count` cosines over `length` positions.
fn cosines(count: usize, length: usize) -> Vec<f64> {
    let frequency = |u: usize| {
        let scale = if u == 0 { 1.0 } else { 2.0_f64.sqrt() } / (length as f64).sqrt();
        (0..length)
            .map(move |x| scale * ((2 * x + 1) as f64 * u as f64 * PI / (2 * length) as f64).cos())
    };
    (0..count).flat_map(frequency).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evasion::vectors::dot;

    /// One row for each kept coefficient: a basis of the subspace.
    fn basis(cosines: &Cosines, count: usize) -> Vec<Vec<f64>> {
        let row = |index| {
            let mut at = 0..count;
            cosines.row(|| f64::from(u8::from(at.next() == Some(index))))
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_cosines_of_any_shape_are_orthonormal() {
        let shapes = [(1, 1, 7), (1, 5, 3), (3, 4, 6)];
        for (channels, height, width) in shapes {
            let domain = Domain::image(channels, height, width).unwrap();
            let cosines = Cosines::square(&domain, 100);
            let count = channels * height * width;
            for (i, a) in basis(&cosines, count).iter().enumerate() {
                for (j, b) in basis(&cosines, count).iter().enumerate() {
                    let expected = f64::from(u8::from(i == j));
                    assert!((dot(a, b) - expected).abs() < 1e-12, "{channels} {height} {width}");
                }
            }
        }
    }

    /// Two frequencies of a square are the constant and the two slowest waves' product.
    #[test]
    fn the_lowest_come_first() {
        let domain = Domain::image(1, 4, 6).unwrap();
        assert_eq!(Cosines::square(&domain, 2).kept, [(0, 0), (0, 1), (1, 0), (1, 1)]);
        let zigzag = [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)];
        assert_eq!(Cosines::lowest(&domain, 0.25).kept, zigzag);
        assert_eq!(Cosines::lowest(&domain, 1e-9).kept, [(0, 0)]);
        assert_eq!(Cosines::lowest(&domain, 1.0).kept.len(), 24);
    }

    /// One channel of a constant: each feature `1/√F`.
    #[test]
    fn the_slowest_wave_is_flat() {
        let domain = Domain::waveform(2, 9).unwrap();
        let mut first = true;
        let row =
            Cosines::square(&domain, 1).row(|| f64::from(u8::from(std::mem::take(&mut first))));
        assert!(row[..9].iter().all(|value| (value - 1.0 / 3.0).abs() < 1e-12));
        assert!(row[9..].iter().all(|value| value.abs() < 1e-12));
    }

    #[test]
    fn a_table_is_drawn_feature_by_feature() {
        let domain = Domain::table(vec![0.0; 3], vec![1.0; 3]).unwrap();
        let mut next = 0.0;
        let row = Cosines::lowest(&domain, 0.5).row(|| {
            next += 1.0;
            next
        });
        assert_eq!(row, [1.0, 2.0, 3.0]);
    }
}
