//! He-normal weights from the seeded streams of the workspace.
//!
//! He, Zhang, Ren, Sun. *Delving Deep into Rectifiers.* ICCV 2015, eq. (10).
//! <https://arxiv.org/abs/1502.01852>
use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use duress_core::{Seed, Use};
use rand_distr::{Distribution, StandardNormal};

/// Draws each weight of rank two or more from `N(0, 2 / fan_in)`, sets biases and batch-norm
/// shifts to zero and leaves scales and running statistics alone.
///
/// The weight number `n` in the order of the module has the stream `(seed, n)`: same seed, same
/// bits on each device. burn's own generator, global to the process, is never asked: a parameter
/// that burn has not drawn yet is replaced undrawn.
#[must_use]
pub fn he_normal<M: Module>(module: M, seed: Seed) -> M {
    module.map(&mut HeNormal { seed, ordinal: 0, path: Vec::new() })
}

struct HeNormal {
    seed: Seed,
    ordinal: u64,
    path: Vec<String>,
}

impl ModuleMapper for HeNormal {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let values = if D >= 2 {
            // Convolutions are [out, in, height, width], linear layers [in, out].
            let fan_in: usize = match D {
                2 => shape[0],
                _ => shape.iter().skip(1).product(),
            };
            let scale = (2.0 / fan_in as f64).sqrt();
            let mut rng = self.seed.stream(self.ordinal, 0, 0, Use::Weights);
            self.ordinal += 1;
            let draw = |_| {
                let normal: f64 = StandardNormal.sample(&mut rng);
                (normal * scale) as f32
            };
            (0..shape.num_elements()).map(draw).collect()
        } else if self.path.last().is_some_and(|name| name == "bias" || name == "beta") {
            vec![0.0; shape.num_elements()]
        } else {
            return param;
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use duress_core::host;

    fn layer(seed: u64) -> Linear {
        he_normal(LinearConfig::new(200, 300).init(&Device::flex()), Seed(seed))
    }

    fn weights(layer: &Linear) -> Vec<f32> {
        host::floats(layer.weight.val()).unwrap()
    }

    /// 60 000 draws: the mean is within 5 σ/√n of 0 and the variance within 5 % of 2 / 200.
    #[test]
    fn weights_have_the_variance_of_he_and_biases_are_zero() {
        let layer = layer(1);
        let values = weights(&layer);
        let count = values.len() as f64;
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let second = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 5.0 * 0.1 / count.sqrt(), "{mean}");
        assert!((second - 0.01).abs() < 0.0005, "{second}");
        assert!(host::floats(layer.bias.unwrap().val()).unwrap().iter().all(|&bias| bias == 0.0));
    }

    #[test]
    fn the_seed_decides_the_bits_and_the_global_generator_does_not() {
        Device::flex().seed(1);
        let first = weights(&layer(7));
        Device::flex().seed(2);
        assert_eq!(first, weights(&layer(7)));
        assert_ne!(first, weights(&layer(8)));
    }
}
