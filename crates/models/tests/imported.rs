//! A network of an ONNX file is trained on: here to other digits than PyTorch trained it on.
#![allow(clippy::unwrap_used)]
mod common;

use std::path::Path;

use burn::prelude::*;
use duress_core::predictions;
use duress_graph::{Network, onnx};
use duress_models::train::Run;
use duress_models::{Recipe, Standard, Trainable, train};

use common::{digits, passes};

/// Samples classified correctly.
fn correct(network: &Network, rows: &[f32], labels: &[usize]) -> usize {
    let shape = [labels.len(), 64];
    let rows = Tensor::from_data(TensorData::new(rows.to_vec(), shape), &Device::flex());
    let answers = predictions(Trainable::forward(network, rows)).unwrap();
    answers.iter().zip(labels).filter(|((class, _), label)| class == *label).count()
}

#[test]
fn fine_tuning_changes_the_weights_of_layers_and_nothing_else() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pytorch/digits.onnx");
    let imported = onnx::read(&file, &onnx::Options::default()).unwrap();
    let network = Network::new(imported.graph, &Device::flex()).unwrap();
    let set = digits();
    // The label is now the digit after it.
    let shifted: Vec<usize> = set.labels.iter().map(|label| (label + 1) % 10).collect();
    let count = 300;
    let before = correct(&network, &set.rows[..count * 64], &shifted[..count]);
    let data = duress_models::TrainingData {
        rows: &set.rows[..count * 64],
        labels: &shifted[..count],
        ids: &set.ids[..count],
        domain: &set.domain,
        classes: 10,
    };
    let recipe = Recipe { epochs: 6, batch_size: 30, ..Recipe::default() };
    let passes = passes();
    let trained = train(&network, &Standard, &data, &recipe, Run::new(&passes)).unwrap();
    let after = correct(trained.chosen(), &set.rows[..count * 64], &shifted[..count]);
    assert!(before < 60 && after > 240, "{before} and {after} of {count}");
    // The normalisation that PyTorch put in front is no weight.
    let (old, new) = (network.graph(), trained.chosen().snapshot().unwrap());
    let changed: Vec<usize> = (0..old.constants().len())
        .filter(|&at| old.constants()[at] != new.constants()[at])
        .collect();
    let layers: Vec<usize> = old
        .constants()
        .iter()
        .enumerate()
        .filter(|(_, array)| array.len() > 1)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(changed, layers);
}
