use super::*;
use duress_graph::{Builder, Convolution, Unary};

fn close(got: f64, expected: f64) {
    assert!(got >= expected * (1.0 - 1e-12) && got <= expected * 1.001, "{got} {expected}");
}

fn matrix(rows: usize, columns: usize, values: &[f64]) -> Array {
    Array::new(vec![rows, columns], values.to_vec()).unwrap()
}

/// W₁ stretches by 5, its rectifier by 1, W₂ by 2; the columns of W₂ are √8 apart.
#[test]
fn layers_multiply_and_a_last_linear_one_counts_by_pairs() {
    let mut builder = Builder::new("x", vec![2]);
    let first = builder.constant(matrix(2, 2, &[3.0, 0.0, 0.0, 5.0]));
    let last = builder.constant(matrix(2, 2, &[2.0, 0.0, 0.0, 2.0]));
    let x = builder.input();
    let x = builder.push("a", Op::Linear, vec![x, first]).unwrap();
    let x = builder.push("b", Op::Unary(Unary::Relu), vec![x]).unwrap();
    let x = builder.push("c", Op::Linear, vec![x, last]).unwrap();
    let bound = LipschitzBound::of(&builder.finish(x).unwrap(), 12).unwrap();
    close(bound.logits, 10.0);
    close(bound.pairs[1], 5.0 * 8.0_f64.sqrt());
    assert_eq!((bound.classes(), bound.nodes.len()), (2, 4));
}

/// Identity and W = 3 I: a sum stretches by 1 + 3; then mean of 4 by ½ ; then the scale −2.
#[test]
fn branches_add_and_constants_scale() {
    let mut builder = Builder::new("x", vec![4]);
    let input = builder.input();
    let weight: Vec<f64> = (0..16).map(|at| if at % 5 == 0 { 3.0 } else { 0.0 }).collect();
    let weight = builder.constant(matrix(4, 4, &weight));
    let scale = builder.constant(Array::vector(vec![-2.0]));
    let branch = builder.push("a", Op::Linear, vec![input, weight]).unwrap();
    let sum = builder.push("b", Op::Binary(Binary::Add), vec![input, branch]).unwrap();
    let mean = Op::Reduce { by: Reduction::Mean, axes: vec![0] };
    let mean = builder.push("c", mean, vec![sum]).unwrap();
    let scaled = builder.push("d", Op::Binary(Binary::Mul), vec![mean, scale]).unwrap();
    let bound = LipschitzBound::of(&builder.finish(scaled).unwrap(), 12).unwrap();
    close(bound.logits, 4.0);
}

#[test]
fn max_min_stretches_nothing_though_its_parts_would() {
    let mut builder = Builder::new("x", vec![4]);
    let x = builder.input();
    let slice = |builder: &mut Builder, start| {
        builder.push("s", Op::Slice { axis: 0, start, end: start + 2 }, vec![x]).unwrap()
    };
    let (left, right) = (slice(&mut builder, 0), slice(&mut builder, 2));
    let larger = builder.push("l", Op::Binary(Binary::Max), vec![left, right]).unwrap();
    let smaller = builder.push("m", Op::Binary(Binary::Min), vec![left, right]).unwrap();
    let mut other = builder.clone();
    let sorted = builder.push("c", Op::Concat { axis: 0 }, vec![larger, smaller]).unwrap();
    close(LipschitzBound::of(&builder.finish(sorted).unwrap(), 12).unwrap().logits, 1.0);
    let twice = other.push("c", Op::Concat { axis: 0 }, vec![larger, larger]).unwrap();
    close(LipschitzBound::of(&other.finish(twice).unwrap(), 12).unwrap().logits, 2.0);
}

/// x − u a relu(aᵀ x) with ‖a‖ = 1: stretches by max(1, u − 1), not by 1 + u.
#[test]
fn a_residual_layer_that_pulls_back_stretches_by_what_it_overshoots() {
    for (share, expected) in [(-2.0, 1.0), (-1.0, 1.0), (-3.5, 2.5), (0.5, 1.5)] {
        let mut builder = Builder::new("x", vec![2]);
        let inward = builder.constant(matrix(2, 1, &[0.6, 0.8]));
        let outward = builder.constant(matrix(1, 2, &[0.6 * share, 0.8 * share]));
        let x = builder.input();
        let hidden = builder.push("a", Op::Linear, vec![x, inward]).unwrap();
        let hidden = builder.push("b", Op::Unary(Unary::Relu), vec![hidden]).unwrap();
        let back = builder.push("c", Op::Linear, vec![hidden, outward]).unwrap();
        let sum = builder.push("d", Op::Binary(Binary::Add), vec![x, back]).unwrap();
        close(LipschitzBound::of(&builder.finish(sum).unwrap(), 12).unwrap().logits, expected);
    }
}

/// (1, 2, 3) over 9 places: at most 6 wherever it ends, at most √(windows · …) when pooled.
#[test]
fn windows_count_how_often_a_place_is_in_them() {
    let window = |kernel: usize, stride: usize| Window {
        kernel: vec![kernel],
        stride: vec![stride],
        dilation: vec![1],
        padding: vec![(0, 0)],
    };
    let mut builder = Builder::new("x", vec![1, 9]);
    let taps = builder.constant(Array::new(vec![1, 1, 3], vec![1.0, 2.0, 3.0]).unwrap());
    let conv = Op::Convolution(Convolution { window: window(3, 1), groups: 1 });
    let x = builder.input();
    let x = builder.push("a", conv, vec![x, taps]).unwrap();
    let pooled = builder.push("b", Op::MaxPool(window(3, 2)), vec![x]).unwrap();
    let pooled = builder.push("c", Op::AveragePool(window(2, 1)), vec![pooled]).unwrap();
    let bound = LipschitzBound::of(&builder.finish(pooled).unwrap(), 12).unwrap();
    close(bound.nodes[1], 6.0);
    close(bound.nodes[2], 6.0 * 2.0_f64.sqrt());
    close(bound.nodes[3], 6.0 * 2.0_f64.sqrt());
}

#[test]
fn what_has_no_bound_is_named() {
    let mut builder = Builder::new("x", vec![2]);
    let x = builder.input();
    let x = builder.push("the exponential", Op::Unary(Unary::Exp), vec![x]).unwrap();
    let error = LipschitzBound::of(&builder.finish(x).unwrap(), 3).unwrap_err().to_string();
    assert!(error.contains("Exp `the exponential`"), "{error}");
}
