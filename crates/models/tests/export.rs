//! Each architecture as a graph and as an ONNX file.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use duress_core::{Classifier, Domain, Layout, Seed, host};
use duress_graph::{Graph, onnx};
use duress_models::{ARCHITECTURES, Architecture, Card, LipschitzLayer, Model, Normalization};

/// Vectors other than those of a fresh network: biases, and scales, shifts and statistics of
/// batch norms, between a half and three halves.
struct Vectors {
    at: usize,
}

impl ModuleMapper for Vectors {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        if D != 1 {
            return Param::from_mapped_value(id, tensor, mapper);
        }
        let values: Vec<f32> = (0..shape[0])
            .map(|_| {
                self.at += 1;
                0.5 + (self.at as f32 * 0.754_877).fract()
            })
            .collect();
        let tensor = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
        Param::from_mapped_value(id, tensor, mapper)
    }
}

fn model(architecture: Architecture, domain: &Domain) -> Model {
    let network = architecture.init(domain, 5, Seed(1), &Device::flex()).unwrap();
    let network = network.map(&mut Vectors { at: 0 });
    let groups = match domain.layout() {
        Layout::Image { channels, .. } | Layout::Waveform { channels, .. } => channels,
        Layout::Table { features } => features,
    };
    let mean = (0..groups).map(|at| 0.4 + at as f32 / 10.0).collect();
    let normalization = Normalization::new(mean, vec![0.25; groups]).unwrap();
    let network = network.with_normalization(normalization, domain).unwrap();
    Model::new(&network, Card::new(architecture, domain.clone(), 5)).unwrap()
}

fn lipschitz(layer: LipschitzLayer) -> Architecture {
    Architecture::Lipschitz { layer, width: 8, depth: 2 }
}

/// One small setting of each architecture.
fn models() -> Vec<Model> {
    let image = |channels, side| Domain::image(channels, side, side).unwrap();
    let table = Domain::table(vec![0.0; 6], vec![1.0; 6]).unwrap();
    let waveform = Domain::waveform(2, 9).unwrap();
    vec![
        model(Architecture::LeNet {}, &image(1, 16)),
        model(lipschitz(LipschitzLayer::Aol), &table),
        model(lipschitz(LipschitzLayer::Cayley), &waveform),
        model(lipschitz(LipschitzLayer::Sll), &image(1, 3)),
        model(Architecture::Mlp { hidden: vec![7, 6] }, &table),
        model(Architecture::Mlp { hidden: vec![] }, &waveform),
        model(Architecture::ResNet { depth: 8 }, &image(3, 8)),
        model(Architecture::SmallCnn {}, &image(3, 9)),
        model(Architecture::WideResNet { depth: 10, widen: 1 }, &image(3, 8)),
    ]
}

/// Fails unless the graph gives the logits of the model, to 1e-4 of the largest.
fn check(graph: &Graph, model: &Model) {
    let features = model.domain().features();
    let values: Vec<f32> = (0..3 * features).map(|at| (at as f32 * 0.618_034).fract()).collect();
    let rows = TensorData::new(values.clone(), [3, features]);
    let rows = Tensor::<2>::from_data(rows, &Device::flex());
    let expected = host::floats(model.forward(rows)).unwrap();
    let size = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert!(size > 0.01, "{expected:?}");
    let mut got = Vec::new();
    for sample in values.chunks_exact(features) {
        let sample: Vec<f64> = sample.iter().copied().map(f64::from).collect();
        got.extend(graph.evaluate(&sample).unwrap().values().to_vec());
    }
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        let name = model.card().architecture.name();
        let difference = (got - f64::from(expected)).abs();
        assert!(difference <= 1e-4 * f64::from(size), "{name}: {got} for {expected}");
    }
}

#[test]
fn the_graph_of_each_architecture_gives_its_logits() {
    let models = models();
    // A committee's logits are joined along the batch, which no graph of one sample has.
    for entry in ARCHITECTURES.iter().filter(|entry| entry.name != "committee") {
        assert!(models.iter().any(|model| model.card().architecture.name() == entry.name));
    }
    for model in models {
        let graph = model.graph().unwrap();
        assert_eq!(graph.output_shape(), [5]);
        check(&graph, &model);
        // The model is where it was, running statistics included.
        check(&graph, &model);
    }
}

#[test]
fn a_batch_norm_behind_a_convolution_is_part_of_it() {
    let domain = Domain::image(3, 8, 8).unwrap();
    let graph = model(Architecture::ResNet { depth: 8 }, &domain).graph().unwrap();
    let count = |name| graph.nodes().iter().filter(|node| node.op.name() == name).count();
    // A stem, three blocks of two convolutions and two projections; one sum a block.
    assert_eq!((count("Conv"), count("Add"), count("Mul")), (9, 3, 0));
}

#[test]
fn the_file_of_each_architecture_gives_its_logits() {
    let folder = tempfile::tempdir().unwrap();
    for model in models() {
        let path = folder.path().join("a model.onnx");
        model.export_onnx(&path).unwrap();
        let file = onnx::read(&path, &onnx::Options::default()).unwrap();
        check(&file.graph, &model);
    }
}
