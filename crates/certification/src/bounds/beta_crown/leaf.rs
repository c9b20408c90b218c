//! Parts on which the network is linear, as the linear functions they are.
//!
//! What is found here is rounded and proves nothing: it tells a linear program what to solve. What that
//! finds is proved by [`Whole::bound`], with the multipliers that it gave.
use super::{Part, Whole};
use crate::bounds::alpha_crown::Slopes;
use crate::bounds::backward::{Rows, Until, trace_back};
use crate::bounds::specification::Specification;

/// `⟨coefficients, x⟩ + constant`.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinearFunction {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) constant: f64,
}

/// A part on which all kinks are fixed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaf {
    /// The rows of the specification.
    pub(crate) rows: Vec<LinearFunction>,
    /// For each fixed kink a function that is not negative on the part.
    pub(crate) signs: Vec<LinearFunction>,
}

impl Whole<'_> {
    /// The functions of a part, but for rounding.
    pub(crate) fn leaf(&self, specification: &Specification, part: &Part) -> Leaf {
        let network = self.analysis.network;
        let outputs = specification.outputs();
        let count = specification.len();
        let mut coefficients = vec![0.0; outputs * count];
        for (output, row) in coefficients.chunks_exact_mut(count.max(1)).enumerate() {
            for (at, value) in row.iter_mut().enumerate() {
                *value = specification.row(at)[output];
            }
        }
        let constants = (0..count).map(|at| specification.offset(at)).collect();
        let rows = Rows { target: network.output, count, coefficients, constants };
        let mut leaf = Leaf { rows: self.linear(rows, part), signs: Vec::new() };
        leaf.signs.resize(part.fixed.len(), LinearFunction::default());
        // Kinks of one step together.
        let of = |place: usize| self.kinks[part.fixed[place].kink as usize];
        let mut order: Vec<usize> = (0..part.fixed.len()).collect();
        order.sort_by_key(|&place| of(place).step);
        for places in order.chunk_by(|&a, &b| of(a).step == of(b).step) {
            let target = network.sources(of(places[0]).step)[0];
            let count = places.len();
            let mut coefficients = vec![0.0; network.sizes[target] * count];
            for (row, &place) in places.iter().enumerate() {
                let sign = if part.fixed[place].positive { 1.0 } else { -1.0 };
                coefficients[of(place).at * count + row] = sign;
            }
            let rows = Rows { target, count, coefficients, constants: vec![0.0; count] };
            for (function, &place) in self.linear(rows, part).into_iter().zip(places) {
                leaf.signs[place] = function;
            }
        }
        leaf
    }

    /// Rows as functions of the input, with the kinks of a part fixed and no multipliers.
    fn linear(&self, rows: Rows, part: &Part) -> Vec<LinearFunction> {
        let (set, features) = (self.analysis.set, self.analysis.network.features());
        let mut slopes = Slopes::new(&self.analysis, &rows);
        let known = slopes.free_kinks().len();
        for fixed in part.fixed.iter().filter(|fixed| (fixed.kink as usize) < known) {
            let kink = fixed.kink as usize;
            for row in 0..rows.count {
                slopes.fix((kink, self.kinks[kink].above), row, fixed.positive, 0.0);
            }
        }
        let count = rows.count;
        let mut input = vec![0.0; features * count];
        let mut keep = |index: usize, own: Vec<f64>| {
            if index == 0 {
                input = own;
            }
        };
        let bounds = trace_back(&self.analysis, rows, Until::Input, Some(&slopes), &mut keep);
        let function = |(row, bound): (usize, f64)| {
            let coefficients: Vec<f64> = input.iter().skip(row).step_by(count).copied().collect();
            let point = set.minimiser(&coefficients);
            let least: f64 = coefficients.iter().zip(point).map(|(a, x)| a * x).sum();
            LinearFunction { coefficients, constant: bound - least }
        };
        bounds.into_iter().enumerate().map(function).collect()
    }
}
