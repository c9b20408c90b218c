//! A classifier of normalised rows, seen in raw units.
use burn::prelude::*;
use duress_core::{Activation, Classifier, Domain};

use crate::{Error, Normalization, Result};

/// `f((x − mean) / std)` for an `f` that expects normalised rows.
///
/// Its domain is raw, so that radii and bounds keep their units. An attack sees through it: the
/// gradient is the chain rule's.
#[derive(Clone, Debug)]
pub struct Normalized<C> {
    inner: C,
    normalization: Normalization,
    domain: Domain,
}

impl<C: Classifier> Normalized<C> {
    /// `inner` behind `normalization`, on the raw `domain`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there is one pair a channel or column, and unless the layout of
    /// the inner domain is the same.
    pub fn new(inner: C, normalization: Normalization, domain: Domain) -> Result<Self> {
        normalization.check(&domain)?;
        if inner.domain().layout() != domain.layout() {
            return Err(Error::Parameter {
                what: "normalized classifier",
                field: "domain",
                expected: format!("{:?}", inner.domain().layout()),
                got: format!("{:?}", domain.layout()),
            });
        }
        Ok(Self { inner, normalization, domain })
    }
}

impl<C: Classifier> Classifier for Normalized<C> {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.inner.forward(self.normalization.apply(rows))
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        self.inner.activations(self.normalization.apply(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decorators::test::{First, Linear};
    use duress_core::{Goal, host, input_gradient};

    /// `⟨w, (x − ½) / 2⟩` has the gradient `w / 2`.
    #[test]
    fn the_gradient_is_the_inner_one_over_the_deviation() {
        let device = Device::flex();
        let domain = Domain::image(1, 1, 2).unwrap();
        let normalization = Normalization::new(vec![0.5], vec![2.0]).unwrap();
        let inner = Linear::new([[3.0, 0.0], [-1.0, 0.0]]);
        let model = Normalized::new(inner, normalization, domain).unwrap();
        let aim = Goal::Untargeted(vec![0]).aim(&device);
        let rows = Tensor::from_data([[1.0, 0.5]], &device);
        let got = input_gradient(&model, rows, &aim, &First).unwrap();
        assert_eq!(host::floats(got.gradient).unwrap(), [1.5, -0.5]);
        assert_eq!(host::floats(got.logits).unwrap(), [0.75, 0.0]);
    }

    #[test]
    fn a_domain_of_another_layout_is_rejected() {
        let inner = Linear::new([[1.0, 0.0], [0.0, 1.0]]);
        let normalization = Normalization::new(vec![0.5], vec![2.0]).unwrap();
        let error = Normalized::new(inner, normalization, Domain::image(1, 2, 1).unwrap());
        assert!(matches!(error, Err(Error::Parameter { field: "domain", .. })));
    }
}
