use super::*;
use crate::bounds::{InputSet, Method, Network, Options};
use duress_core::Norm;
use duress_graph::{Builder, Unary, Window};

/// Logits `relu(x₀ + x₁) − 2 relu(x₀ − x₁)` and 0 near (1, 0): both rectifiers are on, so the
/// gradient is (−1, 3); on a ball that bends the second it is within (1 − 2 [0, 1], 1 + 2 [0, 1]).
#[test]
fn slopes_by_hand_on_and_off_the_kink() {
    let mut builder = Builder::new("x", vec![2]);
    let first = builder.constant(Array::new(vec![2, 2], vec![1.0, 1.0, 1.0, -1.0]).unwrap());
    let last = builder.constant(Array::new(vec![2, 2], vec![1.0, 0.0, -2.0, 0.0]).unwrap());
    let x = builder.input();
    let x = builder.push("a", Op::Linear, vec![x, first]).unwrap();
    let x = builder.push("b", Op::Unary(Unary::Relu), vec![x]).unwrap();
    let x = builder.push("c", Op::Linear, vec![x, last]).unwrap();
    let graph = builder.finish(x).unwrap();
    let network = Network::new(&graph).unwrap();
    for (radius, expected) in [(0.25, [1.0, 3.0]), (0.75, [2.0, 3.0])] {
        let set = InputSet::ball(&[1.0, 0.0], Norm::Linf, radius, None).unwrap();
        let known = network.node_bounds(&set, Method::Ibp, &Options::default()).unwrap();
        let got = steepest(&graph, &known, &[1.0, -1.0]).unwrap();
        for (got, expected) in got.iter().zip(expected) {
            assert!(*got >= expected && *got < expected + 1e-9, "{radius}: {got} {expected}");
        }
    }
}

/// The bound against differences, through a strided convolution, a scale, a residual and tanh.
#[test]
fn no_difference_within_the_set_is_steeper() {
    let mut builder = Builder::new("x", vec![2, 5]);
    let taps: Vec<f64> = (0..18).map(|at| (f64::from(at) * 0.7).sin()).collect();
    let taps = builder.constant(Array::new(vec![3, 2, 3], taps).unwrap());
    let scale = builder.constant(Array::new(vec![3, 1], vec![0.5, -2.0, 1.5]).unwrap());
    let weight: Vec<f64> = (0..18).map(|at| (f64::from(at) * 1.3).cos()).collect();
    let weight = builder.constant(Array::new(vec![9, 2], weight).unwrap());
    let window =
        Window { kernel: vec![3], stride: vec![2], dilation: vec![1], padding: vec![(1, 1)] };
    let x = builder.input();
    let conv = Op::Convolution(Convolution { window, groups: 1 });
    let x = builder.push("a", conv, vec![x, taps]).unwrap();
    let x = builder.push("b", Op::Binary(Binary::Mul), vec![x, scale]).unwrap();
    let bent = builder.push("c", Op::Unary(Unary::Tanh), vec![x]).unwrap();
    let x = builder.push("d", Op::Binary(Binary::Sub), vec![x, bent]).unwrap();
    let x = builder.shaped("e", Op::Reshape, x, vec![9]).unwrap();
    let x = builder.push("f", Op::Linear, vec![x, weight]).unwrap();
    let graph = builder.finish(x).unwrap();
    let network = Network::new(&graph).unwrap();
    let center: Vec<f64> = (0..10).map(|at| (f64::from(at) * 2.1).sin()).collect();
    let set = InputSet::ball(&center, Norm::Linf, 0.1, None).unwrap();
    let known = network.node_bounds(&set, Method::Ibp, &Options::default()).unwrap();
    let bounds = steepest(&graph, &known, &[1.0, -1.0]).unwrap();
    let value = |x: &[f64]| {
        let logits = graph.evaluate(x).unwrap();
        logits.values()[0] - logits.values()[1]
    };
    for (feature, bound) in bounds.iter().enumerate() {
        let mut steepest = 0.0_f64;
        for at in 0..20 {
            let mut moved = center.clone();
            moved[feature] += -0.1 + 0.01 * f64::from(at);
            let before = value(&moved);
            moved[feature] += 0.01;
            steepest = steepest.max(((value(&moved) - before) / 0.01).abs());
        }
        assert!(steepest <= bound * (1.0 + 1e-9) && *bound < 10.0, "{steepest} {bound}");
        assert!(steepest > bound * 0.2, "{steepest} {bound}");
    }
}
