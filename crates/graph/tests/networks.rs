//! Third-party networks load, and give the results that others stored for them.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use duress_core::host;
use duress_graph::{Network, onnx};

/// Inputs in and around the unit box, the same on each machine.
fn samples(count: usize, features: usize) -> Vec<f32> {
    (0..count * features).map(|at| ((at as f32 * 0.618_034).fract() - 0.1) * 1.2).collect()
}

/// Largest difference over the largest size of the expected values.
fn relative(got: &[f32], expected: &[f64]) -> f64 {
    let size = expected.iter().fold(1e-6_f64, |most, value| most.max(value.abs()));
    got.iter().zip(expected).map(|(&got, &one)| (f64::from(got) - one).abs()).fold(0.0, f64::max)
        / size
}

#[test]
fn each_network_runs_on_a_device_as_it_does_in_f64() {
    let device = Device::flex();
    for path in common::networks() {
        if path.ends_with("dev_floattrap_0.onnx") {
            // Made so that f32 and f64 differ.
            continue;
        }
        let imported = onnx::read(&path, &onnx::Options::default()).unwrap();
        let features: usize = imported.graph.input_shape().iter().product();
        let rows = samples(5, features);
        let network = Network::new(imported.graph.clone(), &device).unwrap();
        let input = TensorData::new(rows.clone(), [5, features]);
        let got = host::floats(network.forward(Tensor::from_data(input, &device))).unwrap();
        let outputs = got.len() / 5;
        for (sample, got) in rows.chunks_exact(features).zip(got.chunks_exact(outputs)) {
            let sample: Vec<f64> = sample.iter().copied().map(f64::from).collect();
            let expected = imported.graph.evaluate(&sample).unwrap();
            let difference = relative(got, expected.values());
            assert!(difference < 1e-5, "{}: {difference}", path.display());
        }
    }
}
