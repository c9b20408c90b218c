//! The orthonormal Haar wavelet transform of a plane of any size, in place.
//!
//! Along a line of `n` values the `⌈n/2⌉` averages come first, then the `⌊n/2⌋` differences. The
//! last value of an odd line counts as a pair with itself: its average is `√2` times it.

/// The differences that one level made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    /// Lines and columns before the level.
    size: [usize; 2],
}

impl Band {
    fn averages(self) -> [usize; 2] {
        self.size.map(|side| side.div_ceil(2))
    }

    fn cells(lines: [usize; 2], columns: [usize; 2], width: usize) -> Vec<usize> {
        let columns = move || columns[0]..columns[1];
        (lines[0]..lines[1]).flat_map(|y| columns().map(move |x| y * width + x)).collect()
    }

    /// Where the differences of differences are, in a plane of `width` columns.
    pub(super) fn diagonal(self, width: usize) -> impl Iterator<Item = usize> {
        let ([down, right], [height, across]) = (self.averages(), self.size);
        Self::cells([down, height], [right, across], width).into_iter()
    }

    /// Where the three kinds of differences are.
    pub(super) fn parts(self, width: usize) -> [Vec<usize>; 3] {
        let ([down, right], [height, across]) = (self.averages(), self.size);
        [
            Self::cells([0, down], [right, across], width),
            Self::cells([down, height], [0, right], width),
            Self::cells([down, height], [right, across], width),
        ]
    }
}

/// The sizes that levels begin with, of as many levels as there is something to halve.
fn sizes(size: [usize; 2], levels: usize) -> Vec<[usize; 2]> {
    let halve = |size: &[usize; 2]| Some(size.map(|side| side.div_ceil(2)));
    let larger = |size: &[usize; 2]| size.iter().any(|&side| side > 1);
    std::iter::successors(Some(size), halve).take(levels).take_while(larger).collect()
}

/// Transforms `levels` levels; the bands of the finest come first.
pub(super) fn analyse(values: &mut [f64], size: [usize; 2], levels: usize) -> Vec<Band> {
    let width = size[1];
    let sizes = sizes(size, levels);
    for &[lines, columns] in &sizes {
        for y in 0..lines {
            along(values, (y * width, 1, columns), split);
        }
        for x in 0..columns {
            along(values, (x, width, lines), split);
        }
    }
    sizes.into_iter().map(|size| Band { size }).collect()
}

/// The inverse of [`analyse`].
pub(super) fn synthesise(values: &mut [f64], size: [usize; 2], levels: usize) {
    let width = size[1];
    for [lines, columns] in sizes(size, levels).into_iter().rev() {
        for x in 0..columns {
            along(values, (x, width, lines), join);
        }
        for y in 0..lines {
            along(values, (y * width, 1, columns), join);
        }
    }
}

/// `work` on the line that starts somewhere, with a stride and a length.
fn along(
    values: &mut [f64],
    (start, stride, length): (usize, usize, usize),
    work: fn(&[f64]) -> Vec<f64>,
) {
    if length < 2 {
        return;
    }
    let line: Vec<f64> = (0..length).map(|at| values[start + at * stride]).collect();
    for (at, value) in work(&line).into_iter().enumerate() {
        values[start + at * stride] = value;
    }
}

fn split(line: &[f64]) -> Vec<f64> {
    let root = std::f64::consts::FRAC_1_SQRT_2;
    let average = |pair: &[f64]| match pair {
        [a, b] => (a + b) * root,
        _ => pair[0] / root,
    };
    let mut coefficients: Vec<f64> = line.chunks(2).map(average).collect();
    coefficients.extend(line.chunks_exact(2).map(|pair| (pair[0] - pair[1]) * root));
    coefficients
}

fn join(line: &[f64]) -> Vec<f64> {
    let root = std::f64::consts::FRAC_1_SQRT_2;
    let (averages, differences) = line.split_at(line.len().div_ceil(2));
    let mut values = Vec::with_capacity(line.len());
    for (index, average) in averages.iter().enumerate() {
        match differences.get(index) {
            Some(difference) => {
                values.extend([(average + difference) * root, (average - difference) * root]);
            }
            None => values.push(average * root),
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_identity_for_any_size() {
        for size in [[1, 1], [1, 5], [7, 1], [8, 8], [5, 6], [13, 9]] {
            let count = size[0] * size[1];
            let plane: Vec<f64> = (0..count).map(|at| (at * 29 % 31) as f64).collect();
            for levels in [1, 3, 9] {
                let mut values = plane.clone();
                analyse(&mut values, size, levels);
                synthesise(&mut values, size, levels);
                let near = values.iter().zip(&plane).all(|(got, was)| (got - was).abs() < 1e-10);
                assert!(near, "{size:?} {levels}");
            }
        }
    }

    #[test]
    fn a_line_of_even_length_keeps_its_energy_and_splits_as_on_paper() {
        let root = 2.0_f64.sqrt();
        let got = split(&[3.0, 1.0, 5.0, 5.0]);
        for (got, expected) in got.iter().zip([4.0 / root, 10.0 / root, 2.0 / root, 0.0]) {
            assert!((got - expected).abs() < 1e-12);
        }
        let energy: f64 = got.iter().map(|value| value * value).sum();
        assert!((energy - 60.0).abs() < 1e-9);
    }
}
