//! Two lines through the origin: `ReLU`, leaky and parametric `ReLU`, absolute value.
//!
//! Where the function is convex (`negative ≤ positive`), each line through the origin with a slope
//! between the two is below it, exactly: no constant is needed, and the slope can be optimised.
//! Above it is the chord. Zhang et al., *Efficient Neural Network Robustness Certification with
//! General Activation Functions*, `NeurIPS` 2018 (CROWN), §3.2. <https://arxiv.org/abs/1811.00866>
use super::{Plane, Planes};
use crate::bounds::rounding::{down, gamma, up};

/// Whether the lower slope of an interval may be any between the two of a convex kink.
pub(in crate::bounds) fn is_free([negative, positive]: [f64; 2], (low, high): (f64, f64)) -> bool {
    negative < positive && low < 0.0 && 0.0 < high && low.is_finite() && high.is_finite()
}

/// Planes and bounds of result `at` for x in `[low, high]`.
pub(in crate::bounds) fn relax(
    at: usize,
    [negative, positive]: [f64; 2],
    (low, high): (f64, f64),
) -> (Planes, (f64, f64)) {
    let (bottom, top) = bounds([negative, positive], (low, high));
    if low >= 0.0 || high <= 0.0 {
        let slope = if low >= 0.0 { positive } else { negative };
        return (Planes::line(at, slope), (bottom, top));
    }
    if !(low.is_finite() && high.is_finite()) {
        return (Planes::flat(at, bottom, top), (bottom, top));
    }
    if negative > positive {
        let (planes, (bottom, top)) = relax(at, [-negative, -positive], (low, high));
        let turned =
            |plane: Plane| Plane { first: -plane.first, constant: -plane.constant, ..plane };
        let planes = Planes { lower: turned(planes.upper), upper: turned(planes.lower) };
        return (planes, (-top, -bottom));
    }
    let chord = (positive * high - negative * low) / (high - low);
    let chord = if chord.is_finite() { chord.clamp(negative, positive) } else { positive };
    // A convex function minus a line is largest at an end.
    let above = |x: f64, slope: f64| {
        let size = (slope * x).abs() + (chord * x).abs();
        up(slope * x - chord * x, gamma(4) * size + f64::MIN_POSITIVE)
    };
    let constant = above(low, negative).max(above(high, positive));
    // The smaller triangle; the lesser slope where both are alike.
    let slope = if high > -low { positive } else { negative };
    let plane = |first, constant| Plane { index: at as u32, first, second: 0.0, constant };
    (Planes { lower: plane(slope, 0.0), upper: plane(chord, constant) }, (bottom, top))
}

/// Bounds of a result for x in `[low, high]`.
pub(in crate::bounds) fn bounds(
    [negative, positive]: [f64; 2],
    (low, high): (f64, f64),
) -> (f64, f64) {
    if negative == 0.0 && positive == 1.0 {
        // A rectifier rounds nothing. What is no number stays none.
        return (if low > 0.0 { low } else { 0.0 }, if high <= 0.0 { 0.0 } else { high });
    }
    // One product, rounded once; 0 times anything is 0.
    let value = |x: f64| {
        let slope = if x >= 0.0 { positive } else { negative };
        if slope == 0.0 { (0.0, 0.0) } else { (slope * x, rounded(slope, x)) }
    };
    if low >= 0.0 || high <= 0.0 {
        let slope = if low >= 0.0 { positive } else { negative };
        if slope == 0.0 {
            return (0.0, 0.0);
        }
    }
    let [(first, first_error), (last, last_error)] = [value(low), value(high)];
    let mut bottom = down(first, first_error).min(down(last, last_error));
    let mut top = up(first, first_error).max(up(last, last_error));
    if low >= 0.0 || high <= 0.0 {
        return (bottom, top);
    }
    // The function is 0 at 0.
    (bottom, top) = (bottom.min(0.0), top.max(0.0));
    if negative <= 0.0 && 0.0 <= positive {
        bottom = 0.0;
    }
    if negative >= 0.0 && 0.0 >= positive {
        top = 0.0;
    }
    (bottom, top)
}

/// What rounding `slope · x` can cost; nothing where the slope is ±1.
fn rounded(slope: f64, x: f64) -> f64 {
    if slope.abs() == 1.0 { 0.0 } else { gamma(1) * (slope * x).abs() + f64::MIN_POSITIVE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relu_lies_between_its_chord_and_the_better_of_its_two_lines() {
        let (planes, (low, high)) = relax(3, [0.0, 1.0], (-1.0, 3.0));
        assert_eq!((planes.lower.index, planes.lower.first, planes.lower.constant), (3, 1.0, 0.0));
        assert_eq!(planes.upper.first, 0.75);
        assert!((0.75..0.75 + 1e-13).contains(&planes.upper.constant));
        assert!(low == 0.0 && (3.0..3.0 + 1e-13).contains(&high));
        assert_eq!(relax(0, [0.0, 1.0], (-1.0, 1.0)).0.lower.first, 0.0);
        assert_eq!(relax(0, [0.0, 1.0], (-1.0, 0.0)).0, Planes::line(0, 0.0));
        assert_eq!(relax(0, [0.0, 1.0], (0.0, 1.0)).0, Planes::line(0, 1.0));
    }

    #[test]
    fn a_concave_kink_is_a_convex_one_turned_over() {
        // 2x below 0, x above.
        let (planes, (low, high)) = relax(0, [2.0, 1.0], (-1.0, 1.0));
        assert_eq!(planes.lower.first, 1.5);
        assert!(planes.lower.constant <= -0.5 && planes.lower.constant > -0.5 - 1e-14);
        assert_eq!(planes.upper.constant, 0.0);
        assert!(low <= -2.0 && 1.0 <= high);
    }

    #[test]
    fn the_narrowest_and_the_widest_intervals_are_sound() {
        let tiny = f64::MIN_POSITIVE;
        for (low, high) in
            [(-tiny, tiny), (-1e300, 1e-300), (-1e-300, 1e300), (-f64::MAX, f64::MAX)]
        {
            let (planes, _) = relax(0, [0.0, 1.0], (low, high));
            let upper = |x: f64| planes.upper.first * x + planes.upper.constant;
            assert!(upper(low) >= 0.0 && upper(high) >= high, "{low} {high}");
        }
        let (planes, bounds) = relax(0, [0.0, 1.0], (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!((bounds.0, planes.upper.constant), (0.0, f64::INFINITY));
    }
}
