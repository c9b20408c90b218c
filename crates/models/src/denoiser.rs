//! A network that takes noise off pictures.
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use duress_core::{Domain, Seed};

use crate::{Error, Result, Trainable, he_normal};

/// 3 × 3 convolutions with rectifiers between them that say what of a picture is noise.
///
/// `[N, F] → [N, F]`: `x − R(x)`, as `DnCNN`, without its batch norms: with few layers they are not
/// needed, and a row's result does not depend on statistics of noise of one strength.
///
/// Zhang, Zuo, Chen, Meng, Zhang. *Beyond a Gaussian Denoiser.* IEEE TIP 2017.
/// <https://arxiv.org/abs/1608.03981>
#[derive(Module, Debug)]
pub struct Denoiser {
    layers: Vec<Conv2d>,
    shape: [usize; 3],
}

impl Denoiser {
    /// `depth` layers, `width` maps between them, with weights drawn from `seed`.
    ///
    /// # Errors
    /// [`duress_core::Error::NotAnImage`]; [`Error::Parameter`] for a depth below 2 or no width.
    pub fn new(
        domain: &Domain,
        width: usize,
        depth: usize,
        seed: Seed,
        device: &Device,
    ) -> Result<Self> {
        let shape @ [channels, ..] = domain.image_shape()?;
        for (field, least, got) in [("width", 1, width), ("depth", 2, depth)] {
            if got < least {
                let (expected, got) = (format!("at least {least}"), got.to_string());
                return Err(Error::Parameter { what: "denoiser", field, expected, got });
            }
        }
        let layer = |index: usize| {
            let inputs = if index == 0 { channels } else { width };
            let outputs = if index + 1 == depth { channels } else { width };
            Conv2dConfig::new([inputs, outputs], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        Ok(he_normal(Self { layers: (0..depth).map(layer).collect(), shape }, seed))
    }

    /// Number of features `F` of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.shape.iter().product()
    }

    /// Rows with less noise, `[N, F] → [N, F]`.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let (dims, [channels, height, width]) = (rows.dims(), self.shape);
        let mut maps = rows.clone().reshape([dims[0], channels, height, width]);
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                maps = relu(maps);
            }
            maps = layer.forward(maps);
        }
        rows - maps.reshape(dims)
    }
}

impl Trainable for Denoiser {
    /// Denoised rows in the place of logits.
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Denoiser::forward(self, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use duress_core::host::floats;

    /// One map: the middle of the first kernel is 2, that of the second −3, with offsets 1 and ½:
    /// `x − (½ − 3 relu(2 x + 1))`.
    #[test]
    fn what_the_layers_say_is_taken_off() {
        let device = Device::flex();
        let domain = Domain::image(1, 1, 3).unwrap();
        let mut denoiser = Denoiser::new(&domain, 1, 2, Seed(1), &device).unwrap();
        for (layer, (middle, bias)) in denoiser.layers.iter_mut().zip([(2.0, 1.0), (-3.0, 0.5)]) {
            let kernel = [[[[0.0, 0.0, 0.0], [0.0, middle, 0.0], [0.0, 0.0, 0.0]]]];
            layer.weight = Param::from_data(kernel, &device);
            layer.bias = Some(Param::from_data([bias], &device));
        }
        let rows = Tensor::<2>::from_data([[0.0, 1.0, -1.0]], &device);
        assert_eq!(floats(denoiser.forward(rows)).unwrap(), [2.5, 9.5, -1.5]);
    }

    #[test]
    fn one_layer_no_width_and_tables_are_refused() {
        let picture = Domain::image(1, 2, 2).unwrap();
        let table = Domain::table(vec![0.0], vec![1.0]).unwrap();
        for (domain, width, depth, expected) in
            [(&picture, 0, 2, "`width`"), (&picture, 1, 1, "`depth`"), (&table, 1, 2, "an image")]
        {
            let made = Denoiser::new(domain, width, depth, Seed(1), &Device::flex());
            let error = made.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
