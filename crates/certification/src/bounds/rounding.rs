//! How much rounding to nearest in f64 can cost, a priori.
//!
//! Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §3.1: a sum of `n` products,
//! in any order, differs from the exact one by at most `γₙ Σ |aᵢ||bᵢ|` with
//! `γₙ = n u / (1 − n u)`, `u = 2⁻⁵³`, as long as nothing underflows; each product that does costs
//! another `2⁻¹⁰⁷⁵`.

/// `u`: half the distance from 1 to the next number.
const UNIT: f64 = f64::EPSILON / 2.0;

/// More than any product that underflows can cost, and than `γ · x` loses where it does.
pub(super) const TINY: f64 = f64::MIN_POSITIVE;

/// Larger than `γₙ` by a tenth, and for a few terms more: that covers weights rounded once, and the
/// rounding of the error terms themselves, which are sums of positive numbers.
pub(super) fn gamma(terms: usize) -> f64 {
    1.1 * (terms as f64 + 16.0) * UNIT
}

/// `value − error`, rounded down. Not a number, and what overflowed, is −∞.
pub(super) fn down(value: f64, error: f64) -> f64 {
    let result = value - 1.01 * error;
    if result.is_finite() { result.next_down() } else { f64::NEG_INFINITY }
}

/// `value + error`, rounded up. Not a number, and what overflowed, is ∞.
pub(super) fn up(value: f64, error: f64) -> f64 {
    -down(-value, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_bounds_nothing() {
        assert_eq!(down(f64::NAN, 0.0), f64::NEG_INFINITY);
        assert_eq!(down(f64::INFINITY, 1.0), f64::NEG_INFINITY);
        assert_eq!(up(f64::INFINITY, f64::INFINITY), f64::INFINITY);
        assert_eq!(up(f64::NEG_INFINITY, 0.0), f64::INFINITY);
        assert!(down(1.0, 0.0) < 1.0 && up(1.0, 0.0) > 1.0);
    }

    /// 0.1 ten times: the computed sum is 2⁻⁵³ below 1, and 0.1 itself is above a tenth.
    #[test]
    fn gamma_is_more_than_what_a_sum_loses() {
        let sum = (0..10).fold(0.0, |sum, _| sum + 0.1);
        assert!(down(sum, gamma(10)) < 1.0 && 1.0 < up(sum, gamma(10)));
        assert!(gamma(10) < 1e-14);
    }
}
