//! What is written as ONNX is read back as the same function, here and by onnxruntime.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod cases;
mod common;
mod modules;

use std::path::Path;
use std::process::Command;

use burn::prelude::*;
use duress_graph::{Array, Binary, Builder, Error, Graph, Op, Reduction, Unary, Window, onnx};
use modules::{Cnn, GeluMlp, Mlp, Residual, drawn, images, table};

/// A graph, a batch of samples of it, and what to call it.
struct Exported {
    name: String,
    graph: Graph,
    samples: Vec<Vec<f64>>,
}

impl Exported {
    fn new(name: &str, graph: Graph) -> Self {
        let features: usize = graph.input_shape().iter().product();
        let value = |at: usize| f64::from(((at as f32 * 0.618_034).fract() - 0.3) * 2.0);
        let sample = |row: usize| (0..features).map(|at| value(row * features + at)).collect();
        Self { name: name.into(), graph, samples: (0..3).map(sample).collect() }
    }

    fn results(&self, graph: &Graph) -> Vec<Vec<f64>> {
        let result = |sample: &Vec<f64>| graph.evaluate(sample).unwrap().values().to_vec();
        self.samples.iter().map(result).collect()
    }
}

/// The stored networks of each operator.
fn stored() -> Vec<Exported> {
    let read = |case: cases::Case| {
        let options = onnx::Options::default();
        let graph = onnx::decode(&cases::bytes(&case.model), None, &options).unwrap().graph;
        let features = case.shape[1..].iter().product();
        let sample = |sample: &[f32]| sample.iter().copied().map(f64::from).collect();
        let samples = case.x.chunks_exact(features).map(sample).collect();
        Exported { name: case.name, graph, samples }
    };
    cases::all().into_iter().map(read).collect()
}

/// Networks of burn modules.
fn recorded() -> Vec<Exported> {
    let device = Device::flex();
    let graphs = [
        ("mlp", Graph::capture(&drawn(Mlp::new(6, 5, 3, &device)), &table(6), Mlp::forward)),
        ("cnn", Graph::capture(&drawn(Cnn::new(&device)), &images(2, 9, 8), Cnn::forward)),
        (
            "residual",
            Graph::capture(&drawn(Residual::new(&device)), &images(3, 6, 6), Residual::forward),
        ),
        ("gelu", Graph::capture(&drawn(GeluMlp::new(&device)), &table(6), GeluMlp::forward)),
    ];
    graphs.into_iter().map(|(name, graph)| Exported::new(name, graph.unwrap())).collect()
}

/// A graph of one operation of x `[2, 3, 4]` and constants.
fn of_one(name: &str, op: Op, constants: Vec<Array>) -> Exported {
    let mut builder = Builder::new("x", vec![2, 3, 4]);
    let mut operands = vec![builder.input()];
    operands.extend(constants.into_iter().map(|array| builder.constant(array)));
    let output = builder.push(name, op, operands).unwrap();
    Exported::new(name, builder.finish(output).unwrap())
}

/// What no file that is read becomes.
fn built() -> Vec<Exported> {
    let counted = |shape: &[usize]| Array::from_fn(shape, |at| at as f64 / 7.0 - 0.6).unwrap();
    let window = |dilation: usize, after: usize| Window {
        kernel: vec![2, 1],
        stride: vec![1, 3],
        dilation: vec![dilation, 1],
        padding: vec![(1, 1), (0, after)],
    };
    let quantize = |low, high| Op::FakeQuantize { low, high };
    let steps = |scale: f64, zero: f64| vec![Array::scalar(scale), Array::scalar(zero)];
    let mut all = vec![
        of_one("mean dilated", Op::AveragePool(window(2, 0)), vec![]),
        of_one("mean padded", Op::AveragePool(window(1, 1)), vec![]),
        of_one("max padded", Op::MaxPool(window(1, 1)), vec![]),
        of_one("silu", Op::Unary(Unary::Silu), vec![]),
        of_one("more axes", Op::Binary(Binary::Sub), vec![counted(&[5, 1, 1, 4])]),
        of_one("many matrices", Op::MatMul, vec![counted(&[5, 2, 4, 3])]),
        of_one("slopes", Op::ParametricRelu, vec![counted(&[4])]),
        of_one("bytes", quantize(-128.0, 127.0), steps(0.01, 3.0)),
        of_one("narrow", quantize(-2.0, 2.0), steps(0.3, 1.0)),
        of_one("below", Op::Clip { low: f64::NEG_INFINITY, high: 0.25 }, vec![]),
        of_one("open", Op::Clip { low: f64::NEG_INFINITY, high: f64::INFINITY }, vec![]),
        of_one("no axis", Op::Reduce { by: Reduction::Mean, axes: vec![] }, vec![]),
        of_one("no sum", Op::Reduce { by: Reduction::Sum, axes: vec![] }, vec![]),
        of_one("joined", Op::Concat { axis: 1 }, vec![counted(&[2, 2, 4])]),
    ];
    let mut builder = Builder::new("x", vec![3]);
    let x = builder.input();
    let wide = builder.shaped("wide", Op::Expand, x, vec![2, 3]).unwrap();
    let sum = builder.push("ranks", Op::Binary(Binary::Add), vec![x, wide]).unwrap();
    let row = builder.shaped("row", Op::Reshape, x, vec![1, 3]).unwrap();
    let column = builder.shaped("column", Op::Reshape, sum, vec![2, 3, 1]).unwrap();
    let product = builder.push("product", Op::MatMul, vec![row, column]).unwrap();
    all.push(Exported::new("ranks", builder.finish(product).unwrap()));
    let builder = Builder::new("x", vec![3]);
    let x = builder.input();
    all.push(Exported::new("echo", builder.finish(x).unwrap()));
    all
}

/// Networks of others, where they are on this machine.
fn third_party() -> Vec<Exported> {
    let read = |path: &std::path::PathBuf| {
        let graph = onnx::read(path, &onnx::Options::default()).unwrap().graph;
        Exported::new(&path.display().to_string(), graph)
    };
    // One was made so that 32 and 64 bits differ.
    let plain = |path: &&std::path::PathBuf| !path.ends_with("dev_floattrap_0.onnx");
    common::networks().iter().filter(plain).map(read).collect()
}

fn all() -> Vec<Exported> {
    stored().into_iter().chain(recorded()).chain(built()).chain(third_party()).collect()
}

#[test]
fn what_is_written_is_read_back_as_the_same_function() {
    for exported in all() {
        let name = &exported.name;
        let bytes = onnx::encode(&exported.graph).unwrap();
        let back = onnx::decode(&bytes, None, &onnx::Options::default());
        let back = back.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (back.input.as_str(), back.output.as_str(), back.opset),
            ("input", "output", 17)
        );
        assert_eq!(back.graph.input_shape(), exported.graph.input_shape(), "{name}");
        assert_eq!(back.graph.output_shape(), exported.graph.output_shape(), "{name}");
        let (got, expected) = (exported.results(&back.graph), exported.results(&exported.graph));
        let size = expected.iter().flatten().fold(1.0_f64, |most, value| most.max(value.abs()));
        for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
            // Weights that were computed in 64 bits are written in 32.
            assert!((got - expected).abs() <= 1e-6 * size, "{name}: {got} for {expected}");
        }
    }
}

#[test]
fn a_network_without_a_norm_is_the_same_to_the_bit_after_a_file() {
    let mlp = recorded().swap_remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a network.onnx");
    std::fs::write(&path, "what was there before").unwrap();
    onnx::write(&mlp.graph, &path).unwrap();
    let back = onnx::read(&path, &onnx::Options::default()).unwrap();
    assert_eq!(back.producer, format!("duress {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(mlp.results(&back.graph), mlp.results(&mlp.graph));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("missing").join("network.onnx");
    assert!(matches!(onnx::write(&mlp.graph, &nowhere), Err(Error::Io { .. })));
}

#[test]
fn a_weight_that_32_bits_do_not_hold_is_an_error() {
    let large =
        of_one("large", Op::Binary(Binary::Mul), vec![Array::vector(vec![1.0, 0.0, 1e39, 2.0])]);
    let error = onnx::encode(&large.graph).unwrap_err();
    assert!(matches!(&error, Error::NotFinite { name, index: 2 } if name == "large"), "{error}");
}

/// The interpreter that has onnxruntime: `DURESS_PYTHON`, else `python3`. `None`, and a line that
/// says so, where it has not.
fn python() -> Option<std::ffi::OsString> {
    let python = std::env::var_os("DURESS_PYTHON").unwrap_or_else(|| "python3".into());
    let asked = Command::new(&python).args(["-c", "import onnxruntime"]).output();
    if asked.is_ok_and(|answer| answer.status.success()) {
        return Some(python);
    }
    println!("SKIPPED: {} has no onnxruntime (set DURESS_PYTHON)", python.display());
    None
}

#[test]
fn onnxruntime_computes_what_is_written() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut list = Vec::new();
    for (position, exported) in all().iter().enumerate() {
        let file = format!("{position}.onnx");
        onnx::write(&exported.graph, &folder.path().join(&file)).unwrap();
        list.push(serde_json::json!({
            "name": exported.name,
            "file": file,
            "shape": exported.graph.input_shape(),
            "x": exported.samples,
            "y": exported.results(&exported.graph),
        }));
    }
    let cases = serde_json::to_string(&list).unwrap();
    std::fs::write(folder.path().join("cases.json"), cases).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnxruntime.py");
    let answer = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let faults = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{text}{faults}");
    println!("{text}");
    assert!(text.contains(&format!("{} files", list.len())), "{text}");
}
