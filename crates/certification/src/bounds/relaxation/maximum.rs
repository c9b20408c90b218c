//! The largest of some values.
//!
//! A value whose upper bound is below the lower bound of another never wins. If one is left, it is
//! the result; else the value with the largest lower bound is below the result, and the largest
//! upper bound above it.
use super::{Plane, Planes};
use crate::bounds::interval::Intervals;

/// Planes and bounds of the largest of the values `group`.
pub(super) fn relax(group: &[u32], x: &Intervals) -> (Planes, (f64, f64)) {
    let at = |index: u32| x.at(index as usize);
    let Some(&first) = group.first() else {
        return (
            Planes::flat(0, f64::NEG_INFINITY, f64::INFINITY),
            (f64::NEG_INFINITY, f64::INFINITY),
        );
    };
    let best =
        group.iter().copied().fold(first, |best, it| if at(it).0 > at(best).0 { it } else { best });
    let low = at(best).0;
    let high = group.iter().map(|&index| at(index).1).fold(f64::NEG_INFINITY, f64::max);
    if group.iter().all(|&index| index == best || at(index).1 <= low) {
        return (Planes::line(best as usize, 1.0), (low, high));
    }
    let lower = Plane { index: best, first: 1.0, ..Plane::default() };
    let upper = Plane { index: best, constant: high, ..Plane::default() };
    (Planes { lower, upper }, (low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_always_wins_is_the_result() {
        let x = Intervals { lower: vec![0.0, 2.0, -1.0], upper: vec![1.0, 3.0, 2.5] };
        assert_eq!(relax(&[0, 1], &x), (Planes::line(1, 1.0), (2.0, 3.0)));
        let (planes, bounds) = relax(&[0, 1, 2], &x);
        assert_eq!(bounds, (2.0, 3.0));
        assert_eq!((planes.lower.index, planes.lower.first), (1, 1.0));
        assert_eq!((planes.upper.first, planes.upper.constant), (0.0, 3.0));
    }
}
