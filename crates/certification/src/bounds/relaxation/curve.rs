//! Lines below and above a function that bends, on an interval.
//!
//! Candidates for a slope are the chord, the tangent in the middle and the tangents through the
//! ends; the constant of each is made sound ([`super::piece`]), and the line wins that is tightest
//! in the middle, which is the one with the smallest area. On a convex or concave interval this is
//! the choice of CROWN (Zhang et al. 2018, table 2).
use super::piece::{Bend, Form, Piece, pieces, range};
use super::{Plane, Planes};
use crate::bounds::network::Function;
use crate::bounds::rounding::{down, gamma, up};

/// Halvings in search of a point of contact: the result is sound at any point.
const HALVINGS: usize = 60;

/// Planes and bounds of result `at` for x in `[low, high]`.
pub(super) fn relax(
    at: usize,
    function: &Function,
    (low, high): (f64, f64),
) -> (Planes, (f64, f64)) {
    let (least, most) = range(function);
    let bounded = low.is_finite() && high.is_finite();
    let pieces = if bounded { pieces(function, low, high) } else { Vec::new() };
    if pieces.is_empty() {
        return (Planes::flat(at, least, most), (least, most));
    }
    // Lines of slope 0 are the bounds of the values.
    let floor = below(&pieces, 0.0).0.max(least);
    let ceiling = above(&pieces, 0.0).0.min(most);
    let plane = |first, constant| Plane { index: at as u32, first, second: 0.0, constant };
    if let [Piece { form: Form::Line { slope, offset }, .. }] = pieces[..] {
        return (
            Planes { lower: plane(slope, offset), upper: plane(slope, offset) },
            (floor, ceiling),
        );
    }
    let middle = low + (high - low) / 2.0;
    let mut lower = plane(0.0, floor);
    let mut upper = plane(0.0, ceiling);
    for slope in slopes(&pieces, low, high).into_iter().filter(|slope| slope.is_finite()) {
        let constant = below(&pieces, slope).0;
        if slope * middle + constant > lower.first * middle + lower.constant {
            lower = plane(slope, constant);
        }
        let constant = above(&pieces, slope).0;
        if slope * middle + constant < upper.first * middle + upper.constant {
            upper = plane(slope, constant);
        }
    }
    (Planes { lower, upper }, (floor, ceiling))
}

/// Slopes worth a try.
fn slopes(pieces: &[Piece], low: f64, high: f64) -> Vec<f64> {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Vec::new() };
    let ends = [(low, first.form.value(low).0), (high, last.form.value(high).0)];
    let mut slopes = vec![(ends[1].1 - ends[0].1) / (high - low)];
    let middle = low + (high - low) / 2.0;
    for piece in pieces {
        if piece.from <= middle && middle <= piece.to {
            slopes.push(piece.form.slope(middle).0);
        }
        for (x, value) in ends {
            slopes.extend(tangent_through(piece, x, value));
        }
        // Where two pieces meet in a corner, the lines from the ends to it.
        for (x, value) in ends {
            if piece.from > low && (piece.from - x).abs() > 0.0 {
                slopes.push((piece.form.value(piece.from).0 - value) / (piece.from - x));
            }
        }
    }
    slopes
}

/// The slope of the line through `(x, value)` that touches a piece which x is not inside of.
fn tangent_through(piece: &Piece, x: f64, value: f64) -> Option<f64> {
    let Piece { from, to, form, .. } = *piece;
    if (from < x && x < to) || matches!(form, Form::Line { .. }) {
        return None;
    }
    let miss = |d: f64| form.value(d).0 + form.slope(d).0 * (x - d) - value;
    let point = root(from, to, miss)?;
    Some(form.slope(point).0)
}

/// A point near which `f` changes its sign, if its signs at the ends differ.
fn root(from: f64, to: f64, f: impl Fn(f64) -> f64) -> Option<f64> {
    let (mut left, mut right) = (from, to);
    let sign = f(left) > 0.0;
    if sign == (f(right) > 0.0) {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = left + (right - left) / 2.0;
        if (f(middle) > 0.0) == sign {
            left = middle;
        } else {
            right = middle;
        }
    }
    Some(left)
}

/// A curve on an interval, to be bounded by lines of any slope.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Curve {
    pieces: Vec<Piece>,
    /// The least and the largest slope of the curve: no other is of use.
    pub(in crate::bounds) limits: (f64, f64),
}

/// `slope · x + constant`, which meets the curve near `contact`.
#[derive(Clone, Copy, Debug)]
pub(in crate::bounds) struct Line {
    pub(in crate::bounds) slope: f64,
    pub(in crate::bounds) constant: f64,
    pub(in crate::bounds) contact: f64,
}

impl Curve {
    /// The function on `[low, high]`; `None` where no slope is to be chosen.
    pub(in crate::bounds) fn new(function: &Function, (low, high): (f64, f64)) -> Option<Self> {
        if !(low.is_finite() && high.is_finite() && low < high) {
            return None;
        }
        let pieces = pieces(function, low, high);
        let ends = pieces.iter().flat_map(|it| [it.form.slope(it.from).0, it.form.slope(it.to).0]);
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        // The slope is monotone on each piece.
        let limits = ends.fold(start, |(low, high), it| (low.min(it), high.max(it)));
        let bent = limits.0 < limits.1 && limits.0.is_finite() && limits.1.is_finite();
        bent.then_some(Self { pieces, limits })
    }

    /// The slope of the lowest strip found that holds the curve, and the constants of its sides.
    pub(in crate::bounds) fn parallel(&self) -> (f64, (f64, f64)) {
        let (low, high) = match (self.pieces.first(), self.pieces.last()) {
            (Some(first), Some(last)) => (first.from, last.to),
            _ => (0.0, 0.0),
        };
        let strip = |slope: f64| (slope, (self.below(slope).constant, self.above(slope).constant));
        let height = |(_, (low, high)): &(f64, (f64, f64))| high - low;
        let others = slopes(&self.pieces, low, high).into_iter().filter(|slope| slope.is_finite());
        others
            .chain([self.limits.0, self.limits.1])
            .map(strip)
            .filter(|strip| height(strip).is_finite())
            .fold(strip(0.0), |best, it| if height(&it) < height(&best) { it } else { best })
    }

    /// The line of this slope below the curve.
    pub(in crate::bounds) fn below(&self, slope: f64) -> Line {
        let (constant, contact) = below(&self.pieces, slope);
        Line { slope, constant, contact }
    }

    /// The line of this slope above the curve.
    pub(in crate::bounds) fn above(&self, slope: f64) -> Line {
        let (constant, contact) = above(&self.pieces, slope);
        Line { slope, constant, contact }
    }
}

/// The largest c found with `slope · x + c ≤ f(x)` on all pieces, and where they meet.
fn below(pieces: &[Piece], slope: f64) -> (f64, f64) {
    let mut least = (f64::INFINITY, 0.0);
    for piece in pieces {
        let candidates = match piece.bend {
            Bend::Concave => [piece.from, piece.to].map(|end| {
                let (value, error) = rest(piece, slope, end);
                (down(value, error), end)
            }),
            Bend::Convex => {
                let (value, error, tilt, point) = contact(piece, slope);
                [(down(value + tilt[0].min(tilt[1]), error), point); 2]
            }
        };
        for candidate in candidates {
            if candidate.0 < least.0 {
                least = candidate;
            }
        }
    }
    least
}

/// The least c found with `f(x) ≤ slope · x + c` on all pieces, and where they meet.
fn above(pieces: &[Piece], slope: f64) -> (f64, f64) {
    let mut largest = (f64::NEG_INFINITY, 0.0);
    for piece in pieces {
        let candidates = match piece.bend {
            Bend::Convex => [piece.from, piece.to].map(|end| {
                let (value, error) = rest(piece, slope, end);
                (up(value, error), end)
            }),
            Bend::Concave => {
                let (value, error, tilt, point) = contact(piece, slope);
                [(up(value + tilt[0].max(tilt[1]), error), point); 2]
            }
        };
        for candidate in candidates {
            if candidate.0 > largest.0 {
                largest = candidate;
            }
        }
    }
    largest
}

/// `f(x) − slope · x`, and how far the true value may be away.
fn rest(piece: &Piece, slope: f64, x: f64) -> (f64, f64) {
    let (value, error) = piece.form.value(x);
    let size = value.abs() + (slope * x).abs();
    (
        value - slope * x,
        error + gamma(4) * size + if slope == 0.0 { 0.0 } else { f64::MIN_POSITIVE },
    )
}

/// The tangent of a piece where its slope is nearest to `slope`: `f(d) − slope · d`, its error, and
/// what the tangent's own slope adds at each end, and d.
fn contact(piece: &Piece, slope: f64) -> (f64, f64, [f64; 2], f64) {
    let Piece { from, to, form, bend } = *piece;
    let excess = |x: f64| form.slope(x).0 - slope;
    let rising = bend == Bend::Convex;
    let point = match (excess(from) >= 0.0, excess(to) <= 0.0) {
        // The slope grows along a convex piece and falls along a concave one.
        (true, _) if rising => from,
        (_, true) if rising => to,
        (false, _) if !rising => from,
        (_, false) if !rising => to,
        _ => root(from, to, excess).unwrap_or(to),
    };
    let (value, error) = rest(piece, slope, point);
    let (own, doubt) = form.slope(point);
    let width = (to - from).next_up();
    let size = own.abs() + slope.abs();
    let error = error + (doubt + gamma(8) * size) * width + f64::MIN_POSITIVE;
    let tilt = [from, to].map(|end| (own - slope) * (end - point));
    (value, error + gamma(8) * (tilt[0].abs() + tilt[1].abs()), tilt, point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_graph::{Unary, unary};

    fn functions() -> Vec<Function> {
        let smooth = [
            Unary::Sigmoid,
            Unary::Tanh,
            Unary::Erf,
            Unary::Softsign,
            Unary::Softplus,
            Unary::Exp,
            Unary::Gelu,
            Unary::Silu,
            Unary::HardSwish,
            Unary::Elu { alpha: 0.7 },
            Unary::Selu { alpha: 1.673, gamma: 1.05 },
            Unary::Sin,
            Unary::Cos,
        ];
        let clips = [(-0.5, 0.75), (f64::NEG_INFINITY, 1.0), (0.0, f64::INFINITY)];
        let clips = clips.map(|(low, high)| Function::Clip { low, high });
        smooth.map(Function::Smooth).into_iter().chain(clips).chain([Function::Square]).collect()
    }

    fn value(function: &Function, x: f64) -> f64 {
        match function {
            Function::Clip { low, high } => x.max(*low).min(*high),
            Function::Square => x * x,
            Function::Smooth(function) => unary(*function, x),
            _ => f64::NAN,
        }
    }

    fn check(function: &Function, low: f64, high: f64) {
        let (planes, (floor, ceiling)) = relax(0, function, (low, high));
        for step in 0..=200 {
            let x = (low + (high - low) * f64::from(step) / 200.0).clamp(low, high);
            let y = value(function, x);
            let slack = 1e-15 * (1.0 + y.abs() + planes.lower.first.abs() * x.abs());
            let lower = planes.lower.first * x + planes.lower.constant;
            let upper = planes.upper.first * x + planes.upper.constant;
            assert!(lower <= y + slack, "{function:?} on [{low}, {high}] at {x}: {lower} > {y}");
            assert!(upper >= y - slack, "{function:?} on [{low}, {high}] at {x}: {upper} < {y}");
            assert!(floor <= y && y <= ceiling, "{function:?}: {floor} {y} {ceiling}");
        }
    }

    #[test]
    fn lines_bound_each_function_on_each_interval() {
        for function in functions() {
            for from in -12..12_i32 {
                for width in [0.0, 1e-9, 0.01, 0.3, 1.0, 2.5, 7.0] {
                    let low = f64::from(from) * 0.61 + 0.07;
                    check(&function, low, low + width);
                }
            }
        }
        for function in [Unary::Log, Unary::Sqrt, Unary::Reciprocal] {
            for low in [1e-9, 0.3, 5.0] {
                check(&Function::Smooth(function), low, low + 1.0);
            }
        }
        check(&Function::Smooth(Unary::Reciprocal), -3.0, -0.1);
        check(&Function::Smooth(Unary::Sqrt), 0.0, 2.0);
    }

    /// A chord on one side and a tangent in the middle on the other.
    #[test]
    fn a_convex_function_has_the_lines_of_its_paper() {
        let (planes, (floor, ceiling)) = relax(0, &Function::Smooth(Unary::Exp), (0.0, 1.0));
        let e = std::f64::consts::E;
        assert!((planes.upper.first - (e - 1.0)).abs() < 1e-12);
        assert!((planes.upper.constant - 1.0).abs() < 1e-11);
        assert!((planes.lower.first - 0.5_f64.exp()).abs() < 1e-12);
        assert!((planes.lower.constant - 0.5 * 0.5_f64.exp()).abs() < 1e-11);
        assert!((floor - 1.0).abs() < 1e-11 && (ceiling - e).abs() < 1e-11);
    }

    #[test]
    fn where_a_function_is_not_defined_nothing_is_known() {
        for (function, low) in [(Unary::Log, 0.0), (Unary::Sqrt, -0.1), (Unary::Reciprocal, -1.0)] {
            let (planes, (floor, ceiling)) = relax(0, &Function::Smooth(function), (low, 1.0));
            assert_eq!((floor, ceiling).1, f64::INFINITY);
            assert_eq!(planes.upper.constant, f64::INFINITY, "{floor}");
        }
        let open = (f64::NEG_INFINITY, 3.0);
        assert_eq!(relax(0, &Function::Smooth(Unary::Tanh), open).1, (-1.0, 1.0));
    }
}
