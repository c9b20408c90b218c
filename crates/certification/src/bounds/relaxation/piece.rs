//! Functions as pieces that bend one way, each with values and slopes of known error.
//!
//! On a piece that is convex, `f(x) − a x` is largest at an end, and a tangent is below it; on a
//! concave one the other way round. So for any slope the constants of a line below and a line above
//! follow from a few values of `f` and one of its derivative, whatever point the tangent touches.
//!
//! What is assumed of the host's mathematical functions is a relative error below `1e-13`, far
//! above what they make. An inflection known to 16 digits is exact enough: between the true and the
//! rounded one, a tangent is wrong by the second power of their distance.
use duress_graph::{Unary, unary};

use crate::bounds::network::Function;

/// Relative error granted to values and slopes.
const RELATIVE: f64 = 1e-13;

/// Where `x tanh(x / 2) = 2`: the second derivative of the `SiLU`,
/// `σ'(x) (2 − x tanh(x / 2))`, changes its sign.
const SILU_INFLECTION: f64 = 2.399_357_280_515_467_7;

/// How a piece bends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bend {
    Convex,
    Concave,
}

/// The formula of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Line {
        slope: f64,
        offset: f64,
    },
    Square,
    /// `scale · (exp(x) − 1)`.
    Growth {
        scale: f64,
    },
    /// `x² / 6 + x / 2`.
    Swish,
    Smooth(Unary),
}

/// A part of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) bend: Bend,
    pub(super) form: Form,
}

impl Form {
    /// The value at x, and how far the true one may be away.
    pub(super) fn value(self, x: f64) -> (f64, f64) {
        let value = match self {
            Form::Line { slope, offset } => {
                let value = slope * x + offset;
                let exact = slope == 0.0 || (offset == 0.0 && slope.abs() == 1.0);
                let size = (slope * x).abs() + offset.abs();
                return (value, if exact { 0.0 } else { RELATIVE * size + f64::MIN_POSITIVE });
            }
            Form::Square => x * x,
            Form::Growth { scale } => scale * x.exp_m1(),
            Form::Swish => {
                return (x * (x / 6.0 + 0.5), RELATIVE * (x * x + x.abs()) + f64::MIN_POSITIVE);
            }
            Form::Smooth(function) => unary(function, x),
        };
        let mut error = RELATIVE * value.abs() + f64::MIN_POSITIVE;
        if self == Form::Smooth(Unary::Gelu) {
            // Below 0 the factor is a difference of numbers near 1, then the exponential of a
            // rounded square.
            error += 1e-14 * x.abs().min(4.0) + 10.0 * RELATIVE * value.abs();
        }
        if matches!(self, Form::Smooth(Unary::Sin | Unary::Cos)) {
            error += 1e-15;
        }
        (value, error)
    }

    /// The slope at x, and how far the true one may be away.
    pub(super) fn slope(self, x: f64) -> (f64, f64) {
        let sigmoid = |x| unary(Unary::Sigmoid, x);
        let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let mut size = 0.0;
        let slope = match self {
            Form::Line { slope, .. } => return (slope, 0.0),
            Form::Square => 2.0 * x,
            Form::Growth { scale } => scale * x.exp(),
            Form::Swish => {
                size = x.abs() + 1.0;
                x / 3.0 + 0.5
            }
            Form::Smooth(function) => match function {
                Unary::Sigmoid => sigmoid(x) * sigmoid(-x),
                Unary::Tanh => x.cosh().powi(-2),
                Unary::Erf => std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp(),
                Unary::Softsign => (1.0 + x.abs()).powi(-2),
                Unary::Softplus => sigmoid(x),
                Unary::Exp => x.exp(),
                Unary::Log => x.recip(),
                Unary::Sqrt => 0.5 / x.sqrt(),
                Unary::Reciprocal => -(x * x).recip(),
                Unary::Gelu => {
                    let (left, right) = (unary(Unary::Gelu, x) / x, x * density(x));
                    let left = if x == 0.0 { 0.5 } else { left };
                    size = 10.0 * (left.abs() + right.abs()) + 1.0;
                    left + right
                }
                Unary::Silu => {
                    let (left, right) = (sigmoid(x), x * sigmoid(x) * sigmoid(-x));
                    size = left.abs() + right.abs();
                    left + right
                }
                Unary::Sin => x.cos(),
                Unary::Cos => -x.sin(),
                _ => f64::NAN,
            },
        };
        // The exponential of a rounded square loses more the larger it is.
        let spread = if let Form::Smooth(Unary::Erf | Unary::Gelu) = self { 10.0 } else { 1.0 };
        (slope, RELATIVE * spread * (slope.abs() + size) + f64::MIN_POSITIVE + 1e-15 * size)
    }
}

/// All values that a function can have.
pub(super) fn range(function: &Function) -> (f64, f64) {
    match function {
        Function::Clip { low, high } => (*low, *high),
        Function::Square => (0.0, f64::INFINITY),
        Function::Smooth(function) => match function {
            Unary::Sigmoid => (0.0, 1.0),
            Unary::Tanh | Unary::Erf | Unary::Softsign | Unary::Sin | Unary::Cos => (-1.0, 1.0),
            Unary::Exp | Unary::Sqrt | Unary::Softplus => (0.0, f64::INFINITY),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        },
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// The pieces of a function on `[low, high]`, both finite, in order; none where it is not defined
/// on all of that, or bends too often.
pub(super) fn pieces(function: &Function, low: f64, high: f64) -> Vec<Piece> {
    use Bend::{Concave, Convex};
    let line = |slope: f64, offset: f64| (Convex, Form::Line { slope, offset });
    let parts: (Vec<f64>, Vec<(Bend, Form)>) = match *function {
        Function::Clip { low: least, high: most } => {
            let flat = |value: f64| line(0.0, if value.is_finite() { value } else { 0.0 });
            (vec![least, most], vec![flat(least), line(1.0, 0.0), flat(most)])
        }
        Function::Square => (vec![], vec![(Convex, Form::Square)]),
        Function::Smooth(function) => {
            let form = Form::Smooth(function);
            match function {
                Unary::Sigmoid | Unary::Tanh | Unary::Erf | Unary::Softsign => {
                    (vec![0.0], vec![(Convex, form), (Concave, form)])
                }
                Unary::Exp | Unary::Softplus => (vec![], vec![(Convex, form)]),
                Unary::Log if low > 0.0 => (vec![], vec![(Concave, form)]),
                Unary::Sqrt if low >= 0.0 => (vec![], vec![(Concave, form)]),
                Unary::Reciprocal if low > 0.0 => (vec![], vec![(Convex, form)]),
                Unary::Reciprocal if high < 0.0 => (vec![], vec![(Concave, form)]),
                Unary::Gelu | Unary::Silu => {
                    let gelu = function == Unary::Gelu;
                    let turn = if gelu { std::f64::consts::SQRT_2 } else { SILU_INFLECTION };
                    (vec![-turn, turn], vec![(Concave, form), (Convex, form), (Concave, form)])
                }
                Unary::Elu { alpha: scale } => {
                    (vec![0.0], vec![(Convex, Form::Growth { scale }), line(1.0, 0.0)])
                }
                Unary::Selu { alpha, gamma } => {
                    let scale = alpha * gamma;
                    (vec![0.0], vec![(Convex, Form::Growth { scale }), line(gamma, 0.0)])
                }
                Unary::HardSwish => {
                    let parts = vec![line(0.0, 0.0), (Convex, Form::Swish), line(1.0, 0.0)];
                    (vec![-3.0, 3.0], parts)
                }
                Unary::Sin => return waves(form, low, high, 0.0),
                Unary::Cos => return waves(form, low, high, 0.5),
                _ => return Vec::new(),
            }
        }
        Function::Kink { .. } | Function::Stairs(_) => return Vec::new(),
    };
    let (turns, parts) = parts;
    let start = |part: usize| if part == 0 { low } else { turns[part - 1].max(low) };
    let end = |part: usize| turns.get(part).map_or(high, |turn| turn.min(high));
    parts
        .into_iter()
        .enumerate()
        .map(|(part, (bend, form))| Piece { from: start(part), to: end(part), bend, form })
        .filter(|piece| piece.from < piece.to || (low == high && piece.from == piece.to))
        .collect()
}

/// Half waves of a sine, whose zeros are `(k + shift) π`; none if there are more than four.
fn waves(form: Form, low: f64, high: f64, shift: f64) -> Vec<Piece> {
    let pi = std::f64::consts::PI;
    let number = |x: f64| (x / pi - shift).floor();
    let (first, last) = (number(low), number(high));
    if last - first > 4.0 || first.abs().max(last.abs()) > 1e5 {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    for step in 0..=(last - first) as usize {
        let wave = first + step as f64;
        let (from, to) = (((wave + shift) * pi).max(low), ((wave + shift + 1.0) * pi).min(high));
        // The sine is positive, and so concave, after even zeros; the cosine is so after odd ones.
        let even = (wave / 2.0).fract() == 0.0;
        let bend = if even == (shift == 0.0) { Bend::Concave } else { Bend::Convex };
        if from < to || low == high {
            pieces.push(Piece { from: from.min(high), to: to.max(from.min(high)), bend, form });
        }
    }
    // Rounding must leave no gap at the ends.
    if let Some(piece) = pieces.first_mut() {
        piece.from = low;
    }
    if let Some(piece) = pieces.last_mut() {
        piece.to = high;
    }
    pieces
}
