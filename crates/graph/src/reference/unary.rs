//! Functions of one value.
use crate::op::Unary;

/// `function(x)` in f64.
#[must_use]
pub fn value(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Relu => x.max(0.0),
        Unary::Elu { alpha } => elu(x, alpha),
        Unary::Selu { alpha, gamma } => gamma * elu(x, alpha),
        Unary::Sigmoid => sigmoid(x),
        Unary::Tanh => x.tanh(),
        Unary::Gelu => x / 2.0 * erfc(-x / std::f64::consts::SQRT_2),
        Unary::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x / 2.0 * (1.0 + inner.tanh())
        }
        Unary::Silu => x * sigmoid(x),
        Unary::Erf => erf(x),
        Unary::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
        Unary::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Unary::Softplus => softplus(x),
        Unary::Softsign => x / (1.0 + x.abs()),
        Unary::Mish => x * softplus(x).tanh(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Neg => -x,
        Unary::Reciprocal => x.recip(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Sign => f64::from(u8::from(x > 0.0)) - f64::from(u8::from(x < 0.0)),
    }
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { (1.0 + (-x).exp()).recip() } else { x.exp() / (1.0 + x.exp()) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The error function: its Maclaurin series near 0, one minus the complement elsewhere.
fn erf(x: f64) -> f64 {
    if x.abs() < 2.0 { series(x) } else { x.signum() * (1.0 - fraction(x.abs())) }
}

/// `1 − erf(x)`, without cancellation for large x.
fn erfc(x: f64) -> f64 {
    if x > 2.0 { fraction(x) } else { 1.0 - erf(x) }
}

/// `2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1))`, Abramowitz and Stegun 7.1.5.
fn series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200_u32 {
        term *= -x * x / f64::from(n);
        let next = sum + term / f64::from(2 * n + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// `erfc(x)` for x ≥ 2 by its continued fraction, Abramowitz and Stegun 7.1.14.
fn fraction(x: f64) -> f64 {
    let tail = (1..=120).rev().fold(x, |tail, n| x + f64::from(n) / 2.0 / tail);
    (-x * x).exp() / tail / std::f64::consts::PI.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Abramowitz and Stegun, table 7.1, and of erfc(4) = 1.541725790e-8.
    #[test]
    fn the_error_function_is_that_of_the_tables() {
        for (x, expected) in
            [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (1.9, 0.992_790_429_2)]
        {
            assert!((erf(x) - expected).abs() < 1e-10, "erf({x}) = {}", erf(x));
            assert!((erf(-x) + expected).abs() < 1e-10);
        }
        assert!((erf(2.0 + 1e-9) - erf(2.0 - 1e-9)).abs() < 1e-9);
        assert!((erfc(4.0) / 1.541_725_790e-8 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn functions_have_their_known_values() {
        let at = |function, x| value(function, x);
        assert!((at(Unary::Gelu, 1.0) - 0.841_344_746_068_542_9).abs() < 1e-14);
        assert!((at(Unary::GeluTanh, 1.0) - 0.841_191_990_608_303).abs() < 1e-12);
        assert!((at(Unary::Softplus, 0.0) - 2.0_f64.ln()).abs() < 1e-15);
        assert!((at(Unary::Sigmoid, -800.0)).abs() < 1e-300);
        assert_eq!(at(Unary::HardSwish, 3.0).to_bits(), 3.0_f64.to_bits());
        assert_eq!([at(Unary::Round, 2.5), at(Unary::Sign, -0.0)], [2.0, 0.0]);
    }
}
