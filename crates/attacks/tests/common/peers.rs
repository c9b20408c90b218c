//! Trained classifiers and what other libraries' attacks measured on them, where they are at hand.
#![allow(clippy::print_stdout, clippy::unwrap_used, dead_code, unreachable_pub)]
use std::path::{Path, PathBuf};

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use duress_core::{Classifier, Domain, Frozen};
use safetensors::SafeTensors;

/// A classifier, its evaluation images and the measurements.
pub struct Peer {
    pub model: Box<dyn Classifier>,
    /// Rows of 784 values.
    pub images: Vec<f32>,
    pub labels: Vec<usize>,
    /// Summaries of the libraries' results.
    pub results: serde_json::Value,
}

/// The peer called `name` in the folder that `DURESS_MODELS` names, or in `../shared/models` beside
/// the workspace; `None`, told on the test's output, where it is not there.
pub fn load(name: &str) -> Option<Peer> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models");
    let models = std::env::var_os("DURESS_MODELS").map_or_else(|| beside.into(), PathBuf::from);
    let folder = models.join("peers").join(name);
    if !folder.join("model.safetensors").is_file() {
        println!("SKIPPED: no peer `{name}` in {}", models.display());
        return None;
    }
    let results = std::fs::read(folder.join("results.json")).unwrap();
    let mut archive = npyz::npz::NpzArchive::open(folder.join("eval.npz")).unwrap();
    let images = archive.by_name("x").unwrap().unwrap().into_vec::<f32>().unwrap();
    let labels = archive.by_name("y").unwrap().unwrap().into_vec::<i64>().unwrap();
    Some(Peer {
        model: Box::new(classifier(&folder.join("model.safetensors"))),
        images,
        labels: labels.into_iter().map(|label| usize::try_from(label).unwrap()).collect(),
        results: serde_json::from_slice(&results).unwrap(),
    })
}

/// Two convolutions of 3×3, each pooled by two, and two fully connected layers.
#[derive(Module, Debug)]
struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
}

impl Cnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = self.pool.forward(relu(self.conv1.forward(images)));
        let maps = self.pool.forward(relu(self.conv2.forward(maps)));
        self.fc2.forward(relu(self.fc1.forward(maps.flatten::<2>(1, 3))))
    }
}

fn classifier(file: &Path) -> impl Classifier + use<> {
    let device = Device::flex();
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let conv = |channels| {
        Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
    };
    let mut cnn = Cnn {
        conv1: conv([1, 16]).init(&device),
        conv2: conv([16, 32]).init(&device),
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        fc1: LinearConfig::new(1568, 64).init(&device),
        fc2: LinearConfig::new(64, 10).init(&device),
    };
    for (conv, name) in [(&mut cnn.conv1, "conv1"), (&mut cnn.conv2, "conv2")] {
        conv.weight = Param::from_tensor(tensor(&tensors, name, "weight"));
        conv.bias = Some(Param::from_tensor(tensor(&tensors, name, "bias")));
    }
    for (linear, name) in [(&mut cnn.fc1, "fc1"), (&mut cnn.fc2, "fc2")] {
        // There `[out, in]`, here `[in, out]`.
        linear.weight = Param::from_tensor(tensor::<2>(&tensors, name, "weight").transpose());
        linear.bias = Some(Param::from_tensor(tensor(&tensors, name, "bias")));
    }
    let domain = Domain::image(1, 28, 28).unwrap();
    Frozen::<_, Tensor<4>, _>::new(&cnn, domain, Cnn::forward).unwrap()
}

fn tensor<const D: usize>(tensors: &SafeTensors<'_>, layer: &str, part: &str) -> Tensor<D> {
    let view = tensors.tensor(&format!("{layer}.{part}")).unwrap();
    let (pieces, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = pieces.iter().map(|&piece| f32::from_le_bytes(piece)).collect();
    Tensor::from_data(TensorData::new(values, view.shape().to_vec()), &Device::flex())
}
