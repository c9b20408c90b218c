//! Products of matrices.
use crate::bounds::backward::Block;
use crate::bounds::kernel::{Scatter, Sums, dots, scatter};

/// `y[b, r, c] = Σ_k x[.., r, k] · w[.., k, c]`, or with x and w in each other's place.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Product {
    /// Which matrix of x and which of w make matrix `b` of the result.
    pub(super) pairs: Vec<(u32, u32)>,
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    /// `[.., c, k]` if x stands on the left, else `[.., r, k]`.
    pub(super) weight: Vec<f64>,
    pub(super) x_on_the_left: bool,
}

impl Product {
    /// Appends the terms of a row, zeros too.
    pub(super) fn row(&self, row: usize, terms: &mut Vec<(usize, f64)>) {
        let Product { pairs, rows, inner, columns, weight, x_on_the_left } = self;
        let (matrix, place) = (row / (rows * columns), row % (rows * columns));
        let (at, column) = (place / columns, place % columns);
        let (x, w) = (pairs[matrix].0 as usize, pairs[matrix].1 as usize);
        if *x_on_the_left {
            let line = &weight[(w * columns + column) * inner..][..*inner];
            let start = (x * rows + at) * inner;
            terms.extend(line.iter().enumerate().map(|(k, &weight)| (start + k, weight)));
        } else {
            let line = &weight[(w * rows + at) * inner..][..*inner];
            let start = x * inner * columns + column;
            terms.extend(line.iter().enumerate().map(|(k, &weight)| (start + k * columns, weight)));
        }
    }

    /// Marks the values that results read.
    pub(super) fn reach(&self, results: &[u32], reached: &mut [bool]) {
        let Product { pairs, rows, inner, columns, x_on_the_left, .. } = self;
        let mut last = usize::MAX;
        let mut terms = Vec::new();
        for &result in results {
            let line = result as usize / columns;
            if !x_on_the_left {
                terms.clear();
                self.row(result as usize, &mut terms);
                for &(place, _) in &terms {
                    reached[place] = true;
                }
            } else if line != last {
                let operand = pairs[line / rows].0 as usize;
                reached[(operand * rows + line % rows) * inner..][..*inner].fill(true);
                last = line;
            }
        }
    }

    /// As [`super::Map::scatter`], where x stands on the left.
    pub(super) fn scatter(&self, from: &Block, (to, starts): (&mut [f64], &[usize]), count: usize) {
        let Product { pairs, rows, inner, columns, weight, .. } = self;
        let mut lines = from.places.iter().enumerate().peekable();
        let (mut terms, mut results) = (Vec::new(), Vec::new());
        while let Some(&(_, &first)) = lines.peek() {
            let line = first as usize / columns;
            let (matrix, at) = (line / rows, line % rows);
            let (operand, own) = (pairs[matrix].0 as usize, pairs[matrix].1 as usize);
            terms.clear();
            while let Some((term, &result)) =
                lines.next_if(|(_, result)| **result as usize / columns == line)
            {
                let coefficients = &from.coefficients[term * count..][..count];
                if coefficients.iter().any(|&coefficient| coefficient != 0.0) {
                    let column = result as usize % columns;
                    terms.push(((own * columns + column) * inner, term * count));
                }
            }
            results.clear();
            let starts = &starts[(operand * rows + at) * inner..][..*inner];
            results.extend(starts.iter().copied().enumerate());
            let from = &from.coefficients;
            scatter(Scatter { weights: weight, terms: &terms, from, results: &results, to, count });
        }
    }

    /// Adds what the map makes of centres, half widths and magnitudes of x; false if it has no loop
    /// for that.
    pub(super) fn forward(&self, values: &Sums, sums: &mut Sums) -> bool {
        let Product { pairs, rows, inner, columns, weight, x_on_the_left } = self;
        if !x_on_the_left {
            return false;
        }
        for (matrix, &(operand, own)) in pairs.iter().enumerate() {
            let weights = &weight[own as usize * columns * inner..][..columns * inner];
            for at in 0..*rows {
                let first = (operand as usize * rows + at) * inner;
                dots(weights, (values, first, *inner), (sums, (matrix * rows + at) * columns));
            }
        }
        true
    }
}
