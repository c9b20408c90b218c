//! Sums of a linear map at three lists of values at once: the weights are read one time.
//!
//! With centres c, half widths r and magnitudes m of intervals: `Σ w c`, `Σ |w| r` and `Σ |w| m`.
#![expect(clippy::needless_range_loop, reason = "an iterator in the innermost loop is not inlined")]
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
            let mut total = [0.0; 3];
            for list in 0..3 {
                total[list] = across::<S>(sums[list][0] + sums[list][1]);
            }
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

/// The channels of a group of a convolution, all positions.
#[derive(Debug)]
pub(in crate::bounds) struct Channels<'a> {
    /// `[i, tap, wide]`: for each term the weights of all channels of the result, and zeros.
    pub(in crate::bounds) weights: &'a [f64],
    /// Channels of the result with their zeros, a multiple of 8.
    pub(in crate::bounds) wide: usize,
    /// Channels of the result without.
    pub(in crate::bounds) outputs: usize,
    /// Channels that are read, and where in the values the first begins.
    pub(in crate::bounds) inputs: (usize, usize),
    /// Places in a plane of a channel that is read.
    pub(in crate::bounds) pixels: usize,
    /// Places in a window.
    pub(in crate::bounds) taps: usize,
    /// For each position in the result, places in a plane and in a window.
    pub(in crate::bounds) windows: &'a [&'a [(u32, u32)]],
    /// The values that are read.
    pub(in crate::bounds) values: &'a Sums,
    /// What is added to: where in it the first channel begins.
    pub(in crate::bounds) sums: (&'a mut Sums, usize),
}

/// Adds the sums of a convolution.
pub(in crate::bounds) fn add_channels(work: Channels<'_>) {
    AutoArch::new().dispatch(work);
}

impl WithSimd for Channels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self) {
        let (lanes, mut first) = (lanes::<S>(), 0);
        while first + 2 * lanes <= self.wide {
            self.block::<S, 2>(first);
            first += 2 * lanes;
        }
        while first < self.wide {
            self.block::<S, 1>(first);
            first += lanes;
        }
    }
}

impl Channels<'_> {
    /// `N` vectors of channels from `first` on.
    #[inline(always)]
    fn block<S: Simd, const N: usize>(&mut self, first: usize) {
        let mut position = 0;
        while position < self.windows.len() {
            // Windows with the same places are computed together: a weight is read once.
            if N == 1 && self.alike(position, 4) {
                self.tile::<S, N, 4>(first, position);
                position += 4;
            } else if self.alike(position, 2) {
                self.tile::<S, N, 2>(first, position);
                position += 2;
            } else {
                self.tile::<S, N, 1>(first, position);
                position += 1;
            }
        }
    }

    /// Whether `count` windows from `position` on have the same places in the window.
    #[inline(always)]
    fn alike(&self, position: usize, count: usize) -> bool {
        let Some(windows) = self.windows.get(position..position + count) else { return false };
        let first = windows[0];
        windows[1..].iter().all(|other| {
            let same = |(a, b): (&(u32, u32), &(u32, u32))| a.1 == b.1;
            other.len() == first.len() && other.iter().zip(first).all(same)
        })
    }

    /// `N` vectors of channels of `P` positions, whose windows have the same places.
    #[inline(always)]
    fn tile<S: Simd, const N: usize, const P: usize>(&mut self, first: usize, position: usize) {
        let (lanes, pixels, positions) = (lanes::<S>(), self.pixels, self.windows.len());
        let (inputs, begin) = self.inputs;
        let Sums { center, radius, size } = self.values;
        let mut windows: [&[(u32, u32)]; P] = [self.windows[position]; P];
        windows.copy_from_slice(&self.windows[position..][..P]);
        let length = windows[0].len();
        let mut sums = [[[splat::<S>(0.0); N]; P]; 3];
        for input in 0..inputs {
            let start = begin + input * pixels;
            let weights = &self.weights[input * self.taps * self.wide..];
            let (c, r, m) =
                (&center[start..][..pixels], &radius[start..][..pixels], &size[start..][..pixels]);
            for term in 0..length {
                let tap = windows[0][term].1 as usize;
                let row = &weights[tap * self.wide + first..][..N * lanes];
                for at in 0..N {
                    let w = load::<S>(&row[at * lanes..]);
                    let size = w.abs();
                    for own in 0..P {
                        let read = windows[own][term].0 as usize;
                        let [c, r, m] =
                            [splat::<S>(c[read]), splat::<S>(r[read]), splat::<S>(m[read])];
                        sums[0][own][at] = multiply_add::<S>(w, c, sums[0][own][at]);
                        sums[1][own][at] = multiply_add::<S>(size, r, sums[1][own][at]);
                        sums[2][own][at] = multiply_add::<S>(size, m, sums[2][own][at]);
                    }
                }
            }
        }
        let (to, to_start) = &mut self.sums;
        let channels = self.outputs.saturating_sub(first).min(N * lanes);
        let lists = [&mut to.center, &mut to.radius, &mut to.size];
        for (list, to) in lists.into_iter().enumerate() {
            for own in 0..P {
                // Vectors hold at most 16 numbers.
                let mut all = [0.0; 32];
                for at in 0..N {
                    store::<S>(&mut all[at * lanes..], sums[list][own][at]);
                }
                for channel in 0..channels {
                    to[*to_start + (first + channel) * positions + position + own] += all[channel];
                }
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
        // Two channels of five places, three taps; windows alike and not.
        let alike = |place: u32| [(place, 0), (4 - place, 2)];
        let lists = [0, 1, 2, 3, 4, 2, 1].map(alike);
        let mut windows: Vec<&[(u32, u32)]> = lists.iter().map(|list| &list[..]).collect();
        windows.push(&[(1, 1)]);
        let (pixels, taps, positions) = (5, 3, windows.len());
        for outputs in [4_usize, 8, 13, 16, 29, 40] {
            let values = values(12);
            let wide = outputs.next_multiple_of(8);
            let weights = integers(2 * taps * wide, 9);
            let mut sums = Sums::zeros(3 + outputs * positions);
            sums.size[3] = 50.0;
            let inputs = (2, 2);
            let to = (&mut sums, 3);
            add_channels(Channels {
                weights: &weights,
                wide,
                outputs,
                inputs,
                pixels,
                taps,
                windows: &windows,
                values: &values,
                sums: to,
            });
            for at in 0..outputs * positions {
                let (out, position) = (at / positions, at % positions);
                let sum = |list: &[f64], f: fn(f64) -> f64| -> f64 {
                    let terms = (0..2)
                        .flat_map(|input| windows[position].iter().map(move |it| (input, it)));
                    let term = |(input, &(place, tap)): (usize, &(u32, u32))| {
                        f(weights[(input * taps + tap as usize) * wide + out])
                            * list[2 + input * pixels + place as usize]
                    };
                    terms.map(term).sum()
                };
                let at = 3 + at;
                let begin = if at == 3 { 50.0 } else { 0.0 };
                assert_eq!(sums.center[at], sum(&values.center, |w| w));
                assert_eq!(sums.radius[at], sum(&values.radius, f64::abs));
                assert_eq!(sums.size[at], begin + sum(&values.size, f64::abs));
            }
            assert_eq!(sums.center[..3], [0.0; 3]);
        }
    }
}
