//! The network that all toolkits attack, and its weights in the layout of `PyTorch`.
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use duress_core::{Seed, Use, host};
use duress_models::{Trainable, max_pool2d};
use rand_distr::{Distribution, StandardNormal};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

/// What `meta.json` calls the architecture.
pub(crate) const FORWARD: &str = "conv1 relu maxpool2 conv2 relu maxpool2 flatten fc1 relu fc2";

/// Classes of the data.
pub(crate) const CLASSES: usize = 10;

const CHANNELS: [usize; 2] = [16, 32];
const HIDDEN: usize = 64;

/// Convolutions 1 → 16 → 32 (3 × 3), each with a rectifier and pooled by 2, then linear layers with
/// 64 and 10 outputs. Square grey images whose side is a multiple of four.
#[derive(Module, Debug)]
pub(crate) struct SmallNet {
    pub(crate) conv1: Conv2d,
    pub(crate) conv2: Conv2d,
    pub(crate) fc1: Linear,
    pub(crate) fc2: Linear,
}

/// Values and shape of each weight by its name in the file; linear layers are `[outputs, inputs]`.
pub(crate) type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl SmallNet {
    /// Logits, `[N, 1, side, side] → [N, 10]`.
    pub(crate) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let pool = |maps| max_pool2d(maps, [2, 2], [2, 2]);
        let maps = pool(relu(self.conv1.forward(images)));
        let maps = pool(relu(self.conv2.forward(maps)));
        self.fc2.forward(relu(self.fc1.forward(maps.flatten(1, 3))))
    }

    /// He-normal weights and biases of zero.
    pub(crate) fn new(side: usize, seed: Seed, device: &Device) -> Result<Self> {
        let draw = |(ordinal, (name, shape)): (usize, (&str, Vec<usize>))| {
            let count = shape.iter().product();
            let inputs: usize = shape.iter().skip(1).product();
            let scale = (2.0 / inputs as f64).sqrt();
            let mut rng = seed.stream(ordinal as u64, 0, 0, Use::Weights);
            let normal = |_| {
                let normal: f64 = StandardNormal.sample(&mut rng);
                (normal * scale) as f32
            };
            let values = match shape.len() {
                1 => vec![0.0; count],
                _ => (0..count).map(normal).collect(),
            };
            (name.to_owned(), (shape, values))
        };
        Self::assemble(&shapes(side).into_iter().enumerate().map(draw).collect(), side, device)
    }

    /// Reads a safetensors file for images of that side.
    pub(crate) fn read(bytes: &[u8], side: usize, device: &Device) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).context("not a safetensors file")?;
        let mut weights = Weights::new();
        for (name, view) in tensors.iter() {
            if view.dtype() != Dtype::F32 {
                bail!("`{name}` holds {:?}, not F32", view.dtype());
            }
            let (words, _) = view.data().as_chunks::<4>();
            let values = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
            weights.insert(name.to_owned(), (view.shape().to_vec(), values));
        }
        Self::assemble(&weights, side, device)
    }

    /// The bytes of a safetensors file.
    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        let weights = self.weights()?;
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = weights
            .iter()
            .map(|(name, (shape, values))| {
                (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, (*shape).clone(), bytes)?))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(serialize(views, None)?)
    }

    fn assemble(weights: &Weights, side: usize, device: &Device) -> Result<Self> {
        for (name, shape) in shapes(side) {
            let (got, _) = weights.get(name).with_context(|| format!("no tensor `{name}`"))?;
            if *got != shape {
                bail!("`{name}` has the shape {got:?}, not {shape:?}");
            }
        }
        let data = |name: &str| {
            let (shape, values) = &weights[name];
            TensorData::new(values.clone(), shape.clone())
        };
        let bias = |layer: &str| {
            let name = format!("{layer}.bias");
            Some(Param::from_tensor(Tensor::<1>::from_data(data(&name), device)))
        };
        let conv = |layer: &str, channels: [usize; 2]| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            let config = Conv2dConfig::new(channels, [3, 3]).with_padding(padding);
            let weight = Tensor::<4>::from_data(data(&format!("{layer}.weight")), device);
            let (weight, bias) = (Param::from_tensor(weight), bias(layer));
            Conv2d { weight, bias, ..config.init(device) }
        };
        let linear = |layer: &str| {
            // burn multiplies from the right. Not by a view: products with one choose another kernel
            // for few rows, so that small batches would need padding.
            let (shape, values) = &weights[&format!("{layer}.weight")];
            let [outputs, inputs] = [shape[0], shape[1]];
            let turned = (0..inputs * outputs)
                .map(|place| values[place % outputs * inputs + place / outputs])
                .collect::<Vec<_>>();
            let weight = Tensor::<2>::from_data(TensorData::new(turned, [inputs, outputs]), device);
            Linear { weight: Param::from_tensor(weight), bias: bias(layer) }
        };
        let [first, second] = CHANNELS;
        Ok(Self {
            conv1: conv("conv1", [1, first]),
            conv2: conv("conv2", [first, second]),
            fc1: linear("fc1"),
            fc2: linear("fc2"),
        })
    }

    fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        let mut keep = |name: &str, shape: Vec<usize>, values: duress_core::Result<Vec<f32>>| {
            weights.insert(name.into(), (shape, values?));
            anyhow::Ok(())
        };
        for (layer, conv) in [("conv1", &self.conv1), ("conv2", &self.conv2)] {
            let weight = conv.weight.val();
            let shape = weight.dims().to_vec();
            keep(&format!("{layer}.weight"), shape, host::floats(weight))?;
            if let Some(bias) = &conv.bias {
                keep(&format!("{layer}.bias"), bias.dims().to_vec(), host::floats(bias.val()))?;
            }
        }
        for (layer, linear) in [("fc1", &self.fc1), ("fc2", &self.fc2)] {
            let weight = linear.weight.val().transpose();
            let shape = weight.dims().to_vec();
            keep(&format!("{layer}.weight"), shape, host::floats(weight))?;
            if let Some(bias) = &linear.bias {
                keep(&format!("{layer}.bias"), bias.dims().to_vec(), host::floats(bias.val()))?;
            }
        }
        Ok(weights)
    }
}

impl Trainable for SmallNet {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let [count, features] = rows.dims();
        let side = features.isqrt();
        SmallNet::forward(self, rows.reshape([count, 1, side, side]))
    }
}

/// Every weight with its shape.
fn shapes(side: usize) -> Vec<(&'static str, Vec<usize>)> {
    let [first, second] = CHANNELS;
    vec![
        ("conv1.weight", vec![first, 1, 3, 3]),
        ("conv1.bias", vec![first]),
        ("conv2.weight", vec![second, first, 3, 3]),
        ("conv2.bias", vec![second]),
        ("fc1.weight", vec![HIDDEN, second * (side / 4) * (side / 4)]),
        ("fc1.bias", vec![HIDDEN]),
        ("fc2.weight", vec![CLASSES, HIDDEN]),
        ("fc2.bias", vec![CLASSES]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_was_written_is_read_with_the_same_bits() {
        let device = Device::flex();
        let net = SmallNet::new(8, Seed(3), &device).unwrap();
        let again = SmallNet::read(&net.write().unwrap(), 8, &device).unwrap();
        assert_eq!(net.weights().unwrap(), again.weights().unwrap());
        let rows = || Tensor::<2>::ones([2, 64], &device) * 0.5;
        let logits = |net: &SmallNet| host::floats(Trainable::forward(net, rows())).unwrap();
        assert_eq!(logits(&net), logits(&again));
        assert_eq!(logits(&net).len(), 20);
    }

    /// 160 + 4 640 + 100 416 + 650, as the network's published description says.
    #[test]
    fn on_mnist_it_has_105866_parameters() {
        assert_eq!(SmallNet::new(28, Seed(0), &Device::flex()).unwrap().num_params(), 105_866);
    }

    #[test]
    fn a_file_for_images_of_another_size_is_refused() {
        let device = Device::flex();
        let bytes = SmallNet::new(8, Seed(3), &device).unwrap().write().unwrap();
        let error = SmallNet::read(&bytes, 28, &device).unwrap_err().to_string();
        assert_eq!(error, "`fc1.weight` has the shape [64, 128], not [64, 1568]");
        let error = SmallNet::read(b"no", 8, &device).unwrap_err().to_string();
        assert_eq!(error, "not a safetensors file");
    }
}
