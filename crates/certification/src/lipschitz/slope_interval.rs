//! Between what and what the slope of a function is on an interval.
use duress_graph::Unary;

use super::slopes::largest_slope;

/// Granted for what the functions of the machine can be off.
const SLACK: f64 = 1e-12;

/// Bounds of `f′` (of all its one-sided values at a kink) on `[low, high]`; `None` where there is
/// no bound on all of ℝ.
pub(super) fn slope_interval(function: Unary, low: f64, high: f64) -> Option<[f64; 2]> {
    let largest = largest_slope(function)?;
    let kink = |below: f64, above: f64| {
        if low > 0.0 {
            [above, above]
        } else if high < 0.0 {
            [below, below]
        } else {
            [below.min(above), below.max(above)]
        }
    };
    // Rises up to 0 and falls behind it.
    let hill = |slope: &dyn Fn(f64) -> f64| {
        let [left, right] = [low, high].map(slope);
        let top = if low <= 0.0 && high >= 0.0 { largest } else { left.max(right) };
        widened(left.min(right), top, largest)
    };
    Some(match function {
        Unary::Relu => kink(0.0, 1.0),
        Unary::Abs => kink(-1.0, 1.0),
        Unary::Neg => [-1.0, -1.0],
        Unary::Tanh => hill(&|x: f64| x.cosh().powi(-2)),
        Unary::Sigmoid => hill(&|x: f64| (2.0 * (x / 2.0).cosh()).powi(-2)),
        Unary::Softsign => hill(&|x: f64| (1.0 + x.abs()).powi(-2)),
        Unary::Softplus => {
            let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
            widened(logistic(low), logistic(high), largest)
        }
        _ => [-largest, largest],
    })
}

/// A little wider, from 0 to `most`; all of it where something is not a number.
fn widened(low: f64, high: f64, most: f64) -> [f64; 2] {
    if low.is_nan() || high.is_nan() {
        return [0.0, most];
    }
    [(low * (1.0 - SLACK)).next_down().max(0.0), (high * (1.0 + SLACK)).next_up().min(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_quotient_on_the_interval_lies_between() {
        for function in [
            Unary::Relu,
            Unary::Abs,
            Unary::Neg,
            Unary::Tanh,
            Unary::Sigmoid,
            Unary::Softsign,
            Unary::Softplus,
            Unary::Gelu,
        ] {
            for (low, high) in [(-2.0, -0.5), (-1.0, 3.0), (0.25, 0.5), (0.0, 2.0), (-1.0, 0.0)] {
                let [least, most] = slope_interval(function, low, high).unwrap();
                for step in 0..200 {
                    let (h, share) = ((high - low) / 200.0, f64::from(step) / 200.0);
                    let x = low + share * (high - low);
                    let value = |x| duress_graph::unary(function, x);
                    let slope = (value(x + h) - value(x)) / h;
                    let inside = slope >= least - 1e-9 && slope <= most + 1e-9;
                    assert!(inside, "{function:?} on {low}, {high}: {slope} {least} {most}");
                }
            }
        }
        assert_eq!(slope_interval(Unary::Relu, 0.5, 2.0), Some([1.0, 1.0]));
        assert_eq!(slope_interval(Unary::Relu, -0.5, 2.0), Some([0.0, 1.0]));
        assert_eq!(slope_interval(Unary::Exp, 0.0, 1.0), None);
        let all = slope_interval(Unary::Tanh, f64::NEG_INFINITY, f64::INFINITY).unwrap();
        assert!(all[0].abs() < f64::MIN_POSITIVE && (all[1] - 1.0).abs() < 1e-9, "{all:?}");
    }
}
