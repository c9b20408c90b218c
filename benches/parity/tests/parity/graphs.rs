//! Networks of ONNX files.
use std::path::{Path, PathBuf};

use burn::prelude::*;
use duress_core::host;
use duress_graph::{Network, onnx};
use duress_parity::Side;

use super::{cases, compare};

/// Networks of one operator, one for each kernel that others do not use: a GPU compiles each.
const CASES: [&str; 18] = [
    "Gelu",
    "Elu",
    "HardSwish",
    "Clip",
    "PRelu",
    "Div constant",
    "Pow broken",
    "MatMul many",
    "MatMul left",
    "Conv",
    "Conv groups",
    "ConvTranspose",
    "MaxPool padded",
    "AveragePool padded",
    "Conv BatchNormalization",
    "LayerNormalization",
    "QuantizeLinear",
    "attention",
];

/// Rows of a network, `[N, K]`.
fn run(side: &Side, network: &Network, rows: &[f32], count: usize) -> Vec<f32> {
    let shape = [count, rows.len() / count];
    let rows = Tensor::from_data(TensorData::new(rows.to_vec(), shape), &side.device);
    host::floats(network.forward(rows)).unwrap()
}

/// Largest difference over the largest value.
fn relative(got: &[f32], expected: &[f64]) -> f64 {
    let size = expected.iter().fold(1e-6_f64, |most, value| most.max(value.abs()));
    let differences = got.iter().zip(expected).map(|(&got, &one)| (f64::from(got) - one).abs());
    differences.fold(0.0, f64::max) / size
}

#[test]
fn operators_give_on_each_device_what_onnxruntime_gives() {
    let all = cases::all();
    compare("onnx operators", |_, other| {
        let mut most = (0.0, "");
        for name in CASES {
            let case = all.iter().find(|case| case.name == name).unwrap();
            let imported =
                onnx::decode(&cases::bytes(&case.model), None, &onnx::Options::default()).unwrap();
            let network = Network::new(imported.graph, &other.device).unwrap();
            let difference = relative(&run(other, &network, &case.x, case.shape[0]), &case.y);
            assert!(difference < 1e-4, "{}: {name}: {difference}", other.name);
            if difference > most.0 {
                most = (difference, name);
            }
        }
        vec![format!("{} networks, largest difference {:.1e} ({})", CASES.len(), most.0, most.1)]
    });
}

#[test]
fn third_party_networks_give_the_same_on_each_device() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("DURESS_MODELS").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("SKIPPED: no third-party networks in {}", folder.display());
        return;
    }
    let names = [
        "peers/mnist_at/model.onnx",
        "cifar10_resnet_2b/resnet_2b.onnx",
        "verivital_mnist_avgpool/Convnet_avgpool.onnx",
        "acasxu_rows_1_2/ACASXU_run2a_1_1_batch_2000.onnx",
        "dev_toy/dev_bn.onnx",
        "dev_toy/dev_sigmoid.onnx",
    ];
    compare("third-party networks", |reference, other| {
        let mut lines = Vec::new();
        for name in names {
            let imported = onnx::read(&folder.join(name), &onnx::Options::default()).unwrap();
            let features: usize = imported.graph.input_shape().iter().product();
            let rows: Vec<f32> =
                (0..8 * features).map(|at| (at as f32 * 0.618_034).fract()).collect();
            let [expected, got] = [reference, other].map(|side| {
                let network = Network::new(imported.graph.clone(), &side.device).unwrap();
                run(side, &network, &rows, 8)
            });
            let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
            let difference = relative(&got, &expected);
            assert!(difference < 1e-4, "{}: {name}: {difference}", other.name);
            lines.push(format!("{name}: largest relative difference {difference:.1e}"));
        }
        lines
    });
}
