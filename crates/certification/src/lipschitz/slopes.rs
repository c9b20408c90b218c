//! The largest slope of functions of one value.
use duress_graph::Unary;

/// An upper bound of `|f′|` on all of ℝ; `None` where there is none.
pub(super) fn largest_slope(function: Unary) -> Option<f64> {
    Some(match function {
        Unary::Relu
        | Unary::Tanh
        | Unary::Softplus
        | Unary::Softsign
        | Unary::Abs
        | Unary::Neg
        | Unary::Sin
        | Unary::Cos => 1.0,
        Unary::Elu { alpha } => alpha.abs().max(1.0),
        Unary::Selu { alpha, gamma } => (gamma * alpha.abs().max(1.0)).abs().next_up(),
        Unary::Sigmoid => 0.25,
        Unary::Erf => std::f64::consts::FRAC_2_SQRT_PI.next_up(),
        // At √2: 1.12890…; the other form exceeds it by a little.
        Unary::Gelu | Unary::GeluTanh => 1.13,
        // At 2.3994: 1.09984…
        Unary::Silu => 1.1,
        // At 1.4906: 1.08850…
        Unary::Mish => 1.09,
        Unary::HardSigmoid { alpha, .. } => alpha.abs(),
        Unary::HardSwish => 1.5,
        Unary::Exp
        | Unary::Log
        | Unary::Sqrt
        | Unary::Reciprocal
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::Sign => return None,
    })
}

/// Whether all slopes are between 0 and 1.
pub(super) fn is_slope_of_a_share(function: Unary) -> bool {
    matches!(function, Unary::Relu | Unary::Tanh | Unary::Softplus | Unary::Sigmoid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_quotient_is_larger_and_one_comes_near() {
        for function in [
            Unary::Relu,
            Unary::Tanh,
            Unary::Softplus,
            Unary::Softsign,
            Unary::Abs,
            Unary::Sin,
            Unary::Cos,
            Unary::Elu { alpha: 1.5 },
            Unary::Selu { alpha: 1.673_263, gamma: 1.050_701 },
            Unary::Sigmoid,
            Unary::Erf,
            Unary::Gelu,
            Unary::GeluTanh,
            Unary::Silu,
            Unary::Mish,
            Unary::HardSigmoid { alpha: 0.2, beta: 0.5 },
            Unary::HardSwish,
        ] {
            let bound = largest_slope(function).unwrap();
            let steepest = (-40_000..40_000).fold(0.0_f64, |most, at| {
                let (x, h) = (f64::from(at) * 5e-4, 5e-4);
                let value = |x| duress_graph::unary(function, x);
                most.max(((value(x + h) - value(x)) / h).abs())
            });
            assert!(steepest <= bound * (1.0 + 1e-9), "{function:?}: {steepest} {bound}");
            assert!(steepest > bound * 0.99, "{function:?}: {steepest} {bound}");
        }
        assert_eq!(largest_slope(Unary::Exp), None);
    }
}
