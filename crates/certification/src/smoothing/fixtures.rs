//! Classifiers whose smoothed form is known on paper.
use burn::prelude::*;
use duress_core::{Classifier, Domain, Passes, Result, Seed, Silent};

use crate::table::{Certificate, Certifier};

/// Class 1 where the one feature is above a threshold, else class 0.
pub(crate) struct Threshold {
    domain: Domain,
    at: f32,
}

impl Threshold {
    pub(crate) fn at(at: f32) -> Self {
        Self { domain: Domain::image(1, 1, 1).unwrap(), at }
    }
}

impl Classifier for Threshold {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let margin = rows - self.at;
        Tensor::cat(vec![margin.clone() * 0.0, margin], 1)
    }
}

/// The certificate at the one feature `at`.
pub(crate) fn certify(
    certifier: &dyn Certifier,
    model: &dyn Classifier,
    at: f32,
    seed: u64,
) -> Result<Certificate> {
    let device = Device::flex();
    let passes = Passes::new(&device)?;
    let row = Tensor::<2>::from_data([[at]], &device);
    certifier.certify(model, &passes, row, (Seed(seed), 7), &Silent)
}
