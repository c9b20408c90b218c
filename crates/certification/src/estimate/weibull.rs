//! The reverse Weibull distribution, by maximum likelihood.

/// Steps of the bisections and searches: each halves what is unknown.
const STEPS: usize = 60;

/// Places at which the location is tried first.
const PLACES: usize = 60;

/// The location of a reverse Weibull distribution, `P(Y ≤ y) = exp(−((a − y) / b)^c)` below `a`,
/// that makes `values` most likely: an estimate of the largest value there can be.
///
/// The shape `c` is kept at 1 or above, as below 1 the likelihood has no maximum; the location is
/// looked for up to a thousand times the spread of the values above the largest. Where all values
/// are the same it is that value. `None` without a value, or with one that is not finite.
#[must_use]
pub fn reverse_weibull_location(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let spread = most - least;
    // What differs by rounding only does not differ.
    if spread <= 1e-6 * most.abs().max(least.abs()) {
        return Some(most);
    }
    let shares: Vec<f64> = values.iter().map(|value| (most - value) / spread).collect();
    // The logarithm of how far the location is above the largest value, in spreads.
    let (low, high) = (1e-6_f64.ln(), 1e3_f64.ln());
    let width = (high - low) / PLACES as f64;
    let at = |place: usize| low + width * place as f64;
    let likely = |excess: f64| log_likelihood(&shares, excess.exp());
    let best = (0..=PLACES).max_by(|&a, &b| likely(at(a)).total_cmp(&likely(at(b))))?;
    let (mut left, mut right) = (at(best) - width, at(best) + width);
    for _ in 0..STEPS {
        let (first, second) = (left + (right - left) / 3.0, right - (right - left) / 3.0);
        if likely(first) < likely(second) { left = first } else { right = second }
    }
    let excess = f64::midpoint(left, right).clamp(low, high).exp();
    Some(most + excess * spread)
}

/// The largest log-likelihood of Weibull distances `shares + excess`, over scale and shape `≥ 1`.
fn log_likelihood(shares: &[f64], excess: f64) -> f64 {
    let count = shares.len() as f64;
    let logs: Vec<f64> = shares.iter().map(|share| (share + excess).ln()).collect();
    let mean = logs.iter().sum::<f64>() / count;
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Powers of what is at most 1.
    let powers = |shape: f64| logs.iter().map(move |log| (shape * (log - largest)).exp());
    // The derivative by the shape; falls with it.
    let slope = |shape: f64| {
        let sum: f64 = powers(shape).sum();
        let weighted: f64 = powers(shape).zip(&logs).map(|(power, log)| power * log).sum();
        1.0 / shape + mean - weighted / sum
    };
    let (mut low, mut high) = (1.0, 1.0);
    if slope(1.0) > 0.0 {
        while slope(high) > 0.0 && high < 1e9 {
            (low, high) = (high, high * 2.0);
        }
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if slope(middle) > 0.0 { low = middle } else { high = middle }
        }
    }
    let shape = f64::midpoint(low, high);
    // The scale at its best: `b^c` is the mean of the powers.
    let scale = (powers(shape).sum::<f64>() / count).ln() + shape * largest;
    count * (shape.ln() - scale + (shape - 1.0) * mean - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Seed, Use};
    use rand::RngExt;

    /// `a − b (−ln U)^{1/c}` has the distribution.
    #[test]
    fn the_location_of_many_draws_is_found() {
        for (location, scale, shape) in [(10.0, 2.0, 3.0), (-1.0, 0.1, 2.0), (3.0, 1.0, 5.0)] {
            let mut rng = Seed(3).stream(0, 0, 0, Use::Noise);
            let mut draw = || {
                let uniform: f64 = rng.random_range(1e-12..1.0);
                location - scale * (-uniform.ln()).powf(1.0 / shape)
            };
            let values: Vec<f64> = (0..4000).map(|_| draw()).collect();
            let got = reverse_weibull_location(&values).unwrap();
            assert!((got - location).abs() < 0.1 * scale, "{got} {location}");
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(got > most);
        }
    }

    #[test]
    fn equal_values_are_their_own_location_and_what_is_no_number_has_none() {
        assert_eq!(reverse_weibull_location(&[2.5; 7]), Some(2.5));
        assert_eq!(reverse_weibull_location(&[]), None);
        assert_eq!(reverse_weibull_location(&[1.0, f64::NAN]), None);
    }
}
