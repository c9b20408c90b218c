//! Coefficients of rows at the values of a step that they can reach.

/// Coefficients at some values of a step; those at the others are 0.
#[derive(Clone, Debug, Default)]
pub(in crate::bounds) struct Block {
    /// The values, in ascending order.
    pub(in crate::bounds) places: Vec<u32>,
    /// `[places, rows]`.
    pub(in crate::bounds) coefficients: Vec<f64>,
}

/// No place.
const NOWHERE: u32 = u32::MAX;

impl Block {
    /// Coefficients at all values.
    pub(in crate::bounds) fn all(size: usize, coefficients: Vec<f64>) -> Self {
        Self { places: (0..size as u32).collect(), coefficients }
    }

    /// For each of `size` values where its line begins; somewhere that is no place if it has none.
    pub(in crate::bounds) fn starts(&self, size: usize, count: usize) -> Vec<usize> {
        let mut starts = vec![usize::MAX; size];
        for (line, &place) in self.places.iter().enumerate() {
            starts[place as usize] = line * count;
        }
        starts
    }

    /// The coefficients at all of `size` values.
    pub(in crate::bounds) fn dense(&self, size: usize, count: usize) -> Vec<f64> {
        if self.places.len() == size {
            return self.coefficients.clone();
        }
        let mut dense = vec![0.0; size * count];
        for (line, &place) in self.coefficients.chunks_exact(count.max(1)).zip(&self.places) {
            dense[place as usize * count..][..count].copy_from_slice(line);
        }
        dense
    }

    /// Holds other places too.
    pub(super) fn widen(&mut self, places: &[u32], count: usize) {
        let highest = places.iter().chain(&self.places).copied().max().map_or(0, |it| it + 1);
        let mut lines = vec![NOWHERE; highest as usize];
        for &place in places {
            lines[place as usize] = 0;
        }
        let mut missing = places.len();
        for &place in &self.places {
            missing -= usize::from(lines[place as usize] == 0);
            lines[place as usize] = 0;
        }
        if missing == 0 {
            return;
        }
        let both: Vec<u32> = (0..highest).filter(|&it| lines[it as usize] != NOWHERE).collect();
        let wide = Self { coefficients: vec![0.0; both.len() * count], places: both };
        let narrow = std::mem::replace(self, wide);
        let starts = self.starts(highest as usize, count);
        for (line, &place) in narrow.coefficients.chunks_exact(count.max(1)).zip(&narrow.places) {
            self.coefficients[starts[place as usize]..][..count].copy_from_slice(line);
        }
    }

    /// Leaves out the lines that `stays` is false for.
    pub(super) fn retain(&mut self, stays: impl Fn(usize) -> bool, count: usize) {
        let mut kept = 0;
        for line in 0..self.places.len() {
            if !stays(line) {
                continue;
            }
            if kept != line {
                self.places[kept] = self.places[line];
                self.coefficients.copy_within(line * count..(line + 1) * count, kept * count);
            }
            kept += 1;
        }
        self.places.truncate(kept);
        self.coefficients.truncate(kept * count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_and_shrink_and_keep_their_lines() {
        let coefficients = vec![1.0, 2.0, 3.0, 4.0];
        let mut block = Block { places: vec![1, 4], coefficients };
        assert_eq!(block.dense(6, 2), [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
        block.widen(&[4], 2);
        assert_eq!(block.places, [1, 4]);
        block.widen(&[0, 4, 5], 2);
        assert_eq!(block.places, [0, 1, 4, 5]);
        assert_eq!(block.coefficients, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
        assert_eq!(block.starts(6, 2)[4], 4);
        block.retain(|line| line != 1, 2);
        assert_eq!((block.places.as_slice(), block.coefficients.len()), (&[0, 4, 5][..], 6));
        assert_eq!(block.dense(6, 2)[8..10], [3.0, 4.0]);
        assert_eq!(Block::all(2, vec![1.0, 2.0]).dense(2, 1), [1.0, 2.0]);
    }
}
