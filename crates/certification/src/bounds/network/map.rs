//! Linear maps, one row at a time: the one interface of all that is linear in a network.
//!
//! A map never exists as a matrix. It lists the terms of a row when asked, from a kernel, a table
//! of places or a weight; intervals go forward and coefficients go backward by the same rows, so
//! that the two cannot disagree.
use super::layout::NOWHERE;
use super::windows::Windows;

/// `y = M x`.
#[derive(Clone, Debug)]
pub(in crate::bounds) enum Map {
    /// Each result is one value of x times a weight, or none.
    Select { sources: Vec<u32>, weight: Weight },
    /// Each result is the sum of some values of x, times a weight.
    Sum { groups: Groups, weight: f64 },
    /// Products of matrices, one of each pair constant.
    Product(Product),
    /// A convolution, its transpose, or a mean of windows.
    Windowed(Windowed),
}

/// What selected values are multiplied by.
#[derive(Clone, Debug)]
pub(in crate::bounds) enum Weight {
    /// All by the same.
    Uniform(f64),
    /// One a result.
    Each(Vec<f64>),
}

impl Weight {
    pub(in crate::bounds) fn at(&self, index: usize) -> f64 {
        match self {
            Weight::Uniform(weight) => *weight,
            Weight::Each(weights) => weights[index],
        }
    }
}

/// Some values of an operand for each result.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Groups {
    starts: Vec<usize>,
    sources: Vec<u32>,
}

impl Groups {
    /// The groups listed.
    pub(super) fn new(groups: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let (mut starts, mut sources) = (vec![0], Vec::new());
        for group in groups {
            sources.extend(group);
            starts.push(sources.len());
        }
        Self { starts, sources }
    }

    /// The values that belong to result `of[value]`, of `count` results.
    pub(super) fn by_result(of: &[u32], count: usize) -> Self {
        let mut groups = vec![Vec::new(); count];
        for (value, &result) in of.iter().enumerate() {
            groups[result as usize].push(value as u32);
        }
        Self::new(groups)
    }

    /// Number of groups.
    pub(in crate::bounds) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Values of group `index`.
    pub(in crate::bounds) fn at(&self, index: usize) -> &[u32] {
        &self.sources[self.starts[index]..self.starts[index + 1]]
    }
}

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

/// `y[o, p] = Σ w[o, i, tap] · x[first(o) + i, place]` over the places and taps of window p.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Windowed {
    pub(super) windows: Windows,
    /// Places in a plane of the result.
    pub(super) positions: usize,
    /// Places in a plane of x.
    pub(super) pixels: usize,
    /// Channels of x that one channel of the result reads.
    pub(super) inputs: usize,
    /// Channels of the result in a group.
    pub(super) outputs: usize,
    /// Places in a window.
    pub(super) taps: usize,
    /// `[o, i, tap]`.
    pub(super) weight: Vec<f64>,
}

impl Map {
    /// Replaces `terms` by the terms of row `row`: places in x, and weights that are not zero.
    pub(in crate::bounds) fn row(&self, row: usize, terms: &mut Vec<(usize, f64)>) {
        terms.clear();
        match self {
            Map::Select { sources, weight } => {
                if sources[row] != NOWHERE {
                    terms.push((sources[row] as usize, weight.at(row)));
                }
            }
            Map::Sum { groups, weight } => {
                terms.extend(groups.at(row).iter().map(|&source| (source as usize, *weight)));
            }
            Map::Product(product) => product.row(row, terms),
            Map::Windowed(windowed) => windowed.row(row, terms),
        }
        terms.retain(|(_, weight)| *weight != 0.0);
    }

    /// Whether results differ in the values they depend on, each on one.
    pub(in crate::bounds) fn keeps_apart(&self) -> bool {
        let Map::Select { sources, .. } = self else { return false };
        let mut sources: Vec<u32> =
            sources.iter().copied().filter(|&source| source != NOWHERE).collect();
        let count = sources.len();
        sources.sort_unstable();
        sources.dedup();
        sources.len() == count
    }
}

impl Product {
    /// Adds `Σ coefficient · row` of each row of the map to `to`, where coefficients `[results, count]`
    /// and `to` `[values, count]` are for `count` rows of a bound: four rows of the map at a time.
    /// False if x stands on the right; then nothing was done.
    pub(in crate::bounds) fn scatter(&self, from: &[f64], to: &mut [f64], count: usize) -> bool {
        let Product { pairs, rows, inner, columns, weight, x_on_the_left } = self;
        if !x_on_the_left {
            return false;
        }
        for (line, results) in from.chunks_exact((columns * count).max(1)).enumerate() {
            let (matrix, at) = (line / rows, line % rows);
            let (operand, own) = (pairs[matrix].0 as usize, pairs[matrix].1 as usize);
            let to = &mut to[(operand * rows + at) * inner * count..][..inner * count];
            let weights = &weight[own * columns * inner..][..columns * inner];
            let used = |column: &usize| {
                results[column * count..][..count].iter().any(|&coefficient| coefficient != 0.0)
            };
            let used: Vec<usize> = (0..*columns).filter(used).collect();
            let of = |column: usize| {
                (&weights[column * inner..][..*inner], &results[column * count..][..count])
            };
            let (fours, rest) = used.as_chunks::<4>();
            for four in fours {
                let [(w0, r0), (w1, r1), (w2, r2), (w3, r3)] = four.map(of);
                for (k, to) in to.chunks_exact_mut(count).enumerate() {
                    let weights = [w0[k], w1[k], w2[k], w3[k]];
                    let lines = r0.iter().zip(r1).zip(r2.iter().zip(r3));
                    for (to, ((r0, r1), (r2, r3))) in to.iter_mut().zip(lines) {
                        *to +=
                            weights[0] * r0 + weights[1] * r1 + (weights[2] * r2 + weights[3] * r3);
                    }
                }
            }
            for &column in rest {
                let (weights, results) = of(column);
                for (to, weight) in to.chunks_exact_mut(count).zip(weights) {
                    to.iter_mut().zip(results).for_each(|(to, from)| *to += weight * from);
                }
            }
        }
        true
    }

    fn row(&self, row: usize, terms: &mut Vec<(usize, f64)>) {
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
}

impl Windowed {
    fn row(&self, row: usize, terms: &mut Vec<(usize, f64)>) {
        let Windowed { windows, positions, pixels, inputs, outputs, taps, weight } = self;
        let (out, position) = (row / positions, row % positions);
        let first = out / outputs * inputs;
        for input in 0..*inputs {
            let weight = &weight[(out * inputs + input) * taps..][..*taps];
            let start = (first + input) * pixels;
            let places = windows.at(position).iter();
            terms
                .extend(places.map(|&(place, tap)| (start + place as usize, weight[tap as usize])));
        }
    }
}
