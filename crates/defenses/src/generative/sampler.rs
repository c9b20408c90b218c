//! Rows drawn from a trained generative network, by number.
use burn::prelude::*;
use duress_core::{Domain, Passes, Result, Seed, host};

use super::adversarial::{LatentMap, Players};
use super::diffusion::{DiffusionPlan, denoised, place_of};
use super::fitting::Fitted;
use super::normal;

/// What rows of a domain are drawn from.
pub trait RowSampler: Send + Sync {
    /// The input space of the rows.
    fn domain(&self) -> &Domain;

    /// The generated rows number `ids`, row-major `[ids, F]`: each a function of the network, the
    /// seed and its number, whatever others are asked for.
    ///
    /// # Errors
    /// [`duress_core::Error::Device`] if a read fails.
    fn sample(&self, ids: &[u64], seed: Seed, passes: &Passes) -> Result<Vec<f32>>;
}

impl RowSampler for Players {
    fn domain(&self) -> &Domain {
        LatentMap::domain(self.generator())
    }

    fn sample(&self, ids: &[u64], seed: Seed, passes: &Passes) -> Result<Vec<f32>> {
        Players::sample(self, ids, seed, passes)
    }
}

/// Noise taken away in all steps of the diffusion, from a draw of nothing else.
///
/// Ho, Jain, Abbeel. *Denoising Diffusion Probabilistic Models.* `NeurIPS` 2020, alg. 2.
/// <https://arxiv.org/abs/2006.11239>
impl RowSampler for Fitted<DiffusionPlan> {
    fn domain(&self) -> &Domain {
        &self.card().domain
    }

    fn sample(&self, ids: &[u64], seed: Seed, passes: &Passes) -> Result<Vec<f32>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (denoiser, variances) = (self.network(), self.card().plan.variances());
        let (features, steps) = (self.card().domain.features(), variances.steps());
        let device = passes.device().clone().inner();
        let start = normal::rows(seed, ids, 0, features, &device);
        let parts = passes.over(&start, |noisy, range| {
            let count = noisy.dims()[0];
            // Padding draws what the last row draws.
            let last = range.end.saturating_sub(1).min(ids.len() - 1);
            let own: Vec<u64> = (0..count).map(|row| ids[(range.start + row).min(last)]).collect();
            let predict = |centred, step| {
                let places = Tensor::full([count, 1], place_of(step, steps), &device);
                denoiser.predict(centred, places)
            };
            // Draw 0 is the beginning; the first step draws nothing.
            let noise = |step: usize| normal::rows(seed, &own, step as u32, features, &device);
            let clean = denoised(noisy, steps, &variances, true, predict, noise);
            Ok([denoiser.rows(clean)])
        })?;
        host::floats(Tensor::cat(parts.into_iter().map(|[rows]| rows).collect(), 0))
    }
}

#[cfg(test)]
mod tests {
    use duress_models::TrainingData;
    use duress_models::train::Run;

    use super::*;

    #[test]
    fn a_row_of_a_diffusion_follows_from_its_number_and_lies_in_the_box() {
        let domain = Domain::image(1, 4, 4).unwrap();
        let values: Vec<f32> = (0..16 * 16).map(|value| (value % 7) as f32 / 6.0).collect();
        let (labels, ids) = (vec![0; 16], (0..16).collect::<Vec<u64>>());
        let data =
            TrainingData { rows: &values, labels: &labels, ids: &ids, domain: &domain, classes: 1 };
        let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
        let plan = DiffusionPlan { steps: 4, width: 2, epochs: 1, ..DiffusionPlan::default() };
        let fitted = Fitted::train(&plan, &data, Seed(1), Run::new(&passes)).unwrap();
        let all = fitted.sample(&(0..40).collect::<Vec<u64>>(), Seed(2), &passes).unwrap();
        assert_eq!(all.len(), 40 * 16);
        assert!(domain.check(&all).is_ok());
        assert_eq!(fitted.sample(&[37, 3], Seed(2), &passes).unwrap()[16..], all[3 * 16..4 * 16]);
        assert_ne!(fitted.sample(&[3], Seed(3), &passes).unwrap(), all[3 * 16..4 * 16]);
        assert!(fitted.sample(&[], Seed(2), &passes).unwrap().is_empty());
    }
}
