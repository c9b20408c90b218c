//! A network of kinks as constraints with whole numbers.
//!
//! Tjeng, Xiao, Tedrake, *Evaluating Robustness of Neural Networks with Mixed Integer Programming*,
//! ICLR 2019, <https://arxiv.org/abs/1711.07356>, §4.1, for kinks with any slopes: where
//! `y = max(n z, p z)` and `l ≤ z ≤ u`, a number `a` of 0 or 1 says which of the two it is:
//! `y ≥ n z`, `y ≥ p z`, `y ≤ p z − (p − n) l (1 − a)` and `y ≤ n z + (p − n) u a`.
use super::backward::Analysis;
use super::beta_crown::Whole;
use super::network::{Function, Network, Step};
use super::specification::Specification;

/// `Σ weight · variable + constant`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) terms: Vec<(usize, f64)>,
    pub(crate) constant: f64,
}

/// A variable and its limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Whether it is 0 or 1.
    pub(crate) binary: bool,
}

/// Variables, of which the first are the input, and what they fulfil.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoding {
    pub(crate) variables: Vec<Limits>,
    /// Sums that are 0.
    pub(crate) zero: Vec<Sum>,
    /// Sums that are not negative.
    pub(crate) not_negative: Vec<Sum>,
    /// The rows of the specification.
    pub(crate) rows: Vec<Sum>,
}

impl Whole<'_> {
    /// The network and a specification as constraints; `None` if a step is neither linear nor a kink.
    pub(crate) fn encoding(&self, specification: &Specification) -> Option<Encoding> {
        let Analysis { network, known, .. } = self.analysis();
        let mut encoding = Encoding::default();
        let mut values: Vec<Vec<usize>> = Vec::with_capacity(network.steps.len());
        for (index, step) in network.steps.iter().enumerate() {
            let own: Vec<usize> = (0..network.sizes[index])
                .map(|at| encoding.variable(known[index].at(at), false))
                .collect();
            match step {
                Step::Input => {}
                Step::Affine { .. } => encoding.affine(network, index, &values, &own),
                Step::Curve { source, function: Function::Kink { negative, positive } } => {
                    for (at, &y) in own.iter().enumerate() {
                        let z = (values[*source][at], known[*source].at(at));
                        encoding.kink(y, z, [negative.at(at), *positive]);
                    }
                }
                _ => return None,
            }
            values.push(own);
        }
        for row in 0..specification.len() {
            let pairs = values[network.output].iter().zip(specification.row(row));
            let terms = pairs.filter(|(_, weight)| **weight != 0.0);
            let terms = terms.map(|(&variable, &weight)| (variable, weight)).collect();
            encoding.rows.push(Sum { terms, constant: specification.offset(row) });
        }
        Some(encoding)
    }
}

impl Encoding {
    fn variable(&mut self, (low, high): (f64, f64), binary: bool) -> usize {
        self.variables.push(Limits { low, high, binary });
        self.variables.len() - 1
    }

    fn affine(&mut self, network: &Network, index: usize, values: &[Vec<usize>], own: &[usize]) {
        let Step::Affine { parts, bias } = &network.steps[index] else { return };
        let mut row = Vec::new();
        for (at, &y) in own.iter().enumerate() {
            let mut terms = std::collections::BTreeMap::new();
            for (source, map) in parts {
                map.row(at, &mut row);
                for &(place, weight) in &row {
                    *terms.entry(values[*source][place]).or_insert(0.0) += weight;
                }
            }
            terms.insert(y, -1.0);
            let constant = bias.get(at).copied().unwrap_or(0.0);
            self.zero.push(Sum { terms: terms.into_iter().collect(), constant });
        }
    }

    fn kink(&mut self, y: usize, (z, (low, high)): (usize, (f64, f64)), [n, p]: [f64; 2]) {
        let line = |slope: f64| Sum { terms: vec![(y, 1.0), (z, -slope)], constant: 0.0 };
        if low >= 0.0 || high <= 0.0 || n.to_bits() == p.to_bits() {
            self.zero.push(line(if low >= 0.0 { p } else { n }));
            return;
        }
        // A concave kink is a convex one turned over.
        let turn = if n <= p { 1.0 } else { -1.0 };
        let side = self.variable((0.0, 1.0), true);
        let width = (p - n).abs();
        let sum = |terms: Vec<(usize, f64)>, constant| Sum { terms, constant };
        self.not_negative.push(sum(vec![(y, turn), (z, -turn * n)], 0.0));
        self.not_negative.push(sum(vec![(y, turn), (z, -turn * p)], 0.0));
        let right = vec![(y, -turn), (z, turn * p), (side, width * low)];
        self.not_negative.push(sum(right, -width * low));
        self.not_negative.push(sum(vec![(y, -turn), (z, turn * n), (side, width * high)], 0.0));
    }
}
