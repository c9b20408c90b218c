//! Gaussian noise on the input.
//!
//! Liu, Cheng, Zhang, Hsieh. *Towards Robust Neural Networks via Random Self-ensemble.* ECCV 2018,
//! the noise layer in front of the network. <https://arxiv.org/abs/1712.00673>
use burn::prelude::*;
use duress_core::{Domain, Result};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::drawn;
use crate::transformation::mapping::in_range;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Adds Gaussian noise to each feature. Not clipped: the network behind it sees what was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianNoise {
    /// Standard deviation, in units of the raw input: the paper's 0.2 of its first layer.
    pub sigma: f64,
}

impl Default for GaussianNoise {
    fn default() -> Self {
        Self { sigma: 0.2 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "gaussian-noise",
    summary: "random noise on the input",
    reference: "arXiv:1712.00673",
    defaults: defaults::<GaussianNoise>,
    parse: transformation::<GaussianNoise>,
};

impl Transformation for GaussianNoise {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, _: &Domain) -> Result<()> {
        in_range(ENTRY.name, "sigma", self.sigma, 0.0.., "at least 0")
    }

    fn prepare(&self, _: &Domain) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(Noise { sigma: self.sigma }))
    }
}

struct Noise {
    sigma: f64,
}

impl Mapping for Noise {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let noise = drawn(&rows, rows.dims()[1], draws, |generator, row| {
            row.fill_with(|| generator.sample(StandardNormal));
        });
        rows + noise * self.sigma
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn the_noise_has_the_stated_deviation_and_mean_zero() {
        let domain = Domain::table(vec![0.0; 20_000], vec![1.0; 20_000]).unwrap();
        let mapping = GaussianNoise { sigma: 0.2 }.prepare(&domain).unwrap();
        let rows = Tensor::<2>::zeros([1, 20_000], &Device::flex());
        let got = floats(mapping.apply(rows, &Draws::shared(1))).unwrap();
        let mean = got.iter().map(|&v| f64::from(v)).sum::<f64>() / 2e4;
        let power = got.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 2e4;
        assert!(mean.abs() < 0.006 && (power.sqrt() - 0.2).abs() < 0.005, "{mean} {power}");
    }
}
