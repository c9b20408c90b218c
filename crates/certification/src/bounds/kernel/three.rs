//! Sums of a linear map at three lists of values at once: the weights are read one time.
//!
//! With centres c, half widths r and magnitudes m of intervals: `Σ w c`, `Σ |w| r` and `Σ |w| m`.
use macerator::{AutoArch, Simd, WithSimd};

use super::lanes::{Lanes, lanes, load, multiply_add, multiply_add_one, splat, store};

/// `Σ w c`, `Σ |w| r`, `Σ |w| m`; or the lists c, r and m.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Sums {
    /// `Σ w c`.
    pub(in crate::bounds) center: Vec<f64>,
    /// `Σ |w| r`.
    pub(in crate::bounds) radius: Vec<f64>,
    /// `Σ |w| m`.
    pub(in crate::bounds) size: Vec<f64>,
}

impl Sums {
    /// Zeros.
    pub(in crate::bounds) fn zeros(length: usize) -> Self {
        Self { center: vec![0.0; length], radius: vec![0.0; length], size: vec![0.0; length] }
    }
}

/// Adds the sums of rows of weights, each as long as a part of the values from `first` on, to
/// results from `to` on.
pub(in crate::bounds) fn dots(
    weights: &[f64],
    (values, first, length): (&Sums, usize, usize),
    (sums, to): (&mut Sums, usize),
) {
    let values = [&values.center, &values.radius, &values.size].map(|it| &it[first..][..length]);
    let Sums { center, radius, size } = sums;
    let sums = [&mut center[to..], &mut radius[to..], &mut size[to..]];
    AutoArch::new().dispatch(Dots { weights, values, sums });
}

struct Dots<'a> {
    weights: &'a [f64],
    values: [&'a [f64]; 3],
    sums: [&'a mut [f64]; 3],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { weights, values: [c, r, m], sums: [centers, radii, sizes] } = self;
        let (lanes, length) = (lanes::<S>(), c.len());
        let results = centers.iter_mut().zip(radii).zip(sizes);
        for (row, ((center, radius), size)) in weights.chunks_exact(length.max(1)).zip(results) {
            let mut sums = [[splat::<S>(0.0); 2]; 3];
            let mut at = 0;
            while at + 2 * lanes <= length {
                for half in 0..2 {
                    let place = at + half * lanes;
                    let w = load::<S>(&row[place..]);
                    let size = w.abs();
                    sums[0][half] = multiply_add::<S>(w, load::<S>(&c[place..]), sums[0][half]);
                    sums[1][half] = multiply_add::<S>(size, load::<S>(&r[place..]), sums[1][half]);
                    sums[2][half] = multiply_add::<S>(size, load::<S>(&m[place..]), sums[2][half]);
                }
                at += 2 * lanes;
            }
            let mut total = sums.map(|[one, two]| across::<S>(one + two));
            for place in at..length {
                let (w, size) = (row[place], row[place].abs());
                total[0] = multiply_add_one::<S>(w, c[place], total[0]);
                total[1] = multiply_add_one::<S>(size, r[place], total[1]);
                total[2] = multiply_add_one::<S>(size, m[place], total[2]);
            }
            *center += total[0];
            *radius += total[1];
            *size += total[2];
        }
    }
}

/// The sum of the lanes.
#[inline(always)]
fn across<S: Simd>(values: Lanes<S>) -> f64 {
    let mut all = [0.0; 16];
    store::<S>(&mut all, values);
    all[..lanes::<S>()].iter().sum()
}

/// Adds `Σ w[k] · x[place of k]` over `terms`, pairs of k and a place, to each of as many results
/// as a row of weights has: `weights` is `[k, results]`, and results a multiple of 8.
pub(in crate::bounds) fn add_channels(
    weights: &[f64],
    terms: &[(u32, u32)],
    values: &Sums,
    sums: &mut Sums,
) {
    AutoArch::new().dispatch(Channels { weights, terms, values, sums });
}

struct Channels<'a> {
    weights: &'a [f64],
    terms: &'a [(u32, u32)],
    values: &'a Sums,
    sums: &'a mut Sums,
}

impl WithSimd for Channels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let mut first = 0;
        let (lanes, results) = (lanes::<S>(), self.sums.center.len());
        let mut work = self;
        while first + 2 * lanes <= results {
            work.block::<S, 2>(first);
            first += 2 * lanes;
        }
        while first < results {
            work.block::<S, 1>(first);
            first += lanes;
        }
    }
}

impl Channels<'_> {
    #[inline(always)]
    fn block<S: Simd, const N: usize>(&mut self, first: usize) {
        let (lanes, results) = (lanes::<S>(), self.sums.center.len());
        let mut sums = [[splat::<S>(0.0); N]; 3];
        for &(k, place) in self.terms {
            let row = &self.weights[k as usize * results + first..][..N * lanes];
            let place = place as usize;
            let c = splat::<S>(self.values.center[place]);
            let r = splat::<S>(self.values.radius[place]);
            let m = splat::<S>(self.values.size[place]);
            for at in 0..N {
                let w = load::<S>(&row[at * lanes..]);
                let size = w.abs();
                sums[0][at] = multiply_add::<S>(w, c, sums[0][at]);
                sums[1][at] = multiply_add::<S>(size, r, sums[1][at]);
                sums[2][at] = multiply_add::<S>(size, m, sums[2][at]);
            }
        }
        let Sums { center, radius, size } = &mut *self.sums;
        for (to, sums) in [center, radius, size].into_iter().zip(sums) {
            for (at, sum) in sums.into_iter().enumerate() {
                let to = &mut to[first + at * lanes..];
                let value = load::<S>(to) + sum;
                store::<S>(to, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(count: usize, modulus: usize) -> Vec<f64> {
        (0..count).map(|at| ((at * 5) % modulus) as f64 - (modulus / 2) as f64).collect()
    }

    fn values(length: usize) -> Sums {
        let [center, radius, size] = [7, 11, 13].map(|modulus| integers(length, modulus));
        Sums { center, radius, size }
    }

    #[test]
    fn rows_are_multiplied_with_three_lists() {
        for length in (1..20).chain([32, 33, 47]) {
            let values = values(length + 2);
            let weights = integers(3 * length, 9);
            let mut sums = Sums::zeros(4);
            sums.center[1] = 100.0;
            dots(&weights, (&values, 2, length), (&mut sums, 1));
            for (row, weights) in weights.chunks_exact(length).enumerate() {
                let sum = |list: &[f64], f: fn(f64) -> f64| -> f64 {
                    weights.iter().zip(&list[2..]).map(|(&w, x)| f(w) * x).sum()
                };
                let begin = if row == 0 { 100.0 } else { 0.0 };
                assert_eq!(sums.center[row + 1], begin + sum(&values.center, |w| w), "{length}");
                assert_eq!(sums.radius[row + 1], sum(&values.radius, f64::abs), "{length}");
                assert_eq!(sums.size[row + 1], sum(&values.size, f64::abs), "{length}");
            }
            assert_eq!(sums.center[0], 0.0);
        }
    }

    #[test]
    fn channels_are_added_up_side_by_side() {
        for results in [8, 16, 24, 40] {
            let values = values(9);
            let weights = integers(6 * results, 9);
            let terms = [(0, 8), (2, 3), (5, 0)];
            let mut sums = Sums::zeros(results);
            add_channels(&weights, &terms, &values, &mut sums);
            for at in 0..results {
                let sum = |list: &[f64], f: fn(f64) -> f64| -> f64 {
                    let term = |&(k, place): &(u32, u32)| {
                        f(weights[k as usize * results + at]) * list[place as usize]
                    };
                    terms.iter().map(term).sum()
                };
                assert_eq!(sums.center[at], sum(&values.center, |w| w));
                assert_eq!(sums.radius[at], sum(&values.radius, f64::abs));
                assert_eq!(sums.size[at], sum(&values.size, f64::abs));
            }
        }
    }
}
