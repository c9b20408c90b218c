//! Weights of a mixture, from samples it was not trained on.
use duress_core::{Classifier, Error, Passes, Result, host};

/// How near to the least cross-entropy fitted weights come, in nats.
const GAP: f64 = 1e-7;

/// Most rounds of the iteration.
const ROUNDS: usize = 200_000;

/// The weights of the members of an ensemble.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedWeights {
    /// One a member, at least 0, of sum 1.
    pub weights: Vec<f64>,
    /// The mean cross-entropy of the mixture, in nats.
    pub loss: f64,
    /// By how much that may be above the least there is.
    pub gap: f64,
    /// Rounds that it took.
    pub rounds: usize,
}

/// The weights `w` (at least 0, of sum 1) of least cross-entropy `−mean ln Σ wᵢ pᵢ`, where
/// `log_probabilities[i][n]` is what member `i` says of the label of sample `n`.
///
/// The problem is convex. Each round multiplies a weight by the slope along it, the exponentiated
/// step that never raises the loss (Dempster, Laird, Rubin, *J. R. Stat. Soc. B* 39 (1977), for
/// mixtures), until the duality gap `max slope − 1` is below 10⁻⁷.
///
/// # Errors
/// [`Error::Shape`] for no member, no sample, or members that do not speak of the same samples;
/// [`Error::Parameter`] for a value that is no log-probability or an iteration that does not end.
pub fn fit_weights(log_probabilities: &[Vec<f64>]) -> Result<FittedWeights> {
    let samples = log_probabilities.first().map_or(0, Vec::len);
    if samples == 0 || log_probabilities.iter().any(|member| member.len() != samples) {
        let lengths: Vec<usize> = log_probabilities.iter().map(Vec::len).collect();
        return Err(Error::Shape {
            what: "probabilities to fit an ensemble's weights to",
            expected: "as many of each member, at least one".into(),
            got: format!("{lengths:?}"),
        });
    }
    if let Some(bad) = log_probabilities.iter().flatten().find(|p| p.is_nan() || **p > 1e-6) {
        return fault("logarithms of probabilities", bad.to_string());
    }
    // Each sample in units of its best member: the slopes are the same, and nothing underflows.
    let top: Vec<f64> = (0..samples)
        .map(|n| log_probabilities.iter().fold(f64::NEG_INFINITY, |top, m| top.max(m[n])))
        .collect();
    if top.iter().any(|top| top.is_infinite()) {
        return fault("above 0 for one member at each label", "0 for all".into());
    }
    let shares: Vec<Vec<f64>> = log_probabilities
        .iter()
        .map(|member| member.iter().zip(&top).map(|(p, top)| (p - top).exp()).collect())
        .collect();
    let mut weights = vec![1.0 / shares.len() as f64; shares.len()];
    let mut gap = f64::INFINITY;
    for rounds in 1..=ROUNDS {
        let mixed: Vec<f64> = (0..samples)
            .map(|n| shares.iter().zip(&weights).map(|(share, weight)| weight * share[n]).sum())
            .collect();
        let slope = |share: &Vec<f64>| {
            share.iter().zip(&mixed).map(|(share, mixed)| share / mixed).sum::<f64>()
                / samples as f64
        };
        let slopes: Vec<f64> = shares.iter().map(slope).collect();
        gap = slopes.iter().fold(0.0, |most, slope| f64::max(most, slope - 1.0));
        if gap <= GAP {
            let sum: f64 = mixed.iter().zip(&top).map(|(mixed, top)| mixed.ln() + top).sum();
            return Ok(FittedWeights { weights, loss: -sum / samples as f64, gap, rounds });
        }
        weights.iter_mut().zip(slopes).for_each(|(weight, slope)| *weight *= slope);
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
    }
    fault("such that the iteration ends", format!("a gap of {gap} after {ROUNDS} rounds"))
}

fn fault<T>(expected: &'static str, got: String) -> Result<T> {
    Err(Error::Parameter { algorithm: "ensemble", field: "weights", expected, got })
}

/// The weights of `members` of least cross-entropy at labelled rows `[N, F]`.
///
/// # Errors
/// As [`fit_weights`]; [`Error::Shape`], [`Error::Label`]; those of a pass.
pub fn fit_members(
    members: &[&dyn Classifier],
    values: &[f32],
    labels: &[usize],
    passes: &Passes,
) -> Result<FittedWeights> {
    let mut all = Vec::new();
    for member in members {
        let (features, classes) = (member.domain().features(), member.classes());
        if values.len() != labels.len() * features {
            return Err(Error::Shape {
                what: "samples to fit an ensemble's weights to",
                expected: format!("{} rows of {features} values", labels.len()),
                got: format!("{} values", values.len()),
            });
        }
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::Label { row, label: labels[row], classes });
        }
        let mut said = Vec::with_capacity(labels.len());
        for (rows, labels) in values.chunks(BATCH * features).zip(labels.chunks(BATCH)) {
            let data = burn::tensor::TensorData::new(rows.to_vec(), [labels.len(), features]);
            let rows = burn::prelude::Tensor::from_data(data, passes.device());
            let logits = host::floats(passes.logits(*member, rows)?)?;
            for (logits, &label) in logits.chunks(classes).zip(labels) {
                let top = logits.iter().fold(f32::NEG_INFINITY, |top, logit| top.max(*logit));
                let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
                said.push(f64::from(logits[label] - top) - sum.ln());
            }
        }
        all.push(said);
    }
    fit_weights(&all)
}

/// Rows of a pass.
const BATCH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members, one right on three samples of four, each sure: `3/4 ln w + 1/4 ln (1 − w)`.
    #[test]
    fn members_that_never_agree_get_their_shares() {
        let sure =
            |right: [bool; 4]| right.map(|right| if right { 0.0 } else { -40.0_f64 }).to_vec();
        let got =
            fit_weights(&[sure([true, true, true, false]), sure([false, false, false, true])])
                .unwrap();
        assert!((got.weights[0] - 0.75).abs() < 1e-6, "{got:?}");
        let entropy = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert!((got.loss - entropy).abs() < 1e-6);
    }

    #[test]
    fn a_member_that_is_always_better_gets_all_and_equals_share() {
        let good: Vec<f64> = (1..9).map(|n| (0.1 * f64::from(n)).ln()).collect();
        let bad: Vec<f64> = good.iter().map(|p| p - 1.0).collect();
        let got = fit_weights(&[bad, good.clone()]).unwrap();
        assert!(got.weights[0] < 1e-6 && got.gap <= 1e-7, "{got:?}");
        let got = fit_weights(&[good.clone(), good]).unwrap();
        assert_eq!((got.weights, got.rounds), (vec![0.5, 0.5], 1));
    }

    #[test]
    fn the_weights_are_no_worse_than_any_on_a_grid() {
        let noise = |seed: usize| -> Vec<f64> {
            (0..50).map(|n| (((n * 31 + seed * 17) % 47 + 1) as f64 / 48.0).ln()).collect()
        };
        let members = [noise(1), noise(5), noise(8)];
        let loss = |w: [f64; 3]| {
            let sample = |n: usize| -> f64 {
                let mixed: f64 = members.iter().zip(w).map(|(m, w)| w * m[n].exp()).sum();
                mixed.ln()
            };
            -(0..50).map(sample).sum::<f64>() / 50.0
        };
        let got = fit_weights(&members).unwrap();
        for a in 0..=20 {
            for b in 0..=20 - a {
                let w = [f64::from(a) / 20.0, f64::from(b) / 20.0, f64::from(20 - a - b) / 20.0];
                assert!(got.loss <= loss(w) + 1e-6, "{w:?}");
            }
        }
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        assert!(fit_weights(&[]).is_err());
        assert!(fit_weights(&[vec![-1.0], vec![-1.0, -2.0]]).is_err());
        assert!(fit_weights(&[vec![f64::NAN]]).is_err());
        assert!(fit_weights(&[vec![f64::NEG_INFINITY]]).is_err());
    }
}
