//! A classifier of rounded rows.
use burn::prelude::*;
use duress_core::{Activation, Classifier, Domain};

use crate::{Error, Result};

/// `f(q(x))`, where `q` rounds each feature to the nearest of `levels` values at equal distances
/// from the lower to the upper bound of the domain: 256 levels are the values of a byte.
///
/// An attack sees a gradient of zero, because burn's `round` has none: gradients are masked, not
/// gone. Attack the inner classifier, or differentiate through the identity (BPDA; Athalye,
/// Carlini, Wagner, ICML 2018, §4.1), before calling it robust.
#[derive(Clone, Debug)]
pub struct Quantized<C> {
    inner: C,
    levels: u32,
}

impl<C: Classifier> Quantized<C> {
    /// `inner` behind a rounding to `levels` values.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than two levels or more than 2²⁴, which f32 cannot tell
    /// apart.
    pub fn new(inner: C, levels: u32) -> Result<Self> {
        if !(2..=1 << 24).contains(&levels) {
            return Err(Error::Parameter {
                what: "quantized classifier",
                field: "levels",
                expected: "in 2..=16777216".into(),
                got: levels.to_string(),
            });
        }
        Ok(Self { inner, levels })
    }

    /// The classifier behind the rounding.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// The rounded rows, `[N, F] → [N, F]`.
    #[must_use]
    pub fn quantize(&self, rows: Tensor<2>) -> Tensor<2> {
        let (lower, upper) = self.inner.domain().bounds(&rows.device().inner());
        let span = upper.clone() - lower.clone();
        // A feature with one value has no steps; any divisor will do.
        let step = span.clone().mask_fill(span.equal_elem(0.0), 1.0) / (self.levels - 1) as f32;
        let rounded = ((rows - lower.clone()) / step.clone()).round() * step + lower.clone();
        // The last step may round past the bound.
        rounded.min_pair(upper).max_pair(lower)
    }
}

impl<C: Classifier> Classifier for Quantized<C> {
    fn domain(&self) -> &Domain {
        self.inner.domain()
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.inner.forward(self.quantize(rows))
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        self.inner.activations(self.quantize(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decorators::test::{First, Linear};
    use duress_core::{Goal, host, input_gradient};

    fn model(levels: u32) -> Quantized<Linear> {
        Quantized::new(Linear::new([[1.0, 0.0], [0.0, 1.0]]), levels).unwrap()
    }

    #[test]
    fn values_go_to_the_nearest_level() {
        let rows = || Tensor::<2>::from_data([[0.2, 0.3], [0.74, 1.0]], &Device::flex());
        let got = |levels| host::floats(model(levels).forward(rows())).unwrap();
        assert_eq!(got(3), [0.0, 0.5, 0.5, 1.0]);
        assert_eq!(got(2), [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn bytes_are_fixed_points_of_256_levels() {
        let bytes: Vec<f32> = (0..=255).map(|byte| byte as f32 / 255.0).collect();
        let rows = Tensor::from_data(TensorData::new(bytes.clone(), [128, 2]), &Device::flex());
        let got = host::floats(model(256).quantize(rows)).unwrap();
        assert!(got.iter().zip(&bytes).all(|(got, byte)| (got - byte).abs() < 1e-6));
        assert!(got.iter().all(|got| (0.0..=1.0).contains(got)));
    }

    #[test]
    fn the_gradient_is_zero_as_stated() {
        let device = Device::flex();
        let aim = Goal::Untargeted(vec![0]).aim(&device);
        let rows = Tensor::from_data([[0.2, 0.7]], &device);
        let got = input_gradient(&model(256), rows, &aim, &First).unwrap();
        assert_eq!(host::floats(got.gradient).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn one_level_is_rejected() {
        assert!(Quantized::new(Linear::new([[1.0, 0.0], [0.0, 1.0]]), 1).is_err());
    }
}
