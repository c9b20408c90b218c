//! Initial weights from the seeded streams of the workspace.
use std::collections::HashMap;
use std::f64::consts::PI;

use burn::module::{ModuleMapper, Param, ParamId};
use burn::prelude::*;
use duress_core::{Seed, Use};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::network::{Layer, Layered};

/// Draws each weight of rank two or more from `N(0, 2 / fan_in)`, sets biases and batch-norm
/// shifts to zero and leaves scales and running statistics alone.
///
/// The weight number `n` in the order of the module has the stream `(seed, n)`: same seed, same
/// bits on each device. burn's own generator, global to the process, is never asked: a parameter
/// that burn has not drawn yet is replaced undrawn.
#[must_use]
pub fn he_normal<M: Module>(module: M, seed: Seed) -> M {
    drawn(module, seed, HashMap::new())
}

fn drawn<M: Module>(module: M, seed: Seed, deviations: HashMap<ParamId, f64>) -> M {
    module.map(&mut Normal { seed, ordinal: 0, path: Vec::new(), deviations })
}

/// How initial weights are drawn. Biases are zero, scales of batch norms one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initialization {
    /// `N(0, 2 / n)` with `n` inputs of a result, which keeps the size of activations.
    ///
    /// He, Zhang, Ren, Sun. *Delving Deep into Rectifiers.* ICCV 2015, eq. (10).
    /// <https://arxiv.org/abs/1502.01852>
    #[default]
    He,
    /// `N(0, 2π / n²)`, which keeps the width of intervals; half that deviation where a rectified
    /// sum of two branches comes in; as [`Initialization::He`] in the last layer.
    ///
    /// Shi, Wang, Zhang, Yi, Hsieh. *Fast Certified Robust Training with Short Warmup.* `NeurIPS`
    /// 2021, §3.1. <https://arxiv.org/abs/2103.17268>
    Ibp,
}

impl Initialization {
    /// Draws the weights of a network, as [`he_normal`] does but for the deviations.
    ///
    /// # Errors
    /// As [`Layered::layers`], for [`Initialization::Ibp`].
    pub(crate) fn draw<M: Layered>(self, network: M, seed: Seed) -> Result<M> {
        let deviations = match self {
            Initialization::He => HashMap::new(),
            Initialization::Ibp => ibp_deviations(&network)?,
        };
        Ok(drawn(network, seed, deviations))
    }
}

/// The deviation of each weight that does not keep that of He.
fn ibp_deviations<M: Layered>(network: &M) -> Result<HashMap<ParamId, f64>> {
    let mut layers = network.layers()?;
    if matches!(layers.last(), Some(Layer::Linear(_))) {
        layers.pop();
    }
    let mut deviations = HashMap::new();
    collect(&layers, Before::Other, &mut deviations);
    Ok(deviations)
}

/// What is before a layer.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Sum,
    RectifiedSum,
    Other,
}

fn collect(layers: &[Layer<'_>], before: Before, deviations: &mut HashMap<ParamId, f64>) {
    let mut before = before;
    for layer in layers {
        let mut note = |id, inputs: usize| {
            let share = if before == Before::RectifiedSum { 0.5 } else { 1.0 };
            deviations.insert(id, share * (2.0 * PI).sqrt() / inputs as f64);
        };
        match layer {
            Layer::Linear(layer) => note(layer.weight.id, layer.weight.lazy_shape()[0]),
            Layer::Convolution(layer) => {
                note(layer.weight.id, layer.weight.lazy_shape().iter().skip(1).product());
            }
            Layer::Residual { body, shortcut } => {
                collect(body, before, deviations);
                collect(shortcut, before, deviations);
            }
            _ => {}
        }
        before = match (layer, before) {
            (Layer::Residual { .. }, _) => Before::Sum,
            (Layer::Relu, Before::Sum) => Before::RectifiedSum,
            _ => Before::Other,
        };
    }
}

struct Normal {
    seed: Seed,
    ordinal: u64,
    path: Vec<String>,
    deviations: HashMap<ParamId, f64>,
}

impl ModuleMapper for Normal {
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
            let he = (2.0 / fan_in as f64).sqrt();
            let scale = self.deviations.get(&param.id).copied().unwrap_or(he);
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
    use crate::{Architecture, Network, Weights};
    use duress_core::Domain;

    fn network(architecture: &Architecture, by: Initialization, seed: u64) -> Weights {
        let domain = Domain::image(1, 16, 16).unwrap();
        let blank: Network = architecture.blank(&domain, 10, &Device::flex()).unwrap();
        Weights::of(&by.draw(blank, Seed(seed)).unwrap()).unwrap()
    }

    fn second_moment(values: &[f32]) -> f64 {
        values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64
    }

    /// 25 600 draws: the mean is within 5 σ/√n of 0 and the variance within 5 % of 2 / 256.
    #[test]
    fn weights_have_the_variance_of_he_and_biases_are_zero() {
        let weights = network(&Architecture::Mlp { hidden: vec![100] }, Initialization::He, 1);
        let values = weights.get("layers.0.weight").unwrap();
        let (count, variance) = (values.len() as f64, 2.0 / 256.0);
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        assert!(mean.abs() < 5.0 * (variance / count).sqrt(), "{mean}");
        let second = second_moment(values);
        assert!((second / variance - 1.0).abs() < 0.05, "{second}");
        assert!(weights.get("layers.0.bias").unwrap().iter().all(|&bias| bias == 0.0));
    }

    /// The same draws, in other sizes: √(2π)/n for √(2/n) is a factor of √(π/n), half of it where a
    /// rectified sum comes in, and the last layer is left alone.
    #[test]
    fn interval_weights_are_those_of_he_in_the_sizes_of_the_paper() {
        let architecture = Architecture::ResNet { depth: 8 };
        let he = network(&architecture, Initialization::He, 2);
        let ibp = network(&architecture, Initialization::Ibp, 2);
        for (name, inputs, share) in [
            ("conv.weight", 9.0, 1.0),
            ("blocks.0.conv1.weight", 144.0, 1.0),
            ("blocks.0.conv2.weight", 144.0, 1.0),
            ("blocks.1.conv1.weight", 144.0, 0.5),
            ("blocks.1.shortcut.conv.weight", 16.0, 0.5),
            ("blocks.2.conv2.weight", 576.0, 1.0),
        ] {
            let factor = share * (PI / inputs).sqrt();
            for (ibp, he) in ibp.get(name).unwrap().iter().zip(he.get(name).unwrap()) {
                assert!((f64::from(*ibp) - f64::from(*he) * factor).abs() < 1e-6, "{name}");
            }
        }
        assert_eq!(ibp.get("fc.weight"), he.get("fc.weight"));
    }

    #[test]
    fn the_seed_decides_the_bits_and_the_global_generator_does_not() {
        let architecture = Architecture::SmallCnn {};
        for by in [Initialization::He, Initialization::Ibp] {
            Device::flex().seed(1);
            let first = network(&architecture, by, 7).digest();
            Device::flex().seed(2);
            assert_eq!(first, network(&architecture, by, 7).digest());
            assert_ne!(first, network(&architecture, by, 8).digest());
        }
    }
}
