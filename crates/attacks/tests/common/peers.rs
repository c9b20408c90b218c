//! Small networks that others trained, and what other toolkits' attacks did to them.
//!
//! Not part of the project: looked for in the folder `DURESS_MODELS`, else in `shared/models`
//! beside the workspace.
#![allow(clippy::print_stderr, clippy::unwrap_used, dead_code, unreachable_pub)]
use std::fs;
use std::io::BufReader;
use std::path::PathBuf;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use duress_core::{Domain, Frozen};
use npyz::npz::NpzArchive;
use safetensors::SafeTensors;

/// Convolutions 1 → 16 → 32 with pooling, then 1568 → 64 → 10.
#[derive(Module, Debug)]
pub struct SmallNet {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
}

impl SmallNet {
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.conv1.forward(x)));
        let x = self.pool.forward(relu(self.conv2.forward(x)));
        self.fc2.forward(relu(self.fc1.forward(x.flatten(1, 3))))
    }
}

/// A network with its images and labels.
pub struct Peer {
    pub folder: PathBuf,
    pub net: SmallNet,
    pub images: Vec<f32>,
    pub labels: Vec<usize>,
}

/// The network of that name, or `None` (with a line on standard error) where it is not there.
pub fn peer(name: &str) -> Option<Peer> {
    let root = std::env::var_os("DURESS_MODELS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models")),
        PathBuf::from,
    );
    let folder = root.join("peers").join(name);
    if !folder.join("model.safetensors").exists() {
        eprintln!("SKIPPED: no {} (set DURESS_MODELS)", folder.display());
        return None;
    }
    let net = load(&fs::read(folder.join("model.safetensors")).unwrap());
    let mut archive =
        NpzArchive::new(BufReader::new(fs::File::open(folder.join("eval.npz")).unwrap())).unwrap();
    let images = archive.by_name("x").unwrap().unwrap().into_vec::<f32>().unwrap();
    let labels = archive.by_name("y").unwrap().unwrap().into_vec::<i64>().unwrap();
    let labels = labels.into_iter().map(|label| label as usize).collect();
    Some(Peer { folder, net, images, labels })
}

impl Peer {
    pub fn classifier(
        &self,
    ) -> Frozen<SmallNet, Tensor<4>, impl Fn(&SmallNet, Tensor<4>) -> Tensor<2> + Send + Sync + use<>>
    {
        Frozen::new(&self.net, Domain::image(1, 28, 28).unwrap(), SmallNet::forward).unwrap()
    }

    /// The first `count` images as rows.
    pub fn rows(&self, count: usize) -> Tensor<2> {
        let values = self.images[..count * 784].to_vec();
        Tensor::from_data(TensorData::new(values, [count, 784]), &Device::flex())
    }

    /// What a peer found: an array of `results.npz`.
    pub fn verdicts(&self, key: &str) -> Vec<bool> {
        self.results().by_name(key).unwrap().unwrap().into_vec::<bool>().unwrap()
    }

    /// A number a sample of `results.npz`.
    pub fn numbers(&self, key: &str) -> Vec<f32> {
        self.results().by_name(key).unwrap().unwrap().into_vec::<f32>().unwrap()
    }

    /// Summaries of the peers' results: `results.json`.
    pub fn summary(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.folder.join("results.json")).unwrap()).unwrap()
    }

    /// Whether `results.npz` has an array of that name.
    pub fn has(&self, key: &str) -> bool {
        self.results().array_names().any(|name| name == key)
    }

    fn results(&self) -> NpzArchive<BufReader<fs::File>> {
        let file = fs::File::open(self.folder.join("results.npz")).unwrap();
        NpzArchive::new(BufReader::new(file)).unwrap()
    }
}

fn load(bytes: &[u8]) -> SmallNet {
    let device = Device::flex();
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let data = |name: &str| {
        let view = tensors.tensor(name).unwrap();
        let words = view.data().chunks_exact(4);
        let values: Vec<f32> =
            words.map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
        TensorData::new(values, view.shape().to_vec())
    };
    let vector = |name: &str| Some(Param::from_tensor(Tensor::from_data(data(name), &device)));
    let conv = |name: &str, channels: [usize; 2]| {
        let config =
            Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        let weight = Tensor::<4>::from_data(data(&format!("{name}.weight")), &device);
        Conv2d {
            weight: Param::from_tensor(weight),
            bias: vector(&format!("{name}.bias")),
            ..config.init(&device)
        }
    };
    let linear = |name: &str| {
        // Stored as [outputs, inputs]; burn multiplies from the right. Not as a view: products with
        // one choose another kernel for few rows.
        let stored = Tensor::<2>::from_data(data(&format!("{name}.weight")), &device);
        let weight = Tensor::<2>::from_data(stored.transpose().into_data(), &device);
        let bias = vector(&format!("{name}.bias"));
        Linear { weight: Param::from_tensor(weight), bias }
    };
    SmallNet {
        conv1: conv("conv1", [1, 16]),
        conv2: conv("conv2", [16, 32]),
        pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        fc1: linear("fc1"),
        fc2: linear("fc2"),
    }
}
