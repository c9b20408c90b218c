//! A recorded module computes what the module computes.
#![allow(clippy::unwrap_used)]
mod modules;

use burn::module::Module;
use burn::nn;
use burn::prelude::*;
use burn::tensor::{activation, module as functions, ops as options, s};
use duress_core::{Bound, Classifier, Domain, Frozen, Input, Layout, host};
use duress_graph::{Error, Graph, Network, Op};
use modules::{Cnn, GeluMlp, Residual, drawn, images, table, waveforms};

/// Rows in the box, the same on each machine.
fn rows(count: usize, domain: &Domain) -> Vec<f32> {
    (0..count * domain.features())
        .map(|at| {
            let share = (at as f32 * 0.618_034).fract();
            let (lower, upper) = (domain.lower().at(0), domain.upper().at(0));
            lower + share * (upper - lower)
        })
        .collect()
}

/// The graph of a module after it was compared with the module, in f64 and on a device.
fn compared<M: Module, I: Input>(
    module: &M,
    domain: &Domain,
    forward: impl Fn(&M, I) -> Tensor<2>,
) -> Graph {
    let device = Device::flex();
    let graph = Graph::capture(module, domain, &forward).unwrap();
    let values = rows(4, domain);
    let input = TensorData::new(values.clone(), [4, domain.features()]);
    let input = Tensor::<2>::from_data(input, &device);
    let expected = host::floats(forward(module, I::from_rows(input.clone(), domain))).unwrap();
    let network = Network::new(graph.clone(), &device).unwrap();
    let got = host::floats(network.forward(input)).unwrap();
    let mut exact = Vec::new();
    for sample in values.chunks_exact(domain.features()) {
        let sample: Vec<f64> = sample.iter().copied().map(f64::from).collect();
        exact.extend(graph.evaluate(&sample).unwrap().values().to_vec());
    }
    assert_eq!((exact.len(), got.len()), (expected.len(), expected.len()));
    assert!(expected.iter().any(|value| value.abs() > 1e-3), "{expected:?}");
    for ((exact, got), expected) in exact.iter().zip(got).zip(expected) {
        let size = f64::from(expected).abs().max(1.0);
        assert!((exact - f64::from(expected)).abs() < 1e-5 * size, "{exact} for {expected}");
        assert!(f64::from((got - expected).abs()) < 1e-5 * size, "{got} for {expected}");
    }
    graph
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes().iter().map(|node| node.op.name()).collect()
}

/// A module of one weight: what is compared is the function.
fn compared_function<I: Input>(domain: &Domain, forward: impl Fn(I) -> Tensor<2>) -> Graph {
    let module = nn::LinearConfig::new(1, 1).init(&Device::flex());
    compared(&module, domain, |_, x| forward(x))
}

#[test]
fn a_perceptron_is_three_operations_and_its_input() {
    let mlp = drawn(modules::Mlp::new(6, 5, 3, &Device::flex()));
    let graph = compared(&mlp, &table(6), modules::Mlp::forward);
    assert_eq!(names(&graph), ["Input", "Linear", "Relu", "Linear"]);
    assert_eq!(graph.nodes()[1].operands.len(), 3);
}

#[test]
fn a_batch_norm_with_statistics_of_its_own_becomes_part_of_the_convolution() {
    let cnn = drawn(Cnn::new(&Device::flex()));
    let graph = compared(&cnn, &images(2, 9, 8), Cnn::forward);
    let expected = ["Input", "Conv", "Relu", "MaxPool", "Conv", "Relu", "Reshape", "Linear"];
    assert_eq!(names(&graph), expected);
    assert_eq!(graph.input_shape(), [2, 9, 8]);
    // The module itself is where it was.
    compared(&cnn, &images(2, 9, 8), Cnn::forward);
}

#[test]
fn residual_blocks_gelu_and_softmax_are_recorded() {
    let residual = drawn(Residual::new(&Device::flex()));
    compared(&residual, &images(3, 6, 6), Residual::forward);
    let mlp = drawn(GeluMlp::new(&Device::flex()));
    let graph = compared(&mlp, &table(6), GeluMlp::forward);
    assert!(names(&graph).contains(&"Gelu") && names(&graph).contains(&"Softmax"));
}

#[test]
fn functions_of_values_are_recorded() {
    let domain = table(8);
    let weights = || {
        Tensor::<2>::from_data([[0.5, -0.25, 0.125, 2.0, -3.0, 1.0, 0.75, -1.5]], &Device::flex())
    };
    let all: &[fn(Tensor<2>) -> Tensor<2>] = &[
        |x| activation::relu6(x * 3.0),
        |x| activation::leaky_relu(x, 0.2),
        |x| activation::elu(x * 2.0, 0.7),
        |x| activation::softplus(x.mul_scalar(40.0), 1.0),
        |x| activation::softplus(x, 2.0),
        |x| activation::mish(x),
        |x| activation::silu(x),
        |x| activation::hard_swish(x * 4.0),
        |x| activation::hard_sigmoid(x, 0.3, 0.4),
        |x| activation::log_sigmoid(x * 5.0),
        |x| activation::gelu_approximate(x),
        |x| activation::log_softmax(x, 1),
        |x| activation::softmin(x, 1),
        |x| activation::tanh(x).erf(),
        |x| x.clone().abs().sqrt() + x.exp().log().sin() - 0.5,
        |x| (x.clone() + 2.0).recip() * x.neg().cos(),
        |x| (x + 2.0).powf_scalar(1.7) / 3.0,
        |x| x.powi_scalar(3),
        |x| x.clone().max_pair(x * -0.5),
        |x| x.clone().min_pair(x * -0.5),
        |x| x.clamp_min(-0.25).clamp_max(0.5),
        |x| x.clone().mask_fill(x.lower_scalar(0.0), 0.0),
        |x| x.clone() - x.mean_dim(1),
        |x| x.clone().sum_dim(1) * x.max_dim(1),
        |x| x.clone() / (x.clone() * x).sum_dim(1).sqrt(),
        |x| x.slice(s![.., 1..7;2]),
        |x| x.slice(s![.., 0..8;-3]),
        |x| x.flip([1]).repeat_dim(1, 2),
        |x| Tensor::cat(vec![x.clone(), x * 2.0], 1),
        |x| x.reshape([-1, 2, 4]).swap_dims(1, 2).reshape([-1, 8]),
        |x| x.reshape([-1, 2, 4]).permute([0, 2, 1]).slice(s![.., 1, ..]).squeeze_dim(1),
        |x| x.pad((2, 1, 0, 0), 0.5),
        |x| {
            let count = x.dims()[0];
            x.reshape([count, 8, 1]).expand([count, 8, 2]).reshape([count, 16])
        },
    ];
    for (position, function) in all.iter().enumerate() {
        let graph = compared_function(&domain, |x: Tensor<2>| function(x));
        assert!(graph.nodes().len() > 1, "function {position}");
    }
    // Constants may be made on any device beside the input's, and are folded.
    compared_function(&domain, |x: Tensor<2>| {
        let scale = (weights().to_device(&x.device()) * 2.0).exp();
        x.clone() * scale.clone() + x * scale.log().mean().unsqueeze()
    });
    compared_function(&domain, |x: Tensor<2>| {
        let places = Tensor::<1, Int>::from_data([7, 0, 0, 3], &x.device());
        x.select(1, places)
    });
    let elu = compared_function(&domain, |x: Tensor<2>| activation::elu(x, 0.7));
    assert_eq!(names(&elu), ["Input", "Elu"]);
    let softplus = compared_function(&domain, |x: Tensor<2>| activation::softplus(x, 1.0));
    assert!(names(&softplus).contains(&"Softplus") && !names(&softplus).contains(&"Clip"));
}

#[test]
fn products_and_normalisations_are_recorded() {
    let device = Device::flex();
    let layer = drawn(nn::LayerNormConfig::new(4).init(&device));
    compared(&layer, &table(8), |layer: &nn::LayerNorm, x: Tensor<2>| {
        layer.forward(x.reshape([-1, 2, 4])).reshape([-1, 8])
    });
    let linear = drawn(nn::LinearConfig::new(4, 3).init(&device));
    let graph = compared(&linear, &table(8), |linear: &nn::Linear, x: Tensor<2>| {
        linear.forward(x.reshape([-1, 2, 4])).reshape([-1, 6])
    });
    assert_eq!(names(&graph), ["Input", "Reshape", "Linear", "Reshape"]);
    compared(&linear, &table(8), |linear: &nn::Linear, x: Tensor<2>| {
        let x = x.reshape([-1, 2, 4]);
        let scores = x.clone().matmul(x.clone().swap_dims(1, 2));
        let mixed = activation::softmax(scores, 2).matmul(x);
        mixed.matmul(linear.weight.val().unsqueeze()).reshape([-1, 6])
    });
    let prelu = nn::PReluConfig::new().with_num_parameters(2).with_alpha(0.3).init(&device);
    compared(&prelu, &images(2, 2, 2), |prelu: &nn::PRelu, x: Tensor<4>| {
        prelu.forward(x - 0.5).flatten(1, 3)
    });
}

#[test]
fn convolutions_of_lines_and_transposed_ones_are_recorded() {
    let device = Device::flex();
    let conv = nn::conv::Conv1dConfig::new(2, 4, 3).with_stride(2).with_groups(2).init(&device);
    compared(&drawn(conv), &waveforms(2, 11), |conv: &nn::conv::Conv1d, x: Tensor<3>| {
        conv.forward(x).flatten(1, 2)
    });
    let conv = nn::conv::ConvTranspose1dConfig::new([2, 3], 4).with_stride(3).with_padding(1);
    compared(
        &drawn(conv.init(&device)),
        &waveforms(2, 5),
        |conv: &nn::conv::ConvTranspose1d, x: Tensor<3>| conv.forward(x).flatten(1, 2),
    );
    let conv = nn::conv::ConvTranspose2dConfig::new([2, 3], [3, 2])
        .with_stride([2, 1])
        .with_padding([1, 0])
        .with_padding_out([1, 0]);
    compared(
        &drawn(conv.init(&device)),
        &images(2, 4, 5),
        |conv: &nn::conv::ConvTranspose2d, x: Tensor<4>| conv.forward(x).flatten(1, 3),
    );
}

#[test]
fn pooling_counts_padding_and_rounds_up_as_burn_does() {
    let domain = images(2, 7, 6);
    for (counted, up) in [(false, false), (true, false), (false, true), (true, true)] {
        compared_function(&domain, |x: Tensor<4>| {
            let mut how = options::AvgPoolOptions::new([3, 2]).with_stride([2, 3]);
            how.padding = [(1, 1), (1, 1)];
            how.count_include_pad = counted;
            how.ceil_mode = up;
            functions::avg_pool2d(x, how).flatten(1, 3)
        });
        compared_function(&domain, |x: Tensor<4>| {
            let mut how = options::MaxPoolOptions::new([3, 2]).with_stride([2, 3]);
            how.padding = [(1, 1), (1, 1)];
            how.ceil_mode = up;
            functions::max_pool2d(x - 2.0, how).flatten(1, 3)
        });
    }
    compared_function(&domain, |x: Tensor<4>| {
        functions::adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
    });
    compared_function(&domain, |x: Tensor<4>| {
        functions::adaptive_avg_pool2d(x, [7, 2]).flatten(1, 3)
    });
    let pooled = compared_function(&domain, |x: Tensor<4>| {
        duress_graph::max_pool2d(x, [2, 2], [2, 2]).flatten(1, 3)
    });
    assert!(pooled.nodes().iter().any(|node| matches!(node.op, Op::MaxPool(_))));
}

#[test]
fn a_classifier_that_can_be_moved_is_recorded_and_stays_where_it_is() {
    let domain = images(2, 9, 8);
    let cnn = drawn(Cnn::new(&Device::flex()));
    let frozen = Frozen::new(&cnn, domain.clone(), Cnn::forward).unwrap();
    let record = || Graph::record(&domain, |device, rows| frozen.to_device(device).forward(rows));
    let graph = record().unwrap();
    assert_eq!(graph, Graph::capture(&cnn, &domain, Cnn::forward).unwrap());
    // Nothing of it is on the recording device: it answers, and is recorded again.
    let lower = Tensor::<2>::zeros([1, domain.features()], &Device::flex());
    let got = host::floats(frozen.forward(lower)).unwrap();
    let expected = graph.evaluate(&vec![0.0; domain.features()]).unwrap();
    for (got, expected) in got.iter().zip(expected.values()) {
        assert!((f64::from(*got) - expected).abs() < 1e-5 * expected.abs().max(1.0));
    }
    assert_eq!(record().unwrap(), graph);
}

fn refusal(forward: impl Fn(Tensor<2>) -> Tensor<2>) -> Error {
    let module = nn::LinearConfig::new(1, 1).init(&Device::flex());
    Graph::capture(&module, &table(4), |_, x: Tensor<2>| forward(x)).unwrap_err()
}

#[test]
fn all_operations_that_are_not_understood_are_named() {
    let error = refusal(|x| x.clone().cumsum(1) + x.clone().sort(1) + x);
    let Error::Unsupported { nodes } = error else { panic!("{error}") };
    let named: Vec<_> = nodes.iter().map(|node| node.operator.as_str()).collect();
    assert_eq!(named, ["CumSum", "Sort"]);
    assert!(nodes[0].node.ends_with(" CumSum"), "{}", nodes[0].node);
    let error = refusal(|x| x.clone().mask_fill(x.lower_scalar(0.5), 1.0));
    assert!(error.to_string().contains("MaskFill"), "{error}");
    let error = refusal(|x| x.greater_scalar(0.5).float());
    assert!(error.to_string().contains("comparison"), "{error}");
    let error =
        refusal(|x| Tensor::random(x.dims(), burn::tensor::Distribution::Default, &x.device()) + x);
    assert!(error.to_string().contains("random"), "{error}");
}

#[test]
fn a_module_that_mixes_samples_is_refused() {
    let error = refusal(|x| x.clone() - x.mean_dim(0));
    assert!(error.to_string().contains("samples would mix"), "{error}");
    let error = refusal(|x| {
        let [count, features] = x.dims();
        x.reshape([features, count]).swap_dims(0, 1)
    });
    assert!(matches!(error, Error::Mixes(_)), "{error}");
    let error = refusal(|x| {
        let count = x.dims()[0] as f32;
        x * count
    });
    assert!(matches!(error, Error::Mixes(_)), "{error}");
    let error = refusal(|x| x.slice(s![0..1, ..]));
    assert!(matches!(error, Error::Mixes(_)), "{error}");
}

#[test]
fn values_read_from_the_input_are_not_taken_for_constants() {
    let error = refusal(|x| {
        let first = host::floats(x.clone()).unwrap()[0];
        x * first
    });
    assert!(matches!(error, Error::Mixes(_)), "{error}");
}

#[test]
fn a_result_that_is_constant_or_elsewhere_is_an_error() {
    let error = refusal(|x| Tensor::ones(x.dims(), &x.device()));
    assert!(matches!(error, Error::ConstantOutput), "{error}");
    let error = refusal(|x| Tensor::ones(x.dims(), &Device::flex()));
    assert!(matches!(error, Error::Recording(_)), "{error}");
}

#[test]
fn a_box_of_any_bounds_is_recorded() {
    let layout = Layout::Table { features: 2 };
    let domain =
        Domain::new(layout, Bound::PerFeature(vec![-5.0, 0.0]), Bound::PerFeature(vec![5.0, 9.0]));
    let graph = compared_function(&domain.unwrap(), |x: Tensor<2>| x * 2.0);
    assert_eq!(graph.evaluate(&[1.5, -2.0]).unwrap().values(), [3.0, -4.0]);
}
