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
//! needed still. Values that no row of a chunk can reach are not held at all (see [`block`]), which is
//! what makes neighbouring neurons of a convolution cheap.
mod block;
mod pass;
mod values;

use super::alpha_crown::Slopes;
use super::input::InputSet;
use super::interval::Intervals;
use super::network::Network;
use super::relaxation::Planes;
pub(super) use block::Block;
use pass::Pass;
pub(super) use values::value_bounds;

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

/// Rows that stand together cost least in multiples of this many.
const TOGETHER: usize = 8;

/// So few rows cost no more alone.
const FEW: usize = 4;

impl Rows {
    /// With rows of zeros behind them, so that vectors are full.
    fn filled(self) -> Self {
        let count = self.count.next_multiple_of(TOGETHER);
        if self.count <= FEW || count == self.count {
            return self;
        }
        let fill = |lines: &[f64]| {
            let mut filled = vec![0.0; lines.len() / self.count * count];
            for (to, from) in filled.chunks_exact_mut(count).zip(lines.chunks_exact(self.count)) {
                to[..self.count].copy_from_slice(from);
            }
            filled
        };
        let (coefficients, constants) = (fill(&self.coefficients), fill(&self.constants));
        Self { target: self.target, count, coefficients, constants }
    }
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

/// What is given the coefficients that met each step that is not linear, and the input.
type Keep<'a> = &'a mut dyn FnMut(usize, Vec<f64>);

/// Lower bounds of the rows.
pub(super) fn lower_bounds(analysis: &Analysis<'_>, rows: Rows, until: Until) -> Vec<f64> {
    let (target, wanted) = (rows.target, rows.count);
    let mut bounds = Pass::new(analysis, rows.filled()).back(target, until, None, None);
    bounds.truncate(wanted);
    bounds
}

/// Lower bounds of the rows, with slopes of one's own; `keep` is given the coefficients that met
/// each step that is not linear, and the input.
pub(super) fn trace_back(
    analysis: &Analysis<'_>,
    rows: Rows,
    until: Until,
    slopes: Option<&Slopes>,
    keep: Keep<'_>,
) -> Vec<f64> {
    let target = rows.target;
    Pass::new(analysis, rows).back(target, until, slopes, Some(keep))
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
