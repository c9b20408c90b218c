//! Upper bounds of spectral norms: the Gram iteration, with the rounding of f64 counted.
//!
//! Delattre, Barthélemy, Araujo, Allauzen. *Efficient Bound of Lipschitz Constant for Convolutional
//! Layers by Gram Iteration.* ICML 2023, alg. 1. <https://arxiv.org/abs/2305.16173>
use std::collections::BTreeMap;

use rayon::prelude::*;

/// Half the distance from 1 to the next number.
const UNIT: f64 = f64::EPSILON / 2.0;

/// More than any product or scaling that underflows can cost.
const TINY: f64 = f64::MIN_POSITIVE;

/// Most products of one step of the iteration: a step that takes more is left out.
const MOST_PRODUCTS: f64 = 2e9;

/// Most pairs of offsets of one step.
const MOST_PAIRS: usize = 1 << 17;

/// Matrices that are multiplied, left and right.
type Pairs<'a> = Vec<(&'a [f64], &'a [f64])>;

/// A matrix at each of some offsets: a linear map of sequences (or pictures) of vectors that
/// commutes with shifts. With one offset it is a matrix.
///
/// A convolution that pads with zeros and strides picks rows and columns of the same map without
/// ends, so its spectral norm is at most that of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    rows: usize,
    columns: usize,
    /// Row-major.
    parts: BTreeMap<Vec<isize>, Vec<f64>>,
}

/// Bounds `γ` of the relative error of a sum of `terms` products, with room for its own rounding.
fn gamma(terms: usize) -> f64 {
    1.1 * (terms as f64 + 16.0) * UNIT
}

/// Rounded up; what is not a number is ∞.
fn up(value: f64) -> f64 {
    if value.is_nan() { f64::INFINITY } else { value.next_up() }
}

impl Kernel {
    /// A matrix of `rows` by `columns`, row-major.
    ///
    /// # Panics
    /// If the values do not fill it.
    #[must_use]
    pub fn matrix(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        Self::new(rows, columns, BTreeMap::from([(Vec::new(), values)]))
    }

    /// Matrices of `rows` by `columns`, row-major, by their offsets.
    ///
    /// # Panics
    /// If the values do not fill them, or if there is none.
    #[must_use]
    pub fn new(rows: usize, columns: usize, parts: BTreeMap<Vec<isize>, Vec<f64>>) -> Self {
        assert!(!parts.is_empty() && parts.values().all(|part| part.len() == rows * columns));
        Self { rows, columns, parts }
    }

    /// The map the other way.
    fn transposed(&self) -> Self {
        let turn = |part: &Vec<f64>| {
            let at = |place: usize| part[(place % self.rows) * self.columns + place / self.rows];
            (0..part.len()).map(at).collect()
        };
        let back = |offset: &Vec<isize>| offset.iter().map(|step| -step).collect();
        let parts = self.parts.iter().map(|(offset, part)| (back(offset), turn(part))).collect();
        Self { rows: self.columns, columns: self.rows, parts }
    }

    /// One map after the other, `self` last.
    fn after(&self, first: &Self) -> Self {
        let mut pairs: BTreeMap<Vec<isize>, Pairs<'_>> = BTreeMap::new();
        for (a, left) in &self.parts {
            for (b, right) in &first.parts {
                let offset = a.iter().zip(b).map(|(a, b)| a + b).collect();
                pairs.entry(offset).or_default().push((left, right));
            }
        }
        let (inner, columns) = (self.columns, first.columns);
        let sum = |pairs: Pairs<'_>| {
            let mut values = vec![0.0; self.rows * columns];
            values.par_chunks_mut(columns.max(1)).enumerate().for_each(|(row, result)| {
                for (left, right) in &pairs {
                    for at in 0..inner {
                        let factor = left[row * inner + at];
                        let other = &right[at * columns..][..columns];
                        for (result, other) in result.iter_mut().zip(other) {
                            *result += factor * other;
                        }
                    }
                }
            });
            values
        };
        let parts = pairs.into_iter().map(|(offset, pairs)| (offset, sum(pairs))).collect();
        Self { rows: self.rows, columns, parts }
    }

    /// Largest sums of magnitudes over a row and over a column, from above.
    fn sums(&self) -> (f64, f64) {
        let (mut rows, mut columns) = (vec![0.0; self.rows], vec![0.0; self.columns]);
        for part in self.parts.values() {
            for (row, values) in part.chunks_exact(self.columns.max(1)).enumerate() {
                for (column, value) in values.iter().enumerate() {
                    rows[row] += value.abs();
                    columns[column] += value.abs();
                }
            }
        }
        let count = self.parts.len() * self.rows.max(self.columns);
        // `max` would pass over what is not a number.
        let most = |sums: Vec<f64>| {
            let most = sums.into_iter().fold(0.0, |most: f64, sum| {
                if sum.is_nan() { f64::INFINITY } else { most.max(sum) }
            });
            up(most * (1.0 + gamma(count)))
        };
        (most(rows), most(columns))
    }

    /// `√(‖·‖₁ ‖·‖∞)`, and of a matrix its Frobenius norm if that is less: an upper bound of the
    /// spectral norm.
    #[must_use]
    pub fn plain_bound(&self) -> f64 {
        let (rows, columns) = self.sums();
        let bound = up(up(rows.sqrt()) * up(columns.sqrt()));
        match self.parts.values().next() {
            Some(part) if self.parts.len() == 1 => bound.min(frobenius(part)),
            _ => bound,
        }
    }

    /// An upper bound of the spectral norm after at most `iterations` squarings.
    ///
    /// `‖W‖² = ‖WᵀW‖`, and `‖G‖² = ‖G G‖` for what is symmetric; each product is off by at most `E`,
    /// whose norm is bounded by `γ ‖G‖₁ ‖G‖∞`, so `‖G‖ ≤ √(bound of the product + ‖E‖)`. The result
    /// is the least of the bounds that the steps give.
    #[must_use]
    pub fn spectral_bound(&self, iterations: u32) -> f64 {
        // The exponents of the scales, and the errors, of the steps so far.
        let mut steps: Vec<(i32, f64)> = Vec::new();
        let plain = self.plain_bound();
        if !plain.is_finite() || plain == 0.0 {
            return plain;
        }
        let (mut current, mut best) = (self.clone(), plain);
        for step in 0..iterations {
            let scale = exponent(current.plain_bound());
            current = current.scaled(-scale);
            let (rows, columns) = current.sums();
            let other = if step == 0 { current.transposed() } else { current.clone() };
            let wide = step == 0 && current.columns > current.rows;
            let (left, right) = if wide { (&current, &other) } else { (&other, &current) };
            let inner = left.columns * left.parts.len();
            let products = (left.rows * right.columns * inner) as f64 * right.parts.len() as f64;
            if products > MOST_PRODUCTS || left.parts.len() * right.parts.len() > MOST_PAIRS {
                break;
            }
            // Of `|G| |G|` both norms are at most the product of those of the factors.
            let lost = TINY * (left.rows * inner) as f64 * right.parts.len() as f64;
            steps.push((scale, up(up(gamma(inner) * up(rows * columns)) + lost)));
            current = left.after(right);
            let mut bound = current.plain_bound();
            for &(scale, error) in steps.iter().rev() {
                bound = up(up(up(bound + error).sqrt()) * 2.0_f64.powi(scale));
            }
            best = best.min(bound);
        }
        best
    }

    /// All values times a power of two: exact but for underflow.
    fn scaled(mut self, exponent: i32) -> Self {
        let factor = 2.0_f64.powi(exponent);
        self.parts.values_mut().flatten().for_each(|value| *value *= factor);
        self
    }
}

/// `‖·‖_F` of values, from above.
pub(super) fn frobenius(values: &[f64]) -> f64 {
    let most = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    if most == 0.0 || !most.is_finite() || values.iter().any(|value| value.is_nan()) {
        return if most == 0.0 && values.iter().all(|v| *v == 0.0) { 0.0 } else { f64::INFINITY };
    }
    let sum: f64 = values.iter().map(|value| (value / most).powi(2)).sum();
    up(up(up(sum * (1.0 + gamma(values.len() + 4))).sqrt()) * most)
}

/// The exponent of the power of two at or below a positive number.
fn exponent(value: f64) -> i32 {
    // Never beyond what a power of two in f64 can be, forward and back.
    if value > 0.0 && value.is_finite() {
        (value.log2().floor() as i32).clamp(-900, 900)
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
