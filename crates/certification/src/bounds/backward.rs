//! Linear bounds taken back through the network, many rows at a time.
//!
//! A row says: for all inputs of the set, `target ≥ Σ Aₜ · vₜ + constant − error`, where `vₜ` are
//! the true values of some steps, in real arithmetic. Going back through a step replaces its values
//! by those of its operands: exactly where the step is linear, by the lower plane where the
//! coefficient is positive and the upper one where it is negative otherwise.
//!
//! Rounding. The new coefficients of operand i are sums `Σₒ aₒ wₒᵢ`, off by at most
//! `γ Σₒ |aₒ||wₒᵢ|`. The operand's value is at most `Mᵢ` in magnitude, as its interval says, so that
//! the row is off by at most `Σᵢ γ Σₒ |aₒ||wₒᵢ| Mᵢ = γ Σₒ |aₒ| Σᵢ |wₒᵢ| Mᵢ`: one product a result
//! with numbers that the intervals gave already. `error` adds these up. It makes no assumption on
//! the order of sums, and no coefficient is ever widened.
//!
//! A kink that is fixed on one side (see `alpha_crown::splits`) adds `−s β` to a coefficient: one more
//! term of the sum above, so one more product `γ β M` of the error, and nothing else, since `β ≥ 0` is
//! exact as it stands. The interval of the kink's operand is that of the whole set, which holds on
//! each part of it.
//!
//! Memory: rows come in chunks; a chunk of S rows holds S numbers for each value of a step that is
//! needed still. Coefficients of a chunk that are all zero cost nothing, which is what makes
//! neighbouring neurons of a convolution cheap.
use super::alpha_crown::{Bend, Slopes};
use super::input::InputSet;
use super::interval::Intervals;
use super::network::{Map, Network, Step};
use super::relaxation::Planes;
use super::rounding::{down, gamma};

/// What is known of each step while bounds are computed.
#[derive(Clone, Debug)]
pub(super) struct Analysis<'a> {
    pub(super) network: &'a Network,
    pub(super) set: &'a InputSet,
    /// Intervals of the values of each step so far.
    pub(super) known: Vec<Intervals>,
    /// Planes of the results of each step; none where it is linear.
    pub(super) planes: Vec<Vec<Planes>>,
    /// See [`super::affine::Forward::weights`].
    pub(super) weights: Vec<Vec<f64>>,
    /// See [`super::affine::Forward::underflow`].
    pub(super) underflow: Vec<f64>,
}

/// Rows to bound from below.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// The step whose values they multiply.
    pub(super) target: usize,
    /// How many.
    pub(super) count: usize,
    /// `[values of the target, count]`.
    pub(super) coefficients: Vec<f64>,
    /// One a row.
    pub(super) constants: Vec<f64>,
}

/// How far back to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// To the input.
    Input,
    /// To the first steps that are not linear, whose intervals are taken.
    Curve,
}

/// The coefficients that met each step.
pub(super) type Trace = Vec<Option<Vec<f64>>>;

/// Lower bounds of the rows.
pub(super) fn lower_bounds(analysis: &Analysis<'_>, rows: Rows, until: Until) -> Vec<f64> {
    trace_back(analysis, rows, until, None, &mut |_, _| ())
}

/// Lower bounds of the rows, with slopes of one's own; `keep` is given the coefficients that met
/// each step that is not linear, and the input.
pub(super) fn trace_back(
    analysis: &Analysis<'_>,
    rows: Rows,
    until: Until,
    slopes: Option<&Slopes>,
    keep: &mut dyn FnMut(usize, Vec<f64>),
) -> Vec<f64> {
    let Analysis { network, set, .. } = analysis;
    let Rows { target, count, coefficients, constants } = rows;
    let mut pass =
        Pass { count, constants, errors: vec![0.0; count], buffers: vec![None; target + 1] };
    pass.buffers[target] = Some(coefficients);
    let gamma = gamma(network.terms());
    for index in (1..=target).rev() {
        let Some(own) = pass.buffers[index].take() else { continue };
        if network.is_affine(index) {
            pass.through_affine(analysis, index, &own);
        } else if until == Until::Curve {
            pass.at_intervals(&own, &analysis.known[index], gamma);
        } else {
            pass.through_planes(analysis, index, &own, slopes);
            keep(index, own);
        }
    }
    let Pass { constants, errors, mut buffers, .. } = pass;
    let sums = constants.iter().zip(&errors);
    let Some(input) = buffers[0].take() else {
        return sums.map(|(&sum, &error)| down(sum, error + gamma * sum.abs())).collect();
    };
    let mut row = vec![0.0; network.features()];
    let bounds = sums.enumerate().map(|(at, (&sum, &error))| {
        row.iter_mut().zip(input.iter().skip(at).step_by(count)).for_each(|(to, from)| *to = *from);
        set.minimum(&row, sum, error + gamma * sum.abs())
    });
    let bounds = bounds.collect();
    keep(0, input);
    bounds
}

/// The rows on their way.
struct Pass {
    count: usize,
    constants: Vec<f64>,
    errors: Vec<f64>,
    /// `[values, count]` for each step that a row multiplies.
    buffers: Vec<Option<Vec<f64>>>,
}

impl Pass {
    fn through_affine(&mut self, analysis: &Analysis<'_>, index: usize, own: &[f64]) {
        let Step::Affine { parts, bias } = &analysis.network.steps[index] else { return };
        let count = self.count;
        self.account(own, &analysis.weights[index], analysis.underflow[index]);
        for (result, bias) in own.chunks_exact(count).zip(bias) {
            if *bias != 0.0 {
                add_scaled(&mut self.constants, result, *bias);
            }
        }
        let mut terms = Vec::new();
        for (source, map) in parts {
            let size = analysis.network.sizes[*source];
            let buffer = self.buffers[*source].get_or_insert_with(|| vec![0.0; size * count]);
            if let Map::Product(product) = map
                && product.scatter(own, buffer, count)
            {
                continue;
            }
            for (at, result) in own.chunks_exact(count).enumerate() {
                if result.iter().all(|&coefficient| coefficient == 0.0) {
                    continue;
                }
                map.row(at, &mut terms);
                for &(place, weight) in &terms {
                    add_scaled(&mut buffer[place * count..][..count], result, weight);
                }
            }
        }
    }

    fn through_planes(
        &mut self,
        analysis: &Analysis<'_>,
        index: usize,
        own: &[f64],
        slopes: Option<&Slopes>,
    ) {
        let (network, count) = (analysis.network, self.count);
        self.account(own, &analysis.weights[index], analysis.underflow[index]);
        let sources = network.sources(index);
        let mut buffers: Vec<Vec<f64>> = Vec::with_capacity(sources.len());
        for &source in &sources {
            let size = network.sizes[source];
            buffers.push(self.buffers[source].take().unwrap_or_else(|| vec![0.0; size * count]));
        }
        let gamma = gamma(network.terms());
        for (at, (result, planes)) in
            own.chunks_exact(count).zip(&analysis.planes[index]).enumerate()
        {
            let bend = slopes.map_or(Bend::Fixed, |slopes| slopes.at(index, at));
            // The multiplier of a kink that is fixed counts for a row that does not need its value.
            let split = matches!(bend, Bend::Split { .. });
            if !split && result.iter().all(|&coefficient| coefficient == 0.0) {
                continue;
            }
            let Planes { lower, upper } = planes;
            let place = |index: u32| index as usize * count;
            let first = &mut buffers[0];
            match bend {
                // A kink has no constant below, and its slopes are within what `account` knows.
                Bend::Kink { slopes, .. } => {
                    add_split(&mut self.constants, result, (0.0, upper.constant));
                    let to = &mut first[place(lower.index)..][..count];
                    for ((to, &a), &slope) in to.iter_mut().zip(result).zip(slopes) {
                        *to += if a > 0.0 { a * slope } else { a * upper.first };
                    }
                }
                Bend::Split { slopes, split, .. } => {
                    let to = &mut first[place(lower.index)..][..count];
                    let most = gamma * analysis.known[sources[0]].magnitude(at);
                    for row in 0..count {
                        let (a, (slope, constant)) = (result[row], split.above[row]);
                        let multiplier = split.multipliers[row];
                        if a > 0.0 {
                            to[row] += a * slopes[row];
                        } else if a != 0.0 {
                            to[row] += a * slope;
                            self.constants[row] += a * constant;
                        }
                        if multiplier != 0.0 {
                            to[row] -= split.signs[row] * multiplier;
                            self.errors[row] += multiplier * most + f64::MIN_POSITIVE;
                        }
                    }
                }
                Bend::Curve { lines, .. } => {
                    let to = &mut first[place(lower.index)..][..count];
                    let most = analysis.known[sources[0]].magnitude(at);
                    for (row, lines) in
                        lines.iter().enumerate().filter(|(row, _)| result[*row] != 0.0)
                    {
                        let (a, line) = (result[row], lines[usize::from(result[row] <= 0.0)]);
                        to[row] += a * line.slope;
                        self.constants[row] += a * line.constant;
                        let size = line.slope.abs() * most + line.constant.abs();
                        self.errors[row] += a.abs() * (gamma * size + f64::MIN_POSITIVE);
                    }
                }
                Bend::Fixed => {
                    add_split(&mut self.constants, result, (lower.constant, upper.constant));
                    if lower.index == upper.index {
                        let to = &mut first[place(lower.index)..][..count];
                        add_split(to, result, (lower.first, upper.first));
                    } else {
                        let to = &mut first[place(lower.index)..][..count];
                        add_split(to, result, (lower.first, 0.0));
                        let to = &mut first[place(upper.index)..][..count];
                        add_split(to, result, (0.0, upper.first));
                    }
                }
            }
            if let Some(second) = buffers.get_mut(1) {
                let to = &mut second[at * count..][..count];
                add_split(to, result, (lower.second, upper.second));
            }
        }
        for (source, buffer) in sources.into_iter().zip(buffers) {
            self.buffers[source] = Some(buffer);
        }
    }

    /// Ends at a step: its intervals take the place of its values.
    fn at_intervals(&mut self, own: &[f64], known: &Intervals, gamma: f64) {
        for (at, result) in own.chunks_exact(self.count).enumerate() {
            let (low, high) = known.at(at);
            let size = gamma * known.magnitude(at) + f64::MIN_POSITIVE;
            for (row, &a) in result.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                self.constants[row] += a * if a > 0.0 { low } else { high };
                self.errors[row] += a.abs() * size;
            }
        }
    }

    /// What going back through a step can cost.
    fn account(&mut self, own: &[f64], weights: &[f64], underflow: f64) {
        for (result, weight) in own.chunks_exact(self.count).zip(weights) {
            for (error, a) in self.errors.iter_mut().zip(result) {
                if *a != 0.0 {
                    *error += a.abs() * weight;
                }
            }
        }
        self.errors.iter_mut().for_each(|error| *error += underflow + f64::MIN_POSITIVE);
    }
}

/// `to += Σ weight · from[place]`, where `from` is `[values, rows]`: four terms at a time.
pub(super) fn gather(to: &mut [f64], from: &[f64], terms: &[(usize, f64)]) {
    let rows = to.len();
    let line = |place: usize| &from[place * rows..][..rows];
    let (fours, rest) = terms.as_chunks::<4>();
    for &[(a, u), (b, v), (c, w), (d, x)] in fours {
        let lines = line(a).iter().zip(line(b)).zip(line(c).iter().zip(line(d)));
        for (to, ((a, b), (c, d))) in to.iter_mut().zip(lines) {
            *to += u * a + v * b + (w * c + x * d);
        }
    }
    for &(place, weight) in rest {
        add_scaled(to, line(place), weight);
    }
}

/// `to += weight · from`.
pub(super) fn add_scaled(to: &mut [f64], from: &[f64], weight: f64) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += weight * from;
    }
}

/// `to += positive · max(from, 0) + negative · min(from, 0)`.
fn add_split(to: &mut [f64], from: &[f64], (positive, negative): (f64, f64)) {
    for (to, &from) in to.iter_mut().zip(from) {
        if from != 0.0 {
            *to += from * if from > 0.0 { positive } else { negative };
        }
    }
}
