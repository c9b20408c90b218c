//! Noise added up to a step of a diffusion, and taken back step by step.
use burn::prelude::*;

use super::schedule::Variances;

/// `x(t)` of `x(0)` with standard normal `noise`, all `[N, F]`: `√ᾱ x(0) + √(1 − ᾱ) noise`.
///
/// Ho, Jain, Abbeel. *Denoising Diffusion Probabilistic Models.* `NeurIPS` 2020, eq. (4).
/// <https://arxiv.org/abs/2006.11239>
///
/// # Panics
/// Past the last step.
#[must_use]
pub fn diffused(
    clean: Tensor<2>,
    noise: Tensor<2>,
    step: usize,
    variances: &Variances,
) -> Tensor<2> {
    let kept = variances.kept(step);
    clean * kept.sqrt() + noise * (1.0 - kept).sqrt()
}

/// `x(0)` drawn from `x(t)` by ancestral sampling, `[N, F] → [N, F]`.
///
/// `predict(x, s)` is the noise in `x = x(s)`; `noise(s)` is standard normal, asked for at each
/// step but the first. The estimate of `x(0)` is clipped to `[−1, 1]` at each step if `clip`, as
/// the authors do. Ibid., alg. 2, with `σ² = β̃`.
///
/// # Panics
/// Past the last step.
pub fn denoised(
    mut rows: Tensor<2>,
    from: usize,
    variances: &Variances,
    clip: bool,
    predict: impl Fn(Tensor<2>, usize) -> Tensor<2>,
    noise: impl Fn(usize) -> Tensor<2>,
) -> Tensor<2> {
    for step in (1..=from).rev() {
        let kept = variances.kept(step);
        let predicted = predict(rows.clone(), step);
        let clean = (rows.clone() - predicted * (1.0 - kept).sqrt()) / kept.sqrt();
        let clean = if clip { clean.clamp(-1.0, 1.0) } else { clean };
        let posterior = variances.posterior(step);
        rows = clean * posterior.clean + rows * posterior.noisy;
        if posterior.variance > 0.0 {
            rows = rows + noise(step) * posterior.variance.sqrt();
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generative::diffusion::NoiseSchedule;
    use crate::generative::normal;
    use duress_core::{Seed, host};

    const COUNT: usize = 40_000;

    fn draws(draw: u32) -> Tensor<2> {
        let ids: Vec<u64> = (0..COUNT as u64).collect();
        normal::rows(Seed(5), &ids, draw, 1, &Device::flex())
    }

    fn moments(rows: Tensor<2>) -> (f64, f64) {
        let values = host::floats(rows).unwrap();
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
        (mean, square / values.len() as f64)
    }

    #[test]
    fn the_noise_of_the_way_there_has_the_variance_of_the_formula() {
        let variances = Variances::new(NoiseSchedule::Linear, 100);
        for step in [0, 1, 30, 100] {
            let clean = Tensor::<2>::full([COUNT, 1], 0.8, &Device::flex());
            let (mean, variance) = moments(diffused(clean, draws(0), step, &variances));
            let kept = variances.kept(step);
            assert!((mean - 0.8 * kept.sqrt()).abs() < 0.02, "{step}: {mean}");
            assert!((variance - (1.0 - kept)).abs() < 0.02, "{step}: {variance}");
        }
    }

    /// Of data `N(m, s²)` the best predictor of the noise is known, and with it the reverse process
    /// ends where the data are: `E[x(0) | x(t)]` shrinks towards `m`, and what is drawn has the
    /// moments of the data.
    #[test]
    fn with_the_best_predictor_of_gaussian_data_the_way_back_ends_at_the_data() {
        let (mean, deviation) = (0.3, 0.4);
        let variances = Variances::new(NoiseSchedule::Cosine, 60);
        let best = |rows: Tensor<2>, step: usize| {
            let kept = variances.kept(step);
            let total = kept * deviation * deviation + 1.0 - kept;
            (rows - mean * kept.sqrt()) * ((1.0 - kept).sqrt() / total)
        };
        let ends = denoised(draws(0), 60, &variances, false, best, |step| draws(step as u32));
        let (got, variance) = moments(ends);
        assert!((got - mean).abs() < 0.02, "{got}");
        // β̃ is the smaller of the two usual variances: exact for a point, a little low here.
        assert!((variance - deviation * deviation).abs() < 0.03, "{variance}");
    }

    /// One step back by hand: `x0 = (x − √(1−ᾱ) e) / √ᾱ`, then the posterior's mean.
    #[test]
    fn one_step_back_is_the_posterior_mean_of_the_estimated_row() {
        let variances = Variances::of(vec![0.5]);
        let rows = Tensor::<2>::from_data([[0.9]], &Device::flex());
        let predict = |rows: Tensor<2>, _| rows.zeros_like() + 0.25;
        let got = denoised(rows, 1, &variances, false, predict, |_| unreachable!());
        let expected = (0.9 - 0.5_f64.sqrt() * 0.25) / 0.5_f64.sqrt();
        assert!((f64::from(host::floats(got).unwrap()[0]) - expected).abs() < 1e-6);
    }
}
