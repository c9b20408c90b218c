//! Gaussian smoothing.
//!
//! Xu, Evans, Qi. *Feature Squeezing: Detecting Adversarial Examples in Deep Neural Networks.*
//! NDSS 2018, §III.B, names it beside the median. <https://arxiv.org/abs/1704.01155>
use burn::prelude::*;
use duress_attacks::image::gaussian_filter;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::mirrored;
use crate::transformation::mapping::in_range;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Convolves each plane with a Gaussian, cut at three standard deviations; the border is mirrored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianSmoothing {
    /// Standard deviation in pixels, above 0 and at most 10.
    pub sigma: f64,
}

impl Default for GaussianSmoothing {
    fn default() -> Self {
        Self { sigma: 1.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "gaussian-smoothing",
    summary: "convolution of the picture with a Gaussian",
    reference: "arXiv:1704.01155",
    defaults: defaults::<GaussianSmoothing>,
    parse: transformation::<GaussianSmoothing>,
};

impl Transformation for GaussianSmoothing {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        let positive = (std::ops::Bound::Excluded(0.0), std::ops::Bound::Included(10.0));
        in_range(ENTRY.name, "sigma", self.sigma, positive, "above 0 and at most 10")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let shape @ [channels, height, width] = domain.image_shape()?;
        let weights = kernel(self.sigma);
        let radius = weights.len() / 2;
        let mut border = Vec::new();
        let (tall, wide) = (height + 2 * radius, width + 2 * radius);
        for place in 0..channels * tall * wide {
            let (channel, y, x) = (place / (tall * wide), place / wide % tall, place % wide);
            let back = |at: usize, size| mirrored(0, at as isize - radius as isize, size);
            let from = (channel * height + back(y, height)) * width + back(x, width);
            border.push(from as i64);
        }
        Ok(Box::new(Smooth { shape, border, weights }))
    }
}

/// The weights of one axis, of sum 1.
fn kernel(sigma: f64) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as i32;
    let density = |place: i32| (-0.5 * (f64::from(place) / sigma).powi(2)).exp();
    let weights: Vec<f64> = (-radius..=radius).map(density).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / total) as f32).collect()
}

struct Smooth {
    shape: [usize; 3],
    /// Where each feature of the picture with its border comes from.
    border: Vec<i64>,
    weights: Vec<f32>,
}

impl Mapping for Smooth {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        let [channels, height, width] = self.shape;
        let ([count, features], radius) = (rows.dims(), self.weights.len() / 2);
        let from = TensorData::new(self.border.clone(), [self.border.len()]);
        let from = Tensor::<1, Int>::from_data(from, &rows.device().inner());
        let (tall, wide) = (height + 2 * radius, width + 2 * radius);
        let smooth = gaussian_filter(rows.select(1, from), [channels, tall, wide], &self.weights);
        let planes = smooth.reshape([count, channels, tall, wide]);
        let inner = planes.narrow(2, radius, height).narrow(3, radius, width);
        inner.reshape([count, features])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    fn smooth(values: Vec<f32>, [channels, height, width]: [usize; 3], sigma: f64) -> Vec<f32> {
        let domain = Domain::image(channels, height, width).unwrap();
        let mapping = GaussianSmoothing { sigma }.prepare(&domain).unwrap();
        let data = TensorData::new(values, [1, domain.features()]);
        let rows = Tensor::from_data(data, &Device::flex());
        floats(mapping.apply(rows, &Draws::shared(0))).unwrap()
    }

    #[test]
    fn a_point_becomes_the_kernel_and_a_flat_picture_stays() {
        let mut point = vec![0.0; 49];
        point[24] = 1.0;
        let got = smooth(point, [1, 7, 7], 0.5);
        let weights = kernel(0.5);
        assert_eq!(weights.len(), 5);
        assert!((got[24] - weights[2] * weights[2]).abs() < 1e-6);
        assert!((got[25] - weights[2] * weights[3]).abs() < 1e-6);
        assert!((weights[3] / weights[2] - (-2.0_f32).exp()).abs() < 1e-6);
        // The border is mirrored: nothing darkens.
        for value in smooth(vec![0.75; 2 * 3 * 4], [2, 3, 4], 2.0) {
            assert!((value - 0.75).abs() < 1e-6, "{value}");
        }
    }
}
