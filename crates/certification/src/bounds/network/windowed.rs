//! Convolutions, their transposes and means of windows.
use super::windows::Windows;
use crate::bounds::backward::Block;
use crate::bounds::kernel::{Channels, Scatter, Sums, add_channels, scatter};

/// Channels of a result are computed together by intervals in multiples of this many.
const TOGETHER: usize = 8;

/// With fewer channels in a group there is no loop for them.
const FEWEST: usize = 4;

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
    /// See [`Windowed::turned`].
    pub(super) turned: Vec<f64>,
}

impl Windowed {
    /// Appends the terms of a row, zeros too.
    pub(super) fn row(&self, row: usize, terms: &mut Vec<(usize, f64)>) {
        let Windowed { windows, positions, pixels, inputs, outputs, taps, weight, .. } = self;
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

    /// The weights of each group as `[i, tap, o]`, with zeros for channels that are none; nothing where
    /// groups are too small.
    pub(super) fn turned(&self) -> Vec<f64> {
        let (outputs, terms) = (self.outputs, self.inputs * self.taps);
        if outputs < FEWEST {
            return Vec::new();
        }
        let wide = outputs.next_multiple_of(TOGETHER);
        let groups = self.weight.chunks_exact((outputs * terms).max(1));
        let mut turned = vec![0.0; groups.len() * terms * wide];
        for (weight, turned) in groups.zip(turned.chunks_exact_mut((terms * wide).max(1))) {
            for (out, weight) in weight.chunks_exact(terms.max(1)).enumerate() {
                for (term, &weight) in weight.iter().enumerate() {
                    turned[term * wide + out] = weight;
                }
            }
        }
        turned
    }

    /// Number of results.
    pub(super) fn results(&self) -> usize {
        self.weight.len() / (self.inputs * self.taps).max(1) * self.positions
    }

    /// Marks the values that results read.
    pub(super) fn reach(&self, results: &[u32], reached: &mut [bool]) {
        let Windowed { windows, positions, pixels, inputs, outputs, .. } = self;
        // Channels of a group read the same.
        let mut groups: Vec<Vec<bool>> = Vec::new();
        for &result in results {
            let (out, position) = (result as usize / positions, result as usize % positions);
            let group = out / outputs;
            groups.resize_with(groups.len().max(group + 1), Vec::new);
            groups[group].resize(*positions, false);
            groups[group][position] = true;
        }
        for (group, read) in groups.iter().enumerate() {
            for (position, _) in read.iter().enumerate().filter(|(_, read)| **read) {
                for &(place, _) in windows.at(position) {
                    reached[group * inputs * pixels + place as usize] = true;
                }
            }
            if !read.is_empty() {
                let channels = &mut reached[group * inputs * pixels..][..inputs * pixels];
                let (first, others) = channels.split_at_mut(*pixels);
                others.chunks_exact_mut(*pixels).for_each(|other| other.copy_from_slice(first));
            }
        }
    }

    /// As [`super::Map::scatter`].
    pub(super) fn scatter(&self, from: &Block, (to, starts): (&mut [f64], &[usize]), count: usize) {
        let Windowed { windows, positions, pixels, inputs, outputs, taps, weight, .. } = self;
        // The lines of each position, in the order of their channels.
        let of = |result: u32| result as usize % positions;
        let mut ends = vec![0; *positions];
        let used: Vec<(usize, u32)> = (from.places.iter().copied().enumerate())
            .filter(|(line, _)| {
                from.coefficients[line * count..][..count].iter().any(|&a| a != 0.0)
            })
            .collect();
        for &(_, result) in &used {
            ends[of(result)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum - *end;
        }
        let mut lines = vec![(0, 0); used.len()];
        for &(line, result) in &used {
            let end = &mut ends[of(result)];
            lines[*end] = (result as usize / positions, line);
            *end += 1;
        }
        let (mut terms, mut results) = (Vec::new(), Vec::new());
        let mut first = 0;
        for (position, &end) in ends.iter().enumerate() {
            for lines in lines[first..end].chunk_by(|a, b| a.0 / outputs == b.0 / outputs) {
                let start = lines[0].0 / outputs * inputs * pixels;
                terms.clear();
                let list = |&(out, line): &(usize, usize)| (out * inputs * taps, line * count);
                terms.extend(lines.iter().map(list));
                results.clear();
                for input in 0..*inputs {
                    let starts = &starts[start + input * pixels..][..*pixels];
                    let result = |&(place, tap): &(u32, u32)| {
                        (input * taps + tap as usize, starts[place as usize])
                    };
                    results.extend(windows.at(position).iter().map(result));
                }
                let from = &from.coefficients;
                let (terms, results) = (&terms, &results);
                scatter(Scatter { weights: weight, terms, from, results, to, count });
            }
            first = end;
        }
    }

    /// Adds what the map makes of centres, half widths and magnitudes of x; false if it has no loop
    /// for that.
    pub(super) fn forward(&self, values: &Sums, sums: &mut Sums) -> bool {
        let Windowed { windows, positions, pixels, inputs, outputs, taps, turned, .. } = self;
        if turned.is_empty() {
            return false;
        }
        let (wide, terms) = (outputs.next_multiple_of(TOGETHER), inputs * taps);
        let windows: Vec<&[(u32, u32)]> = (0..*positions).map(|at| windows.at(at)).collect();
        for (group, weights) in turned.chunks_exact((terms * wide).max(1)).enumerate() {
            add_channels(Channels {
                weights,
                wide,
                outputs: *outputs,
                inputs: (*inputs, group * inputs * pixels),
                pixels: *pixels,
                taps: *taps,
                windows: &windows,
                values,
                sums: (sums, group * outputs * positions),
            });
        }
        true
    }
}
