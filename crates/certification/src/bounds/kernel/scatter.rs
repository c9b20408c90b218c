//! Coefficients back through a linear map: `to[t] += Σ weight[k, t] · from[k]`, a line of rows each.
use macerator::{AutoArch, Simd, WithSimd};

use super::lanes::{Lanes, lanes, load, multiply_add, multiply_add_one, splat, store};

/// A sum of lines for each of some lines. A line holds a number for each of `count` rows.
#[derive(Debug)]
pub(in crate::bounds) struct Scatter<'a> {
    /// Weights, a list for each term.
    pub(in crate::bounds) weights: &'a [f64],
    /// For each term where its weights begin, and its line in `from`.
    pub(in crate::bounds) terms: &'a [(usize, usize)],
    /// Lines that are multiplied.
    pub(in crate::bounds) from: &'a [f64],
    /// For each result the place of its weight in the list of a term, and its line in `to`.
    pub(in crate::bounds) results: &'a [(usize, usize)],
    /// Lines that are added to.
    pub(in crate::bounds) to: &'a mut [f64],
    /// Numbers in a line.
    pub(in crate::bounds) count: usize,
}

/// Adds the sums.
pub(in crate::bounds) fn scatter(work: Scatter<'_>) {
    AutoArch::new().dispatch(work);
}

impl WithSimd for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self) {
        let mut at = 0;
        while let Some(rest) = self.results.get(at..).filter(|rest| !rest.is_empty()) {
            // Weights that follow each other are read together.
            if let Some(&four) = rest.first_chunk::<4>()
                && four[0].0 + 3 == four[3].0
            {
                self.lines::<S, 4>(four);
                at += 4;
            } else {
                self.lines::<S, 1>([rest[0]]);
                at += 1;
            }
        }
    }
}

impl Scatter<'_> {
    /// All rows of `M` results.
    #[inline(always)]
    fn lines<S: Simd, const M: usize>(&mut self, results: [(usize, usize); M]) {
        let (lanes, count) = (lanes::<S>(), self.count);
        let mut column = 0;
        // Sums must fit the registers: 32 with AVX-512, 16 otherwise.
        while lanes >= 8 && column + 4 * lanes <= count {
            self.tile::<S, 4, M>(results, column, 0);
            column += 4 * lanes;
        }
        while column + 2 * lanes <= count {
            self.tile::<S, 2, M>(results, column, 0);
            column += 2 * lanes;
        }
        if column + lanes <= count {
            self.tile::<S, 1, M>(results, column, 0);
            column += lanes;
        }
        if column < count && lanes <= count {
            // The last rows, with some before them that are done already.
            let first = count - lanes;
            self.tile::<S, 1, M>(results, first, column - first);
            return;
        }
        while column < count {
            self.single::<S, M>(results, column);
            column += 1;
        }
    }

    /// `N` vectors of `M` results; the first `done` rows of the first stay.
    #[inline(always)]
    fn tile<S: Simd, const N: usize, const M: usize>(
        &mut self,
        results: [(usize, usize); M],
        column: usize,
        done: usize,
    ) {
        let lanes = lanes::<S>();
        let mut sums: [[Lanes<S>; N]; M] = [[splat::<S>(0.0); N]; M];
        let first = results[0].0;
        for &(weights, line) in self.terms {
            let weights = &self.weights[weights + first..][..M];
            let from = &self.from[line + column..][..N * lanes];
            let mut values = [splat::<S>(0.0); N];
            for at in 0..N {
                values[at] = load::<S>(&from[at * lanes..]);
            }
            for result in 0..M {
                let weight = splat::<S>(weights[result]);
                for at in 0..N {
                    sums[result][at] = multiply_add::<S>(weight, values[at], sums[result][at]);
                }
            }
        }
        for result in 0..M {
            let to = &mut self.to[results[result].1 + column..][..N * lanes];
            if done == 0 {
                for at in 0..N {
                    let to = &mut to[at * lanes..];
                    let value = load::<S>(to) + sums[result][at];
                    store::<S>(to, value);
                }
            } else {
                // Vectors hold at most 16 numbers.
                let mut own = [0.0; 16];
                store::<S>(&mut own, load::<S>(to) + sums[result][0]);
                to[done..lanes].copy_from_slice(&own[done..lanes]);
            }
        }
    }

    /// One row of `M` results.
    #[inline(always)]
    fn single<S: Simd, const M: usize>(&mut self, results: [(usize, usize); M], column: usize) {
        let mut sums = [0.0; M];
        let first = results[0].0;
        for &(weights, line) in self.terms {
            let weights = &self.weights[weights + first..][..M];
            let value = self.from[line + column];
            for result in 0..M {
                sums[result] = multiply_add_one::<S>(weights[result], value, sums[result]);
            }
        }
        for result in 0..M {
            self.to[results[result].1 + column] += sums[result];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, whose sums are exact in any order.
    fn integers(count: usize, modulus: usize) -> Vec<f64> {
        (0..count).map(|at| ((at * 7) % modulus) as f64 - (modulus / 2) as f64).collect()
    }

    #[test]
    fn sums_of_any_number_of_rows_are_exact_where_nothing_is_rounded() {
        let (terms, width) = (5, 11);
        let weights = integers(terms * width, 9);
        // Two runs of weights and a single one; lines of results in another order.
        let places = [1, 2, 3, 4, 5, 6, 7, 8, 10];
        for count in (1..40).chain([64, 67]) {
            let from = integers(terms * count, 13);
            let begin = integers(width * count, 5);
            let starts: Vec<_> = (0..terms).map(|k| (k * width, k * count)).collect();
            let results: Vec<_> =
                places.iter().map(|&place| (place, (width - 1 - place) * count)).collect();
            let mut to = begin.clone();
            let (weights, terms) = (&weights, starts.as_slice());
            scatter(Scatter { weights, terms, from: &from, results: &results, to: &mut to, count });
            for place in 0..width {
                for row in 0..count {
                    let own = (width - 1 - place) * count + row;
                    let sum: f64 =
                        starts.iter().map(|(w, f)| weights[w + place] * from[f + row]).sum();
                    let added = if places.contains(&place) { sum } else { 0.0 };
                    assert_eq!(to[own], begin[own] + added, "{count} {place} {row}");
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_whatever_stands_beside_it() {
        let (terms, width) = (37, 8);
        let weights: Vec<f64> = (0..terms * width).map(|at| (at as f64).sin()).collect();
        let alone: Vec<f64> = (0..terms).map(|at| (at as f64 + 0.5).cos()).collect();
        let run = |count: usize, row: usize| {
            let mut from = vec![1.25; terms * count];
            for (k, value) in alone.iter().enumerate() {
                from[k * count + row] = *value;
            }
            let starts: Vec<_> = (0..terms).map(|k| (k * width, k * count)).collect();
            let results: Vec<_> = (0..width).map(|t| (t, t * count)).collect();
            let mut to = vec![0.0; width * count];
            scatter(Scatter {
                weights: &weights,
                terms: &starts,
                from: &from,
                results: &results,
                to: &mut to,
                count,
            });
            (0..width).map(|t| to[t * count + row].to_bits()).collect::<Vec<u64>>()
        };
        let expected = run(1, 0);
        for count in [3, 8, 9, 17, 33, 64] {
            for row in [0, count / 2, count - 1] {
                assert_eq!(run(count, row), expected, "{count} {row}");
            }
        }
    }
}
