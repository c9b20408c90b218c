//! Zonotopes: each value as a centre and a sum of shared unknowns of size 1.
//!
//! Singh et al., *Fast and Effective Robustness Certification*, `NeurIPS` 2018 (`DeepZ`): linear steps
//! are exact, what is not linear becomes a line of least height and an unknown of its own.
//!
//! A value is `centre + Σ gₖ εₖ + δ` with `|εₖ| ≤ 1` and `|δ| ≤ error`; the error takes up what
//! rounding costs: `γ (|b| + Σ |w| (|centre| + Σ |gₖ|))` at a linear step, and the errors of the
//! operands times `|w|`. Each interval is cut with the one that intervals alone give. An input set
//! that is no box is taken for the box around it.
use super::analysis::start;
use super::backward::Analysis;
use super::input::InputSet;
use super::network::{Map, Network, Step};
use super::relaxation::{Planes, parallel};
use super::rounding::{TINY, down, gamma, up};
use super::specification::Specification;
use super::{Error, Options, Result};

/// The values of a step.
#[derive(Clone, Debug)]
struct Form {
    centers: Vec<f64>,
    errors: Vec<f64>,
    /// `[values, width]`; unknowns past the width do not occur.
    generators: Vec<f64>,
    width: usize,
}

impl Form {
    /// Zeros; `granted` is the most generators there may be.
    fn new(size: usize, width: usize, granted: usize) -> Result<Self> {
        let needed = size.saturating_mul(width);
        if needed > granted {
            return Err(Error::Memory { needed, granted });
        }
        let (centers, errors) = (vec![0.0; size], vec![0.0; size]);
        Ok(Self { centers, errors, generators: vec![0.0; needed], width })
    }

    fn row(&self, at: usize) -> &[f64] {
        &self.generators[at * self.width..][..self.width]
    }

    fn row_mut(&mut self, at: usize) -> &mut [f64] {
        &mut self.generators[at * self.width..][..self.width]
    }

    /// `Σ |gₖ|` of value `at`.
    fn radius(&self, at: usize) -> f64 {
        self.row(at).iter().map(|generator| generator.abs()).sum()
    }

    /// Bounds of value `at`.
    fn interval(&self, at: usize, gamma: f64) -> (f64, f64) {
        let (center, radius) = (self.centers[at], self.radius(at));
        let error = self.errors[at] + gamma * (center.abs() + radius) + TINY;
        (down(center - radius, error), up(center + radius, error))
    }

    /// Value `at` is anything between `low` and `high`.
    fn forget(&mut self, at: usize, (low, high): (f64, f64)) {
        self.row_mut(at).fill(0.0);
        let center = low / 2.0 + high / 2.0;
        self.centers[at] = if center.is_finite() { center } else { 0.0 };
        self.errors[at] = (high - self.centers[at]).max(self.centers[at] - low).next_up();
    }

    /// Adds `weight` times value `from` of another form to value `at`.
    fn add(&mut self, at: usize, other: &Form, from: usize, weight: f64) {
        self.centers[at] += weight * other.centers[from];
        self.errors[at] += weight.abs() * other.errors[from];
        let own = self.row_mut(at).iter_mut().zip(other.row(from));
        own.for_each(|(own, generator)| *own += weight * generator);
    }
}

/// Intervals of each step, and the zonotope of the result.
struct Pass<'a> {
    analysis: Analysis<'a>,
    forms: Vec<Form>,
    /// Unknowns so far.
    unknowns: usize,
    gamma: f64,
    /// Generators that further steps may have.
    granted: usize,
}

/// Lower bounds of the rows of a specification.
pub(super) fn bound(
    network: &Network,
    set: &InputSet,
    specification: &Specification,
    options: &Options,
) -> Result<Vec<f64>> {
    let pass = Pass::run(network, set, options)?;
    let form = &pass.forms[network.output];
    let mut bounds = Vec::with_capacity(specification.len());
    for row in 0..specification.len() {
        let mut sum = Form::new(1, form.width, form.width)?;
        sum.centers[0] = specification.offset(row);
        let mut size = specification.offset(row).abs();
        for (at, &weight) in specification.row(row).iter().enumerate() {
            if weight != 0.0 {
                sum.add(0, form, at, weight);
                size += weight.abs() * (form.centers[at].abs() + form.radius(at));
            }
        }
        sum.errors[0] += pass.gamma * size;
        bounds.push(sum.interval(0, pass.gamma).0);
    }
    Ok(bounds)
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
        let sides = set.intervals();
        let wide = |at: &usize| sides.lower[*at] < sides.upper[*at];
        let unknowns = (0..sides.len()).filter(wide).count();
        let mut form = Form::new(sides.len(), unknowns, options.memory)?;
        let mut next = 0;
        for at in 0..sides.len() {
            form.forget(at, sides.at(at));
            if wide(&at) {
                let radius = form.errors[at];
                form.row_mut(at)[next] = radius;
                form.errors[at] = 0.0;
                next += 1;
            }
        }
        let (analysis, gamma) = (start(network, set), gamma(network.terms()));
        let granted = options.memory - form.generators.len();
        let mut pass = Self { analysis, forms: vec![form], unknowns, gamma, granted };
        let last = network.last_uses();
        for index in 1..network.steps.len() {
            pass.analysis.advance(index);
            let mut form = match &network.steps[index] {
                Step::Affine { parts, bias } => pass.affine(index, parts, bias)?,
                Step::Product { left, right } => pass.product(index, *left, *right)?,
                _ => pass.lines(index)?,
            };
            let known = &mut pass.analysis.known[index];
            for at in 0..known.len() {
                let (low, high) = form.interval(at, gamma);
                known.tighten(at, low, high);
                if !(low.is_finite() && high.is_finite()) {
                    form.forget(at, known.at(at));
                }
            }
            pass.granted -= form.generators.len();
            pass.forms.push(form);
            for done in (0..=index).filter(|&done| last[done] == index) {
                let form = &mut pass.forms[done];
                (form.width, form.generators, pass.granted) =
                    (0, Vec::new(), pass.granted + form.generators.len());
            }
        }
        Ok(pass)
    }

    fn affine(&self, index: usize, parts: &[(usize, Map)], bias: &[f64]) -> Result<Form> {
        let width = parts.iter().map(|(source, _)| self.forms[*source].width).max().unwrap_or(0);
        let size = self.analysis.network.sizes[index];
        let mut form = Form::new(size, width, self.granted)?;
        let mut sizes = vec![0.0; size];
        let mut terms = Vec::new();
        for (source, map) in parts {
            let x = &self.forms[*source];
            let reach: Vec<f64> =
                x.centers.iter().enumerate().map(|(at, c)| c.abs() + x.radius(at)).collect();
            for (at, size) in sizes.iter_mut().enumerate() {
                map.row(at, &mut terms);
                for &(place, weight) in &terms {
                    form.add(at, x, place, weight);
                    *size += weight.abs() * reach[place];
                }
            }
        }
        for (at, size) in sizes.into_iter().enumerate() {
            let bias = bias.get(at).copied().unwrap_or(0.0);
            form.centers[at] += bias;
            form.errors[at] += self.gamma * (size + bias.abs() + form.errors[at]) + TINY;
        }
        Ok(form)
    }

    /// `x y = x₀ y₀ + x₀ (y − y₀) + y₀ (x − x₀) + (x − x₀)(y − y₀)`.
    fn product(&mut self, index: usize, left: usize, right: usize) -> Result<Form> {
        let size = self.analysis.network.sizes[index];
        let first = self.unknowns;
        self.unknowns += size;
        let mut form = Form::new(size, self.unknowns, self.granted)?;
        let (x, y) = (&self.forms[left], &self.forms[right]);
        for at in 0..size {
            let (a, b) = (x.centers[at], y.centers[at]);
            let reach = (x.radius(at) + x.errors[at], y.radius(at) + y.errors[at]);
            form.add(at, y, at, a);
            form.add(at, x, at, b);
            form.centers[at] = a * b;
            form.row_mut(at)[first + at] = reach.0 * reach.1;
            let sizes = a.abs() * (b.abs() + reach.1) + b.abs() * reach.0 + reach.0 * reach.1;
            form.errors[at] += 3.0 * self.gamma * sizes + TINY;
        }
        Ok(form)
    }

    /// Curves and largest values: a line and an unknown.
    fn lines(&mut self, index: usize) -> Result<Form> {
        let network = self.analysis.network;
        let source = network.sources(index)[0];
        let planes = &self.analysis.planes[index];
        let x = &self.analysis.known[source];
        let known = &self.analysis.known[index];
        let line = |(at, planes): (usize, &Planes)| {
            parallel(network, index, at, planes, x).unwrap_or((0, 0.0, known.at(at)))
        };
        let lines: Vec<(usize, f64, (f64, f64))> = planes.iter().enumerate().map(line).collect();
        let open = lines.iter().filter(|(_, _, (low, high))| low < high).count();
        let mut next = self.unknowns;
        self.unknowns += open;
        let mut form = Form::new(lines.len(), self.unknowns, self.granted)?;
        let x = &self.forms[source];
        for (at, (place, slope, (low, high))) in lines.into_iter().enumerate() {
            if slope != 0.0 {
                form.add(at, x, place, slope);
            }
            let (middle, radius) = (low / 2.0 + high / 2.0, (high / 2.0 - low / 2.0).next_up());
            form.centers[at] += middle;
            if low < high {
                form.row_mut(at)[next] = radius;
                next += 1;
            }
            let reach = if slope == 0.0 {
                0.0
            } else {
                slope.abs() * (x.centers[place].abs() + x.radius(place) + x.errors[place])
            };
            form.errors[at] += self.gamma * (reach + low.abs() + high.abs()) + TINY;
        }
        Ok(form)
    }
}
