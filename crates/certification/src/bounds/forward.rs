//! Linear bounds of each value in terms of the input, taken forward: cheap where inputs are few.
//!
//! Xu et al., *Automatic Perturbation Analysis for Scalable Certified Robustness and Beyond*,
//! `NeurIPS` 2020, <https://arxiv.org/abs/2002.12920>, §3.1 (forward mode).
//!
//! For each value, `L x + c − error ≤ value ≤ U x + d + error` on the input set. A positive weight
//! takes the line below for the line below, a negative one the line above; planes of what is not
//! linear are used as linear steps. Rounding: the new line differs from the exact one by at most
//! `γ Σ |w| (|c| + Σ |Lₖ| max|xₖ|)` on the set, and inherits the errors of the lines it is made of,
//! times `|w|`.
use super::analysis::start;
use super::backward::Analysis;
use super::input::InputSet;
use super::network::{Network, Step};
use super::relaxation::{Plane, Planes};
use super::rounding::{TINY, gamma};
use super::specification::Specification;
use super::{Error, Options, Result};

/// A line in terms of the input, and how far it may be off on the set.
#[derive(Clone, Debug)]
struct Line {
    coefficients: Vec<f64>,
    constant: f64,
    error: f64,
    /// `|constant| + Σ |coefficient| max|x|`.
    size: f64,
}

/// The lines below and above a value.
type Lines = [Line; 2];

/// Which line of which value, and times what.
type Term<'a> = (&'a Lines, f64);

struct Pass<'a> {
    analysis: Analysis<'a>,
    /// For each step the lines of its values; none once no step needs them.
    lines: Vec<Vec<Lines>>,
    reach: Vec<f64>,
    gamma: f64,
}

/// Lower bounds of the rows of a specification.
pub(super) fn bound(
    network: &Network,
    set: &InputSet,
    specification: &Specification,
    options: &Options,
) -> Result<Vec<f64>> {
    let pass = Pass::run(network, set, options)?;
    let output = &pass.lines[network.output];
    let row = |row: usize| {
        let terms = output.iter().zip(specification.row(row)).map(|(lines, &it)| (lines, it));
        let line = pass.combined(0, terms, specification.offset(row));
        pass.lowest(&line)
    };
    Ok((0..specification.len()).map(row).collect())
}

/// Intervals of each step.
pub(super) fn intervals<'a>(
    network: &'a Network,
    set: &'a InputSet,
    options: &Options,
) -> Result<Analysis<'a>> {
    Ok(Pass::run(network, set, options)?.analysis)
}

impl<'a> Pass<'a> {
    fn run(network: &'a Network, set: &'a InputSet, options: &Options) -> Result<Self> {
        network.check_features(set.features())?;
        let features = network.features();
        let sides = set.intervals();
        let reach: Vec<f64> = (0..features).map(|at| sides.magnitude(at)).collect();
        let analysis = start(network, set);
        let gamma = gamma(network.terms() + features);
        let mut pass = Self { analysis, lines: Vec::new(), reach, gamma };
        let last = network.last_uses();
        // Both lines of each value.
        let cost = |size: usize| 2 * features * size;
        let grant = |held: usize, size: usize| {
            let (needed, granted) = (held.saturating_add(cost(size)), options.memory);
            if needed > granted { Err(Error::Memory { needed, granted }) } else { Ok(needed) }
        };
        let mut held = grant(0, features)?;
        pass.lines.push((0..features).map(|at| pass.feature(at)).collect());
        for index in 1..network.steps.len() {
            pass.analysis.advance(index);
            held = grant(held, network.sizes[index])?;
            let lines: Vec<Lines> = (0..network.sizes[index])
                .map(|at| {
                    let lines = pass.value(index, at);
                    let bounds = (pass.lowest(&lines[0]), -pass.lowest(&lines[1].negative()));
                    pass.analysis.known[index].tighten(at, bounds.0, bounds.1);
                    let sound = bounds.0.is_finite() && bounds.1.is_finite();
                    if sound { lines } else { pass.flat(index, at) }
                })
                .collect();
            pass.lines.push(lines);
            for done in (0..=index).filter(|&done| last[done] == index) {
                held -= cost(pass.lines[done].len());
                pass.lines[done] = Vec::new();
            }
        }
        Ok(pass)
    }

    /// The lines of value `at` of step `index`.
    fn value(&self, index: usize, at: usize) -> Lines {
        let network = self.analysis.network;
        let Step::Affine { parts, bias } = &network.steps[index] else {
            let Planes { lower, upper } = &self.analysis.planes[index][at];
            return [self.plane(index, at, 0, lower), self.plane(index, at, 1, upper)];
        };
        let mut terms: Vec<Term<'_>> = Vec::new();
        let mut row = Vec::new();
        for (source, map) in parts {
            map.row(at, &mut row);
            let lines = &self.lines[*source];
            terms.extend(row.iter().map(|&(place, weight)| (&lines[place], weight)));
        }
        let bias = bias.get(at).copied().unwrap_or(0.0);
        [0, 1].map(|side| self.combined(side, terms.iter().copied(), bias))
    }

    fn plane(&self, index: usize, at: usize, side: usize, plane: &Plane) -> Line {
        let sources = self.analysis.network.sources(index);
        let first = (&self.lines[sources[0]][plane.index as usize], plane.first);
        let second = sources.get(1).map(|&source| (&self.lines[source][at], plane.second));
        self.combined(side, [first].into_iter().chain(second), plane.constant)
    }

    /// The line below (0) or above (1) `constant + Σ weight · value`.
    fn combined<'b>(
        &self,
        side: usize,
        terms: impl Iterator<Item = Term<'b>>,
        constant: f64,
    ) -> Line {
        let zeros = vec![0.0; self.reach.len()];
        let mut line = Line { coefficients: zeros, constant, error: TINY, size: 0.0 };
        let mut total = constant.abs();
        for (pair, weight) in terms.filter(|(_, weight)| *weight != 0.0) {
            let other = &pair[if weight > 0.0 { side } else { 1 - side }];
            line.constant += weight * other.constant;
            line.error += weight.abs() * other.error;
            total += weight.abs() * other.size;
            let own = line.coefficients.iter_mut().zip(&other.coefficients);
            own.for_each(|(own, other)| *own += weight * other);
        }
        line.error += self.gamma * (total + line.error) + TINY * self.reach.len() as f64;
        self.measured(line)
    }

    fn measured(&self, mut line: Line) -> Line {
        let sizes = line.coefficients.iter().zip(&self.reach);
        line.size = line.constant.abs() + sizes.map(|(a, reach)| a.abs() * reach).sum::<f64>();
        line
    }

    /// The least value of a line on the set.
    fn lowest(&self, line: &Line) -> f64 {
        self.analysis.set.minimum(&line.coefficients, line.constant, line.error)
    }

    fn feature(&self, at: usize) -> Lines {
        let mut coefficients = vec![0.0; self.reach.len()];
        coefficients[at] = 1.0;
        let line = self.measured(Line { coefficients, constant: 0.0, error: 0.0, size: 0.0 });
        [line.clone(), line]
    }

    /// The interval of a value as lines, where nothing better is known.
    fn flat(&self, index: usize, at: usize) -> Lines {
        let (low, high) = self.analysis.known[index].at(at);
        [low, high].map(|constant| {
            let coefficients = vec![0.0; self.reach.len()];
            self.measured(Line { coefficients, constant, error: 0.0, size: 0.0 })
        })
    }
}

impl Line {
    fn negative(&self) -> Self {
        let coefficients = self.coefficients.iter().map(|a| -a).collect();
        Self { coefficients, constant: -self.constant, ..*self }
    }
}
