//! Logistic regression on a few numbers a row: what turns the statistics of layers into one score.
//!
//! Cox. *The Regression Analysis of Binary Sequences.* J. R. Statist. Soc. B 20, 1958.
use burn::prelude::*;
use duress_core::{Result, host};

use super::detector::table;
use super::linear_algebra::{cholesky, solve};

/// Newton steps; the iteration ends when a step no longer changes anything.
const STEPS: usize = 100;

/// Half the squared length of the weights is added to the sum of the losses, so that separable
/// rows have finite weights (scikit-learn's `C = 1`).
const PENALTY: f64 = 1.0;

/// `⟨w, (v − mean) / deviation⟩ + b`: the logarithm of the odds that a row is adversarial.
#[derive(Clone, Debug)]
pub(super) struct Logistic {
    /// `[D, 1]`, the deviations divided in.
    weights: Tensor<2>,
    offset: f32,
}

impl Logistic {
    /// The regression that tells the rows of `clean` `[N, D]` from those of `adversarial`
    /// `[M, D]`.
    pub(super) fn fit(clean: &Tensor<2>, adversarial: &Tensor<2>) -> Result<Self> {
        let width = clean.dims()[1];
        let read = |rows: &Tensor<2>| -> Result<Vec<f64>> {
            Ok(host::floats(rows.clone())?.into_iter().map(f64::from).collect())
        };
        let (negative, positive) = (read(clean)?, read(adversarial)?);
        let (weights, offset) = regress(&negative, &positive, width);
        let weights = weights.into_iter().map(|weight| weight as f32).collect();
        let weights = table(weights, 1, &clean.device());
        Ok(Self { weights, offset: offset as f32 })
    }

    /// The logarithm of the odds, `[N, D] → [N]`.
    pub(super) fn score(&self, values: Tensor<2>) -> Tensor<1> {
        (values.matmul(self.weights.clone()) + self.offset).squeeze_dim(1)
    }
}

/// Weights and offset on the raw values, by Newton's method on standardised ones.
fn regress(negative: &[f64], positive: &[f64], width: usize) -> (Vec<f64>, f64) {
    let rows: Vec<(&[f64], f64)> = negative
        .chunks_exact(width)
        .map(|row| (row, 0.0))
        .chain(positive.chunks_exact(width).map(|row| (row, 1.0)))
        .collect();
    let count = rows.len() as f64;
    let mean: Vec<f64> =
        (0..width).map(|d| rows.iter().map(|(row, _)| row[d]).sum::<f64>() / count).collect();
    let deviation: Vec<f64> = (0..width)
        .map(|d| {
            let squares: f64 = rows.iter().map(|(row, _)| (row[d] - mean[d]).powi(2)).sum();
            let deviation = (squares / count).sqrt();
            // A constant says nothing: its weight stays 0 whatever it is divided by.
            if deviation > 1e-9 * mean[d].abs().max(1e-9) { deviation } else { 1.0 }
        })
        .collect();
    let n = width + 1;
    let mut beta = vec![0.0; n];
    let value = |row: &[f64], d: usize| {
        if d == width { 1.0 } else { (row[d] - mean[d]) / deviation[d] }
    };
    for _ in 0..STEPS {
        let mut gradient = vec![0.0; n];
        let mut curvature = vec![0.0; n * n];
        for d in 0..width {
            gradient[d] = PENALTY * beta[d];
            curvature[d * n + d] = PENALTY;
        }
        // Keeps the offset's curvature off zero where all rows are told apart surely.
        curvature[n * n - 1] = 1e-9;
        for (row, target) in &rows {
            let x: Vec<f64> = (0..n).map(|d| value(row, d)).collect();
            let margin: f64 = x.iter().zip(&beta).map(|(x, b)| x * b).sum();
            let p = 1.0 / (1.0 + (-margin).exp());
            for a in 0..n {
                gradient[a] += (p - target) * x[a];
                for b in 0..n {
                    curvature[a * n + b] += p * (1.0 - p) * x[a] * x[b];
                }
            }
        }
        let Some(lower) = cholesky(&curvature, n) else { break };
        let mut step = solve(&lower, &gradient);
        // A full step may overshoot where the odds are extreme.
        let length = step.iter().map(|s| s * s).sum::<f64>().sqrt();
        if length > 2.0 {
            for s in &mut step {
                *s *= 2.0 / length;
            }
        }
        beta.iter_mut().zip(&step).for_each(|(b, s)| *b -= s);
        if length < 1e-10 {
            break;
        }
    }
    let weights: Vec<f64> = (0..width).map(|d| beta[d] / deviation[d]).collect();
    let offset = beta[width] - weights.iter().zip(&mean).map(|(w, m)| w * m).sum::<f64>();
    (weights, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values ±1, deviation 1: at the optimum `2(1 − p) n = w` with `p = 1/(1 + e^{−w})`, n = 1 a
    /// side; the symmetric offset is 0.
    #[test]
    fn the_weight_of_two_rows_solves_its_equation() {
        let (weights, offset) = regress(&[-1.0], &[1.0], 1);
        let w = weights[0];
        let p = 1.0 / (1.0 + (-w).exp());
        assert!((2.0 * (1.0 - p) - w).abs() < 1e-9, "{w}");
        assert!(offset.abs() < 1e-9, "{offset}");
    }

    #[test]
    fn a_constant_and_a_row_order_change_nothing() {
        let (weights, _) = regress(&[0.0, 5.0, 1.0, 5.0], &[2.0, 5.0, 3.0, 5.0], 2);
        assert!(weights[1].abs() < 1e-12 && weights[0] > 0.1);
        let swapped = regress(&[1.0, 5.0, 0.0, 5.0], &[3.0, 5.0, 2.0, 5.0], 2).0;
        assert!((weights[0] - swapped[0]).abs() < 1e-9);
    }

    #[test]
    fn the_score_on_a_device_is_the_one_on_the_host() {
        let device = Device::flex();
        let (clean, adversarial) =
            (table(vec![0.0, 1.0], 1, &device), table(vec![2.0, 3.5], 1, &device));
        let fitted = Logistic::fit(&clean, &adversarial).unwrap();
        let (weights, offset) = regress(&[0.0, 1.0], &[2.0, 3.5], 1);
        let got = host::floats(fitted.score(clean)).unwrap();
        assert!((f64::from(got[1]) - (weights[0] + offset)).abs() < 1e-5);
        assert!(got[0] < got[1]);
    }
}
