//! Projection on principal components.
//!
//! Bhagoji, Cullina, Sitawarin, Mittal. *Enhancing Robustness of Machine Learning Systems via Data
//! Transformations.* CISS 2018. <https://arxiv.org/abs/1704.02654>
mod basis;

use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Domain, Error, Result};
use serde::{Deserialize, Serialize};

pub use basis::Basis;

use crate::table::{Entry, defaults, transformation};
use crate::transformation::mapping::in_range;
use crate::transformation::{Backward, Draws, Mapping, TrainingRows, Transformation};

/// Keeps of each row what its main directions of variation in the training samples explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PcaDenoising {
    /// Components as a share of the features, rounded up: the paper's 100 of MNIST's 784.
    pub share: f64,
    /// What the training samples gave.
    #[serde(skip)]
    pub basis: Option<Arc<Basis>>,
}

impl Default for PcaDenoising {
    fn default() -> Self {
        Self { share: 100.0 / 784.0, basis: None }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "pca-denoising",
    summary: "projection on the principal components of the training samples",
    reference: "arXiv:1704.02654",
    defaults: defaults::<PcaDenoising>,
    parse: transformation::<PcaDenoising>,
};

impl PcaDenoising {
    fn components(&self, features: usize) -> usize {
        // A share that was meant to give a whole number does.
        ((self.share * features as f64 - 1e-9).ceil() as usize).clamp(1, features)
    }
}

impl Transformation for PcaDenoising {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        self.check(data.domain())?;
        let components = self.components(data.domain().features());
        let basis = Some(Arc::new(Basis::fit(data, components)));
        Ok(Some(Box::new(Self { basis, ..self.clone() })))
    }

    fn check(&self, _: &Domain) -> Result<()> {
        let range = (std::ops::Bound::Excluded(0.0), std::ops::Bound::Included(1.0));
        in_range(ENTRY.name, "share", self.share, range, "above 0 and at most 1")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let Some(basis) = &self.basis else {
            return Err(Error::NotFitted { algorithm: ENTRY.name });
        };
        if basis.features() != domain.features() {
            return Err(Error::Shape {
                what: "rows of a projection on principal components",
                expected: format!("{} features, as it was fitted on", basis.features()),
                got: format!("{} features", domain.features()),
            });
        }
        Ok(Box::new(Projection(Arc::clone(basis))))
    }
}

struct Projection(Arc<Basis>);

impl Mapping for Projection {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        let device = rows.device().inner();
        let (mean, directions) = self.0.tensors(&device);
        let centred = rows - mean.clone();
        centred.matmul(directions.clone().transpose()).matmul(directions) + mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    fn projected(share: f64, rows: [[f32; 3]; 2]) -> Vec<f32> {
        let domain = Domain::table(vec![-9.0; 3], vec![9.0; 3]).unwrap();
        // The mean is (1, 2, 3); most variation is along (1, 1, 0), none along the last column.
        let values = [5.0, 6.0, 3.0, -3.0, -2.0, 3.0, 1.5, 1.5, 3.0, 0.5, 2.5, 3.0];
        let data = TrainingRows::new(&values, &domain).unwrap();
        let fitted = PcaDenoising { share, basis: None }.fit(&data).unwrap().unwrap();
        let mapping = fitted.prepare(&domain).unwrap();
        let rows = Tensor::<2>::from_data(rows, &Device::flex());
        floats(mapping.apply(rows, &Draws::shared(0))).unwrap()
    }

    #[test]
    fn all_components_are_the_identity_though_one_has_no_variation() {
        let got = projected(1.0, [[0.25, -4.0, 2.0], [1.0, 2.0, 3.0]]);
        for (got, was) in got.iter().zip([0.25, -4.0, 2.0, 1.0, 2.0, 3.0]) {
            assert!((got - was).abs() < 1e-5, "{got} {was}");
        }
    }

    #[test]
    fn one_component_is_the_line_of_most_variation_through_the_mean() {
        let got = projected(1.0 / 3.0, [[3.0, 2.0, 9.0], [1.0, 2.0, 3.0]]);
        for (got, expected) in got.iter().zip([2.0, 3.0, 3.0, 1.0, 2.0, 3.0]) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    #[test]
    fn without_training_samples_it_says_so() {
        let domain = Domain::image(1, 2, 2).unwrap();
        let error = PcaDenoising::default().prepare(&domain).err().unwrap();
        assert_eq!(error, Error::NotFitted { algorithm: "pca-denoising" });
    }
}
