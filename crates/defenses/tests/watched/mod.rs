//! A small network on the embedded digits, and detectors that are fitted in a moment.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use duress_core::{Classifier, Passes, Seed};
use duress_datasets::{Dataset, Folders, Part, load};
use duress_defenses::{DetectionMethod, find_detector};
use duress_models::train::{OptimizerRecipe, Run};
use duress_models::{Architecture, Card, Model, Recipe, Standard, TrainingData, train};

fn data() -> &'static Dataset {
    static DATA: OnceLock<Dataset> = OnceLock::new();
    DATA.get_or_init(|| load("digits", &Folders::default(), Part::Train).unwrap())
}

/// Some of the digits, `[N, 64]`, and their classes.
pub fn digits(range: Range<usize>) -> (Tensor<2>, Vec<usize>) {
    let labels = range.clone().map(|index| data().label(index)).collect();
    (data().rows(range, &Device::flex()), labels)
}

/// Host values as rows.
pub fn rows(values: &[f32], width: usize) -> Tensor<2> {
    let shape = [values.len() / width, width];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

/// A perceptron that reads the digits.
pub fn trained() -> Arc<dyn Classifier> {
    static MODEL: OnceLock<Model> = OnceLock::new();
    let model = MODEL.get_or_init(|| {
        let (data, device) = (data(), Device::flex());
        let architecture = Architecture::Mlp { hidden: vec![48, 24] };
        let network = architecture.init(data.domain(), 10, Seed(1), &device).unwrap();
        let adam = OptimizerRecipe::Adam {
            learning_rate: 0.005,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        };
        let recipe = Recipe { epochs: 12, batch_size: 64, optimizer: adam, ..Recipe::default() };
        let samples = TrainingData {
            rows: data.values(),
            labels: data.labels(),
            ids: data.ids(),
            domain: data.domain(),
            classes: 10,
        };
        let passes = Passes::with_workers(&device, 2).unwrap();
        let trained = train(&network, &Standard, &samples, &recipe, Run::new(&passes)).unwrap();
        let card = Card::new(architecture, data.domain().clone(), 10);
        Model::new(trained.chosen(), card).unwrap()
    });
    Arc::new(model.clone())
}

/// Hyperparameters with which a detector is fitted on few rows in a moment.
const QUICK: &[(&str, &str)] = &[
    ("activation-classifier", "hidden = [16]\nlearning_rate = 0.01"),
    ("deep-knn", "neighbors = 10"),
    ("feature-squeezing", "bits = 2\nsearch = 3"),
    ("kernel-density", "bandwidth = 3.0"),
    ("magnet-divergence", "[autoencoder]\nepochs = 3\nlearning_rate = 0.01"),
    ("magnet-reconstruction", "[autoencoder]\nepochs = 3\nlearning_rate = 0.01"),
    ("noise-odds", "draws = 4"),
];

/// The method of that name, quick.
pub fn quick(name: &str) -> Box<dyn DetectionMethod> {
    let text = QUICK.iter().find(|(quick, _)| *quick == name).map_or("", |(_, text)| text);
    (find_detector(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap()
}
