//! What the logits of one row say about its label, in f64.

/// `z_label − max_{i≠label} z_i`: positive where the label is predicted.
pub(crate) fn margin(logits: &[f32], label: usize) -> f64 {
    let others = logits.iter().enumerate().filter(|&(class, _)| class != label);
    let largest = others.map(|(_, &logit)| f64::from(logit)).fold(f64::NEG_INFINITY, f64::max);
    f64::from(logits[label]) - largest
}

/// `log p − log(1 − p)` of the label's softmax probability `p`: `z_label − log Σ_{i≠label} exp z_i`.
pub(crate) fn log_odds(logits: &[f32], label: usize) -> f64 {
    let others = || logits.iter().enumerate().filter(|&(class, _)| class != label);
    let largest = others().map(|(_, &logit)| f64::from(logit)).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = others().map(|(_, &logit)| (f64::from(logit) - largest).exp()).sum();
    f64::from(logits[label]) - largest - sum.ln()
}

/// `log softmax(z)_label`. A probability that f64 would round to one still has its own logarithm.
pub(crate) fn log_probability(logits: &[f32], label: usize) -> f64 {
    let odds = log_odds(logits, label);
    if odds > 0.0 { -(-odds).exp().ln_1p() } else { odds - odds.exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// z = (ln 1, ln 2, ln 4, ln 1): softmax (1, 2, 4, 1)/8.
    #[test]
    fn values_by_hand() {
        let z = [0.0, 2.0_f32.ln(), 4.0_f32.ln(), 0.0];
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-6, "{got}");
        close(margin(&z, 2), 2.0_f64.ln());
        close(margin(&z, 0), -4.0_f64.ln());
        close(log_odds(&z, 1), (2.0_f64 / 6.0).ln());
        close(log_probability(&z, 1), 0.25_f64.ln());
        close(log_probability(&z, 2), 0.5_f64.ln());
    }

    /// A probability of `1 − e⁻⁶⁰` is one in f64.
    #[test]
    fn a_saturated_probability_still_moves() {
        assert!(log_probability(&[60.0, 0.0], 0) < log_probability(&[61.0, 0.0], 0));
        assert!((log_probability(&[0.0, 2000.0], 0) + 2000.0).abs() < 1e-9);
    }
}
