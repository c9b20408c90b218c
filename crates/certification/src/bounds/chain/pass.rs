//! Forward with intervals, and back for each value that they leave open.
use super::super::lines::LowerLine;
use super::super::relaxation::kink;
use super::super::rounding::{TINY, down, up};
use super::{Chain, Layer};
use crate::bounds::{InputSet, Intervals, Specification};

/// What is known of a layer.
struct Known {
    /// Before its kinks.
    intervals: Intervals,
    /// What rounding can cost, a unit of each coefficient.
    weights: Vec<f64>,
    underflow: f64,
    /// Slope below, slope above, constant above; what rounding can cost.
    kinks: Vec<([f64; 3], f64)>,
    kinks_underflow: f64,
}

/// Rows on their way back: `count` of them, each with a coefficient a value.
struct Rows {
    width: usize,
    coefficients: Vec<f64>,
    constants: Vec<f64>,
    errors: Vec<f64>,
}

impl Chain {
    /// As `Network::lower_lines` with CROWN; the intervals are those before kinks.
    pub(crate) fn lower_lines(
        &self,
        set: &InputSet,
        specification: &Specification,
        within: Option<&[Intervals]>,
    ) -> (Vec<LowerLine>, Vec<Intervals>) {
        let mut values = set.intervals().clone();
        let mut known: Vec<Known> = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            known.push(self.forward(layer, &values, within.map(|within| &within[index])));
            let Some(slopes) = layer.kink else {
                values = known[index].intervals.clone();
                continue;
            };
            // The first map of a box is exact.
            if index > 0 {
                let intervals = &known[index].intervals;
                let open = |&at: &usize| {
                    let (low, high) = intervals.at(at);
                    low < 0.0 && 0.0 < high && slopes[0] != slopes[1]
                };
                let open: Vec<usize> = (0..intervals.len()).filter(open).collect();
                let bounds = self.values(&known, index, &open, set);
                for (&at, pair) in open.iter().zip(bounds.chunks_exact(2)) {
                    known[index].intervals.tighten(at, pair[0], -pair[1]);
                }
            }
            values = self.relax(&mut known[index], slopes);
        }
        let last = self.layers.len() - 1;
        let width = specification.outputs();
        let rows = Rows {
            width,
            coefficients: (0..specification.len())
                .flat_map(|row| specification.row(row).iter().copied())
                .collect(),
            constants: (0..specification.len()).map(|row| specification.offset(row)).collect(),
            errors: vec![0.0; specification.len()],
        };
        let rows = self.back(&known, last, rows);
        let line = |row: usize| {
            let coefficients = rows.coefficients[row * rows.width..][..rows.width].to_vec();
            let bound = self.least(set, &rows, row);
            LowerLine { bound, point: set.minimiser(&coefficients), coefficients }
        };
        let lines = (0..specification.len()).map(line).collect();
        (lines, known.into_iter().map(|known| known.intervals).collect())
    }

    /// Intervals of a map's results, as [`super::super::affine`] has them.
    fn forward(&self, layer: &Layer, values: &Intervals, within: Option<&Intervals>) -> Known {
        let outputs = layer.bias.len();
        let mut intervals = Intervals::unknown(outputs);
        let mut weights = Vec::with_capacity(outputs);
        let magnitudes: Vec<f64> = (0..values.len()).map(|at| values.magnitude(at)).collect();
        let reach: f64 = magnitudes.iter().map(|magnitude| magnitude + 1.0).sum();
        for (at, row) in layer.weights.chunks_exact(layer.inputs.max(1)).enumerate() {
            let bias = layer.bias[at];
            let (mut low, mut high, mut size) = (bias, bias, bias.abs());
            for (place, &weight) in row.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
                let (lower, upper) = values.at(place);
                let (first, last) = if weight > 0.0 { (lower, upper) } else { (upper, lower) };
                low += weight * first;
                high += weight * last;
                size += weight.abs() * magnitudes[place];
            }
            let error = self.gamma * size + TINY * reach;
            intervals.tighten(at, down(low, error), up(high, error));
            if let Some(within) = within {
                let (low, high) = within.at(at);
                intervals.tighten(at, low, high);
            }
            weights.push(self.gamma * size + TINY);
        }
        let underflow = TINY * reach * outputs as f64;
        Known { intervals, weights, underflow, kinks: Vec::new(), kinks_underflow: 0.0 }
    }

    /// The planes of kinks, and the intervals of their results.
    fn relax(&self, known: &mut Known, slopes: [f64; 2]) -> Intervals {
        let count = known.intervals.len();
        let mut results = Intervals::unknown(count);
        let free = slopes[0].abs().max(slopes[1].abs());
        for at in 0..count {
            let sides = known.intervals.at(at);
            let (planes, (low, high)) = kink::relax(at, slopes, sides);
            results.tighten(at, low, high);
            let most = known.intervals.magnitude(at);
            let [below, above] = [planes.lower, planes.upper];
            let size = 2.0 * free * if free == 0.0 { 0.0 } else { most };
            let size = size + below.constant.abs() + above.constant.abs();
            // Flat planes, of intervals without an end, have a constant below: they bound nothing here.
            let weight =
                if below.constant == 0.0 { self.gamma * size + TINY } else { f64::INFINITY };
            known.kinks.push(([below.first, above.first, above.constant], weight));
            known.kinks_underflow += f64::MIN_POSITIVE * (most + 1.0);
        }
        results
    }

    /// Lower bounds of some values of layer `index` before its kinks and of their negatives, in turn.
    fn values(&self, known: &[Known], index: usize, places: &[usize], set: &InputSet) -> Vec<f64> {
        let layer = &self.layers[index];
        let width = layer.inputs;
        let count = 2 * places.len();
        let mut rows = Rows {
            width,
            coefficients: Vec::with_capacity(width * count),
            constants: Vec::with_capacity(count),
            errors: Vec::with_capacity(count),
        };
        for &place in places {
            let line = &layer.weights[place * width..][..width];
            for sign in [1.0, -1.0] {
                rows.coefficients.extend(line.iter().map(|weight| sign * weight));
                rows.constants.push(sign * layer.bias[place]);
                let own = &known[index];
                rows.errors.push(own.weights[place] + own.underflow + f64::MIN_POSITIVE);
            }
        }
        let rows = Self::through_kinks(&known[index - 1], rows);
        let rows = self.back(known, index - 1, rows);
        (0..count).map(|row| self.least(set, &rows, row)).collect()
    }

    /// Rows of the results of map `index` as rows of the input.
    fn back(&self, known: &[Known], index: usize, mut rows: Rows) -> Rows {
        for index in (0..=index).rev() {
            rows = Self::through_map(&self.layers[index], &known[index], rows);
            if index > 0 {
                rows = Self::through_kinks(&known[index - 1], rows);
            }
        }
        rows
    }

    fn through_map(layer: &Layer, known: &Known, rows: Rows) -> Rows {
        let Rows { width, coefficients, mut constants, mut errors } = rows;
        let inputs = layer.inputs;
        let mut next = vec![0.0; inputs * constants.len()];
        let mut used: Vec<usize> = Vec::with_capacity(width);
        for (row, own) in coefficients.chunks_exact(width.max(1)).enumerate() {
            used.clear();
            used.extend((0..width).filter(|&at| own[at] != 0.0));
            let (mut sum, mut error) = (0.0, known.underflow + f64::MIN_POSITIVE);
            for &at in &used {
                sum += own[at] * layer.bias[at];
                error += own[at].abs() * known.weights[at];
            }
            constants[row] += sum;
            errors[row] += error;
            let to = &mut next[row * inputs..][..inputs];
            let line = |at: usize| &layer.weights[at * inputs..][..inputs];
            let (fours, rest) = used.as_chunks::<4>();
            for &[a, b, c, d] in fours {
                let (u, v, w, x) = (own[a], own[b], own[c], own[d]);
                let lines = line(a).iter().zip(line(b)).zip(line(c).iter().zip(line(d)));
                for (to, ((a, b), (c, d))) in to.iter_mut().zip(lines) {
                    *to += u * a + v * b + (w * c + x * d);
                }
            }
            for &at in rest {
                let weight = own[at];
                to.iter_mut().zip(line(at)).for_each(|(to, from)| *to += weight * from);
            }
        }
        Rows { width: inputs, coefficients: next, constants, errors }
    }

    fn through_kinks(known: &Known, mut rows: Rows) -> Rows {
        let width = rows.width;
        for (row, own) in rows.coefficients.chunks_exact_mut(width.max(1)).enumerate() {
            let (mut sum, mut error) = (0.0, known.kinks_underflow + f64::MIN_POSITIVE);
            for (a, &([below, above, constant], weight)) in own.iter_mut().zip(&known.kinks) {
                if *a == 0.0 {
                    continue;
                }
                error += a.abs() * weight;
                if *a > 0.0 {
                    *a *= below;
                } else {
                    // 0 where there is no constant; NaN stays and bounds nothing.
                    sum += *a * constant;
                    *a *= above;
                }
            }
            rows.constants[row] += sum;
            rows.errors[row] += error;
        }
        rows
    }

    fn least(&self, set: &InputSet, rows: &Rows, row: usize) -> f64 {
        let own = &rows.coefficients[row * rows.width..][..rows.width];
        let sum = rows.constants[row];
        set.minimum(own, sum, rows.errors[row] + self.gamma * sum.abs())
    }
}
