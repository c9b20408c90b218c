//! The product of two values.
//!
//! G. P. `McCormick`, *Computability of Global Solutions to Factorable Nonconvex Programs*, Mathematical
//! Programming 10, 1976: `(x − lₓ)(y − l_y) ≥ 0` and its three kin.
use super::{Plane, Planes};
use crate::bounds::rounding::{down, gamma, up};

/// Planes and bounds of result `at`, for x and y in their intervals.
pub(super) fn relax(at: usize, (xl, xu): (f64, f64), (yl, yu): (f64, f64)) -> (Planes, (f64, f64)) {
    if ![xl, xu, yl, yu].iter().all(|bound| bound.is_finite()) {
        let unknown = (f64::NEG_INFINITY, f64::INFINITY);
        return (Planes::flat(at, unknown.0, unknown.1), unknown);
    }
    let error = |product: f64| gamma(1) * product.abs() + f64::MIN_POSITIVE;
    let corners = [xl * yl, xl * yu, xu * yl, xu * yu];
    let low = corners.map(|it| down(it, error(it))).into_iter().fold(f64::INFINITY, f64::min);
    let high = corners.map(|it| up(it, error(it))).into_iter().fold(f64::NEG_INFINITY, f64::max);
    let plane = |first, second, constant| Plane { index: at as u32, first, second, constant };
    // In the middle of the box both lower planes are equal, and so are both upper ones.
    let lower = plane(yl, xl, down(-(xl * yl), error(xl * yl)));
    let upper = plane(yu, xl, up(-(xl * yu), error(xl * yu)));
    (Planes { lower, upper }, (low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_touch_the_product_in_two_corners_and_bound_it_in_all() {
        for (x, y) in
            [((-1.0, 2.0), (0.5, 3.0)), ((-2.0, -1.0), (-1.0, 4.0)), ((1.0, 1.0), (2.0, 5.0))]
        {
            let (Planes { lower, upper }, (low, high)) = relax(0, x, y);
            let mut touched = 0;
            for (a, b) in [(x.0, y.0), (x.0, y.1), (x.1, y.0), (x.1, y.1)] {
                let at = |plane: Plane| plane.first * a + plane.second * b + plane.constant;
                assert!(at(lower) <= a * b + 1e-14 && a * b <= at(upper) + 1e-14);
                assert!(low <= a * b && a * b <= high);
                touched += usize::from((at(lower) - a * b).abs() < 1e-12);
            }
            assert!(touched >= 2);
        }
    }
}
