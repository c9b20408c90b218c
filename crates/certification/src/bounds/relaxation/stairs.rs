//! Rounding and signs: functions that never fall and are exact in f64.
use duress_graph::{Unary, unary};

use super::Planes;

/// Planes and bounds of result `at` for x in `[low, high]`.
pub(super) fn relax(at: usize, function: Unary, (low, high): (f64, f64)) -> (Planes, (f64, f64)) {
    let bounds = (unary(function, low), unary(function, high));
    (Planes::flat(at, bounds.0, bounds.1), bounds)
}
