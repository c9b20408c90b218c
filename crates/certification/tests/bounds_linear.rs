//! Closed forms: on a linear network every method gives `⟨w, x⟩ + b − ε ‖w‖*`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;

use common::Draws;
use duress_certification::bounds::{Error, InputSet, Method, Network, Options, Specification};
use duress_core::{Domain, Norm};
use duress_graph::{Array, Binary, Builder, Convolution, Graph, Op, Preparation, Window};

/// Two linear layers around a shift, and the one matrix that they make: `[6, 3]` and `[3]`.
fn linear(seed: u64) -> (Graph, Vec<f64>, Vec<f64>) {
    let draws = &mut Draws(seed);
    let mut values = |count: usize| -> Vec<f64> {
        (0..count).map(|_| (draws.between(-8.0, 8.0)).round() / 4.0).collect()
    };
    let (first, shift, second) = (values(24), values(4), values(12));
    let mut builder = Builder::new("x", vec![6]);
    let x = builder.input();
    let weight = builder.constant(Array::new(vec![6, 4], first.clone()).unwrap());
    let y = builder.push("first", Op::Linear, vec![x, weight]).unwrap();
    let constant = builder.constant(Array::vector(shift.clone()));
    let y = builder.push("shift", Op::Binary(Binary::Add), vec![y, constant]).unwrap();
    let weight = builder.constant(Array::new(vec![4, 3], second.clone()).unwrap());
    let y = builder.push("second", Op::Linear, vec![y, weight]).unwrap();
    let whole = (0..18)
        .map(|at| (0..4).map(|k| first[at / 3 * 4 + k] * second[k * 3 + at % 3]).sum())
        .collect();
    let bias = (0..3).map(|at| (0..4).map(|k| shift[k] * second[k * 3 + at]).sum()).collect();
    (builder.finish(y).unwrap(), whole, bias)
}

#[test]
fn margins_of_a_linear_network_are_those_of_the_dual_norm() {
    for seed in 0..5 {
        let (graph, weight, bias) = linear(seed);
        let network = Network::new(&graph).unwrap();
        let center = [0.3, -0.2, 0.5, 0.0, 1.0, -0.7];
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let set = InputSet::ball(&center, norm, 0.25, None).unwrap();
            for method in Method::ALL {
                let margins = network.margins(&set, 1, method, &Options::default()).unwrap();
                assert_eq!(margins.lower[1].to_bits(), 0);
                for class in [0, 2] {
                    let row: Vec<f64> =
                        (0..6).map(|at| weight[at * 3 + 1] - weight[at * 3 + class]).collect();
                    let middle: f64 = row.iter().zip(center).map(|(w, x)| w * x).sum();
                    let dual = norm.dual().unwrap().of_slice(&row);
                    let exact = middle + bias[1] - bias[class] - 0.25 * dual;
                    let got = margins.lower[class];
                    assert!(got <= exact + 1e-14 && exact - got < 1e-10, "{norm} {method:?}");
                }
            }
        }
    }
}

#[test]
fn a_specification_of_ones_own_has_its_offset() {
    let (graph, weight, bias) = linear(3);
    let network = Network::new(&graph).unwrap();
    let specification = Specification::new(3, vec![0.0, 0.0, -2.0], vec![5.0]).unwrap();
    let set = InputSet::sides(vec![0.0; 6], vec![1.0; 6]).unwrap();
    let exact: f64 =
        5.0 - 2.0 * (bias[2] + (0..6).map(|at| weight[at * 3 + 2].max(0.0)).sum::<f64>());
    let options = Options::default();
    let got = network.lower_bounds(&set, &specification, Method::Crown, &options).unwrap();
    assert!(got[0] <= exact && exact - got[0] < 1e-11, "{got:?} for {exact}");
}

/// A normalisation inside the network leaves the ball in raw units.
#[test]
fn a_preparation_is_part_of_what_is_bounded() {
    let mut builder = Builder::new("x", vec![1, 2, 2]);
    let weight = builder.constant(
        Array::new(vec![2, 1, 2, 2], vec![1.0, -1.0, 2.0, 0.0, 0.5, 0.5, 0.5, 0.5]).unwrap(),
    );
    let window = Window {
        kernel: vec![2; 2],
        stride: vec![1; 2],
        dilation: vec![1; 2],
        padding: vec![(0, 0); 2],
    };
    let conv = Op::Convolution(Convolution { window, groups: 1 });
    let x = builder.input();
    let y = builder.push("convolution", conv, vec![x, weight]).unwrap();
    let graph = builder.finish(y).unwrap();
    let preparation = Preparation { mean: vec![0.5], std: vec![0.25], ..Preparation::default() };
    let domain = Domain::image(1, 2, 2).unwrap();
    let (graph, _) = preparation.before(graph, &domain).unwrap().with_logits().unwrap();
    let network = Network::new(&graph).unwrap();
    let center = [0.5, 0.25, 0.95, 0.5];
    let set = InputSet::ball(&center, Norm::Linf, 0.1, Some(&domain)).unwrap();
    // logit 0 − logit 1 = 4 (0.5 a − 1.5 b + 1.5 c − 0.5 d) with a = 0, b = −0.25, c = 0.45, d = 0
    // at the centre; c can rise by 0.05 only, but falls by 0.1.
    let exact = 4.0 * (1.5 * 0.25 + 1.5 * 0.45 - 0.1 * 4.0);
    for method in Method::ALL {
        let got = network.margins(&set, 0, method, &Options::default()).unwrap();
        assert!(got.lower[1] <= exact && exact - got.lower[1] < 1e-12, "{method:?}: {got:?}");
        assert!(got.is_certified());
    }
}

#[test]
fn wrong_questions_are_errors_that_say_so() {
    let (graph, _, _) = linear(0);
    let network = Network::new(&graph).unwrap();
    let set = InputSet::sides(vec![0.0; 6], vec![1.0; 6]).unwrap();
    let options = Options::default();
    let label = network.margins(&set, 3, Method::Ibp, &options).unwrap_err();
    assert_eq!(label.to_string(), "label 3 but the network has 3 outputs");
    let small = InputSet::sides(vec![0.0], vec![1.0]).unwrap();
    let features = network.margins(&small, 0, Method::Crown, &options).unwrap_err();
    assert_eq!(features.to_string(), "input set: expected 6 values, got 1");
    let tight = Options { memory: 10, ..Options::default() };
    let memory = network.margins(&set, 0, Method::Crown, &tight).unwrap_err();
    assert!(matches!(memory, Error::Memory { granted: 10, .. }), "{memory}");
    let decay = Options { decay: f64::NAN, ..Options::default() };
    assert!(network.margins(&set, 0, Method::AlphaCrown, &decay).is_err());
}

#[test]
fn rows_do_not_depend_on_the_chunks_they_are_computed_in() {
    let graph = common::models().map(|models| common::graph(&models.join("dev_toy/dev_conv.onnx")));
    let Some(graph) = graph else { return };
    let network = Network::new(&graph).unwrap();
    let set = common::ball(&[0.5; 36], 0.05);
    for method in Method::ALL {
        let at = |rows| {
            let options = Options { rows, ..Options::default() };
            network.margins(&set, 1, method, &options).unwrap().lower
        };
        assert_eq!(at(1), at(64), "{method:?}");
    }
}
