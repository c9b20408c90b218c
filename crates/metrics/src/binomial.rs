//! Binomial probabilities and the confidence bound that inverts their tail.
//!
//! Loader. *Fast and Accurate Computation of Binomial Probabilities.* 2000. A tail summed away
//! from the mean has only positive, falling terms, so its relative error stays near the last
//! place; log-gamma differences lose about nine digits of it at the 100 000 draws of a smoothed
//! classifier, more than a bound that is rounded outward may hide.
use std::f64::consts::TAU;

/// The largest `p` for which `P(X ≥ successes) ≤ alpha`, `X ~ Binomial(total, p)`, rounded down.
///
/// Clopper, Pearson. *The Use of Confidence or Fiducial Limits Illustrated in the Case of the
/// Binomial.* Biometrika 26, 1934. The caller keeps `successes ≤ total` and `0 < alpha < 1`.
pub(crate) fn lower_bound(successes: u64, total: u64, alpha: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return low * (1.0 - ROUNDING);
        }
        if at_least(successes, total, middle) <= alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// `P(X ≥ k)` for `X ~ Binomial(n, p)`, `0 < p < 1`, `1 ≤ k ≤ n`.
fn at_least(k: u64, n: u64, p: f64) -> f64 {
    // From the mean on, the terms fall in both directions; the other side is the complement.
    if k as f64 > (n as f64 + 1.0) * p {
        return falling(pmf(k, n, p), p / (1.0 - p), k, n);
    }
    let (mirrored, q) = (n - (k - 1), 1.0 - p);
    1.0 - falling(pmf(k - 1, n, p), q / p, mirrored, n)
}

/// The sum of `P(X = k), P(X = k + 1), …` from its first term and the odds `p / (1 − p)`.
fn falling(first: f64, odds: f64, k: u64, n: u64) -> f64 {
    let (mut term, mut sum) = (first, first);
    for index in k..n {
        term *= (n - index) as f64 / (index + 1) as f64 * odds;
        sum += term;
        if term <= sum * f64::EPSILON * 1e-3 {
            break;
        }
    }
    sum
}

/// `P(X = k)`, Loader's saddle-point form, eq. (4).
fn pmf(k: u64, n: u64, p: f64) -> f64 {
    let (q, count) = (1.0 - p, n as f64);
    if k == 0 {
        return (count * (-p).ln_1p()).exp();
    }
    if k == n {
        return (count * p.ln()).exp();
    }
    let (hits, misses) = (k as f64, (n - k) as f64);
    let exponent = stirling_error(n)
        - stirling_error(k)
        - stirling_error(n - k)
        - deviance(hits, count * p)
        - deviance(misses, count * q);
    (count / (TAU * hits * misses)).sqrt() * exponent.exp()
}

/// `ln n! − ln(√(2πn) (n/e)ⁿ)`, Loader's δ(n).
fn stirling_error(n: u64) -> f64 {
    let x = n as f64;
    if n < 16 {
        let factorial = (1..=n).map(|factor| factor as f64).product::<f64>();
        return factorial.ln() - (0.5 * (TAU * x).ln() + x * x.ln() - x);
    }
    let square = x * x;
    let series = 1.0 / 1680.0 - (1.0 / 1188.0) / square;
    let series = 1.0 / 1260.0 - series / square;
    let series = 1.0 / 360.0 - series / square;
    (1.0 / 12.0 - series / square) / x
}

/// `x ln(x / m) + m − x` without cancellation near `x = m`, Loader's `D₀`, eq. (5.2).
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    let ratio = difference / (x + mean);
    let square = ratio * ratio;
    let mut sum = difference * ratio;
    let mut power = 2.0 * x * ratio;
    let mut odd = 3.0;
    loop {
        power *= square;
        let next = sum + power / odd;
        // Equal bits: the series has converged to the last place.
        if next.to_bits() == sum.to_bits() {
            return sum;
        }
        sum = next;
        odd += 2.0;
    }
}

/// Relative slack that keeps a bound sound against the rounding of the tail sum.
const ROUNDING: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values from 50-digit arithmetic.
    #[test]
    fn probabilities_agree_with_fifty_digit_arithmetic() {
        for (k, n, p, expected) in REFERENCE {
            let got = at_least(k, n, p);
            assert!((got / expected - 1.0).abs() < 1e-11, "{k} of {n} at {p}: {got} {expected}");
        }
    }

    #[test]
    fn small_tails_add_up_by_hand() {
        // Binomial(3, 1/4): 27, 27, 9, 1 in 64.
        for (k, expected) in [(1, 37.0), (2, 10.0), (3, 1.0)] {
            assert!((at_least(k, 3, 0.25) - expected / 64.0).abs() < 1e-15);
        }
    }

    /// With no failures the tail is `pⁿ`, so the bound is `α^(1/n)`.
    #[test]
    fn a_bound_without_failures_has_a_closed_form() {
        for n in [1_u64, 10, 1000, 100_000] {
            let expected = 0.001_f64.powf(1.0 / n as f64);
            let got = lower_bound(n, n, 0.001);
            assert!(got <= expected && expected - got < 2e-12, "{n}: {got} {expected}");
        }
    }

    /// The tail at the bound is α and never above it.
    #[test]
    fn the_bound_inverts_the_tail_for_many_draws() {
        for (k, n) in [(1, 10), (51_000, 100_000), (99_900, 100_000), (500_000, 1_000_000)] {
            let tail = at_least(k, n, lower_bound(k, n, 0.001));
            assert!(tail <= 0.001 && tail > 0.001 * (1.0 - 1e-6), "{k} of {n}: {tail}");
        }
    }

    /// `(k, n, p, P(X ≥ k))`.
    const REFERENCE: [(u64, u64, f64, f64); 8] = [
        (1, 1, 0.3, 3.000_000_000_000e-1),
        (5, 10, 0.2, 3.279_349_760_000e-2),
        (20, 30, 0.9, 9.999_109_221_262e-1),
        (51_000, 100_000, 0.5, 1.294_358_019_173e-10),
        (50_000, 100_000, 0.5, 5.012_615_631_071e-1),
        (99_990, 100_000, 0.9998, 1.080_590_316_000e-2),
        (40, 1_000_000, 3e-05, 4.625_052_781_307e-2),
        (500_500, 1_000_000, 0.5, 1.588_973_456_817e-1),
    ];
}
