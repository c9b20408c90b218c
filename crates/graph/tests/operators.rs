//! Each operator computes what onnxruntime computes: `cases/make.py` stored its results.
#![allow(clippy::unwrap_used)]
mod cases;

use burn::prelude::*;
use cases::{Case, bytes};
use duress_core::{host, pull_back};
use duress_graph::{Network, Node, Op, onnx};

/// Largest difference over the largest size of the expected values, 1 at least.
fn difference(got: impl Iterator<Item = f64>, expected: &[f64]) -> f64 {
    let size = expected.iter().fold(1.0_f64, |most, value| most.max(value.abs()));
    got.zip(expected).map(|(got, one)| (got - one).abs()).fold(0.0, f64::max) / size
}

#[test]
fn each_operator_gives_the_stored_results_in_f64_and_on_a_device() {
    let device = Device::flex();
    let mut faults = Vec::new();
    for case in cases::all() {
        let Case { name, model, shape, x, y } = case;
        let imported = match onnx::decode(&bytes(&model), None, &onnx::Options::default()) {
            Ok(imported) => imported,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        let (count, features) = (shape[0], shape[1..].iter().product());
        let mut exact = Vec::new();
        for sample in x.chunks_exact(features) {
            let sample: Vec<f64> = sample.iter().copied().map(f64::from).collect();
            exact.extend(imported.graph.evaluate(&sample).unwrap().values().to_vec());
        }
        let network = Network::new(imported.graph, &device).unwrap();
        let rows = Tensor::from_data(TensorData::new(x, [count, features]), &device);
        let got = host::floats(network.forward(rows)).unwrap();
        if exact.len() != y.len() || got.len() != y.len() {
            faults.push(format!("{name}: {} and {} of {} values", exact.len(), got.len(), y.len()));
            continue;
        }
        let in_f64 = difference(exact.into_iter(), &y);
        let on_device = difference(got.into_iter().map(f64::from), &y);
        if in_f64 > 2e-6 || on_device > 2e-6 {
            faults.push(format!("{name}: {in_f64:e} in f64, {on_device:e} on the device"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The derivative of `⟨y, c⟩` along a direction, by autodiff and by central differences in f64.
#[test]
fn each_operator_is_differentiated() {
    let device = Device::flex();
    let mut faults = Vec::new();
    for case in cases::all() {
        let imported = onnx::decode(&bytes(&case.model), None, &onnx::Options::default()).unwrap();
        let steps = |node: &Node| matches!(node.op, Op::Unary(unary) if unary.is_step());
        let rounds = |node: &Node| matches!(node.op, Op::FakeQuantize { .. });
        if imported.graph.nodes().iter().any(|node| steps(node) || rounds(node)) {
            continue;
        }
        let features: usize = case.shape[1..].iter().product();
        let sample = &case.x[..features];
        let along = |at: usize| ((at as f64 * 0.754_877).fract() - 0.4) * 2.0;
        let outputs: usize = imported.graph.output_shape().iter().product();
        let value = |step: f64| -> f64 {
            let moved: Vec<f64> =
                (0..features).map(|at| f64::from(sample[at]) + step * along(at)).collect();
            let result = imported.graph.evaluate(&moved).unwrap();
            result.values().iter().enumerate().map(|(at, value)| value * along(at + 3)).sum()
        };
        let expected = (value(1e-6) - value(-1e-6)) / 2e-6;
        let network = Network::new(imported.graph.clone(), &device).unwrap();
        let row = TensorData::new(sample.to_vec(), [1, features]);
        let cotangent: Vec<f32> = (0..outputs).map(|at| along(at + 3) as f32).collect();
        let cotangent = Tensor::from_data(TensorData::new(cotangent, [1, outputs]), &device);
        let row = Tensor::<2>::from_data(row, &device);
        let gradient = pull_back(row, |x| network.forward(x), cotangent).unwrap();
        let gradient = host::floats(gradient).unwrap();
        let got: f64 = gradient.iter().enumerate().map(|(at, &g)| f64::from(g) * along(at)).sum();
        if (got - expected).abs() > 1e-4 * expected.abs().max(1.0) {
            faults.push(format!("{}: {got} for {expected}", case.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_operator_that_is_understood_has_a_case() {
    let mut seen: Vec<String> = Vec::new();
    for case in cases::all() {
        let imported = onnx::decode(&bytes(&case.model), None, &onnx::Options::default()).unwrap();
        seen.extend(imported.operators.into_iter().map(|(name, _)| name));
    }
    // What computes shapes before any sample is seen is tested where it stands.
    let shapes = [
        "And",
        "Constant",
        "ConstantOfShape",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Not",
        "Or",
        "Range",
        "ReduceProd",
        "Size",
        "Where",
    ];
    let missing: Vec<&str> = onnx::operators()
        .into_iter()
        .filter(|name| !shapes.contains(name) && !seen.iter().any(|one| one == name))
        .collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
}
