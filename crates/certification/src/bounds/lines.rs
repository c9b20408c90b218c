//! Lower bounds as linear functions of the input, and intervals that parts of a box inherit.
use super::analysis::{self, Way};
use super::backward::{Until, trace_back};
use super::crown::chunks;
use super::rounding::{TINY, down, gamma};
use super::{Error, InputSet, Intervals, Method, Network, Options, Result, Specification};

/// A lower bound of a row, and the linear function that it is the least value of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LowerLine {
    /// The row is at least `bound + Σ coefficient · (x − point)` on all of the set.
    pub(crate) bound: f64,
    /// One a feature.
    pub(crate) coefficients: Vec<f64>,
    /// Where the function is least: a corner of a box.
    pub(crate) point: Vec<f64>,
}

impl LowerLine {
    /// A line below the largest of some rows, of which these are lines on the box `set`: their sum
    /// with shares that add up to 1, chosen for a large bound. `None` if there is no line.
    ///
    /// Rounding: each row is at least its bound and what its line gains from its corner on. At the
    /// corner where the sum is least, the sum of these is computed with at most `γ Σ |terms|` of error,
    /// and so is the slope of the sum at any other point of the box.
    pub(crate) fn below_largest(lines: &[LowerLine], set: &InputSet) -> Option<LowerLine> {
        let best = lines.iter().enumerate().max_by(|a, b| a.1.bound.total_cmp(&b.1.bound))?.0;
        let mut shares = vec![0.0; lines.len()];
        shares[best] = 1.0;
        let mut sum = lines[best].clone();
        if lines.len() > MOST_SHARED || lines.iter().any(|line| !line.bound.is_finite()) {
            return Some(sum);
        }
        for _ in 0..SWEEPS {
            for (one, other) in (0..lines.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
                let whole = shares[one] + shares[other];
                if whole <= 0.0 {
                    continue;
                }
                let mut of = |part: f64| {
                    let mut tried = shares.clone();
                    (tried[one], tried[other]) = (part * whole, (1.0 - part) * whole);
                    let line = Self::weighted(lines, &tried, set);
                    let bound = line.bound;
                    if bound > sum.bound {
                        (sum, shares) = (line, tried);
                    }
                    bound
                };
                // The bound is concave in the shares.
                let (mut low, mut high) = (0.0, 1.0);
                for _ in 0..THIRDS {
                    let third = (high - low) / 3.0;
                    if of(low + third) < of(high - third) { low += third } else { high -= third }
                }
            }
        }
        Some(sum)
    }

    /// The sum of lines with shares, which need not add up to 1 but for the sake of the bound.
    fn weighted(lines: &[LowerLine], shares: &[f64], set: &InputSet) -> LowerLine {
        let sides = set.intervals();
        let mut coefficients = vec![0.0; sides.len()];
        for (line, share) in lines.iter().zip(shares) {
            for (sum, a) in coefficients.iter_mut().zip(&line.coefficients) {
                *sum += share * a;
            }
        }
        let point = set.minimiser(&coefficients);
        let (mut bound, mut size) = (0.0, 0.0);
        for (line, &share) in lines.iter().zip(shares).filter(|(_, share)| **share > 0.0) {
            bound += share * line.bound;
            size += share * line.bound.abs();
            for (at, a) in line.coefficients.iter().enumerate() {
                let step = share * a * (point[at] - line.point[at]);
                bound += step;
                // Half of it for the slope beyond the point.
                size += step.abs() + 2.0 * (share * a).abs() * sides.magnitude(at);
            }
        }
        let terms = 4 * (lines.len() + 1) * (sides.len() + 1);
        LowerLine { bound: down(bound, gamma(terms) * size + TINY), coefficients, point }
    }
}

/// Most rows whose lines are added.
const MOST_SHARED: usize = 6;

/// How often each pair of shares is looked at, and in how many steps.
const SWEEPS: usize = 2;
const THIRDS: usize = 8;

impl Network {
    /// As [`Network::lower_bounds`], with coefficients and the intervals of all steps. `known` are
    /// intervals of a set that holds this one.
    pub(crate) fn lower_lines(
        &self,
        set: &InputSet,
        specification: &Specification,
        (method, known): (Method, Option<&[Intervals]>),
        options: &Options,
    ) -> Result<(Vec<LowerLine>, Vec<Intervals>)> {
        options.check()?;
        if specification.outputs() != self.outputs() {
            let (expected, got) = (self.outputs(), specification.outputs());
            return Err(Error::Length { what: "specification", expected, got });
        }
        let analysis = match method {
            Method::Crown | Method::AlphaCrown => {
                let way = known.map_or(Way::Planes, Way::Within);
                analysis::by_planes(self, set, options, way)?
            }
            // What goes back to the input needs planes.
            Method::Ibp => analysis::by_intervals(self, set, true)?,
            _ => self.analyse(set, method, options)?,
        };
        let mut lines = Vec::with_capacity(specification.len());
        for rows in chunks(&analysis, specification, options, 1)? {
            let count = rows.count;
            let mut coefficients = vec![0.0; self.features() * count];
            let mut keep = |index: usize, own: Vec<f64>| {
                if index == 0 {
                    coefficients = own;
                }
            };
            let bounds = trace_back(&analysis, rows, Until::Input, None, &mut keep);
            for (row, bound) in bounds.into_iter().enumerate() {
                let own: Vec<f64> = coefficients.iter().skip(row).step_by(count).copied().collect();
                let point = set.minimiser(&own);
                lines.push(LowerLine { bound, coefficients: own, point });
            }
        }
        // What the method finds beyond the way back is a line without a slope.
        if !matches!(method, Method::Crown | Method::CrownIbp) {
            let better = self.lower_bounds(set, specification, method, options)?;
            for (line, bound) in lines.iter_mut().zip(better) {
                if bound > line.bound && bound > 0.0 {
                    line.bound = bound;
                    line.coefficients.fill(0.0);
                }
            }
        }
        Ok((lines, analysis.known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x` and `1/4 − x` on `[−1, 1]`: the larger is at least 1/8, half of each.
    #[test]
    fn a_sum_of_lines_is_below_the_largest_and_above_each() {
        let set = InputSet::sides(vec![-1.0], vec![1.0]).unwrap();
        let line =
            |bound, a: f64, point| LowerLine { bound, coefficients: vec![a], point: vec![point] };
        let lines = [line(-1.0, 1.0, -1.0), line(-0.75, -1.0, 1.0)];
        let sum = LowerLine::below_largest(&lines, &set).unwrap();
        assert!(sum.bound > 0.1 && sum.bound < 0.125, "{sum:?}");
        let single = LowerLine::below_largest(&lines[..1], &set).unwrap();
        assert!(single == lines[0] && LowerLine::below_largest(&[], &set).is_none());
    }
}
