use duress_graph::{Array, Builder, Graph, Op, Unary};

use super::*;
use crate::bounds::Method;

/// `relu(x + y) + relu(x − y) − 1.5 relu(x) + 0.25`: its least value on `[−1, 1]²` is 0.25, where
/// x ≤ −|y|; for x ≥ |y| it is `x/2 + 0.25`.
fn network() -> Graph {
    let mut builder = Builder::new("x", vec![2]);
    let input = builder.input();
    let first = Array::new(vec![2, 3], vec![1.0, 1.0, 1.0, 1.0, -1.0, 0.0]).unwrap();
    let second = Array::new(vec![3, 1], vec![1.0, 1.0, -1.5]).unwrap();
    let [first, second] = [first, second].map(|array| builder.constant(array));
    let bias = builder.constant(Array::vector(vec![0.25]));
    let hidden = builder.push("hidden", Op::Linear, vec![input, first]).unwrap();
    let hidden = builder.push("relu", Op::Unary(Unary::Relu), vec![hidden]).unwrap();
    let output = builder.push("out", Op::Linear, vec![hidden, second, bias]).unwrap();
    builder.finish(output).unwrap()
}

fn bounds(fixed: &[(u32, bool)], iterations: usize) -> f64 {
    let network = Network::new(&network()).unwrap();
    let set = InputSet::sides(vec![-1.0; 2], vec![1.0; 2]).unwrap();
    let whole = Whole::new(&network, &set, &Options::default()).unwrap();
    assert_eq!(whole.kinks.len(), 3);
    assert!(whole.is_linear_between_kinks());
    // Below 0, so that nothing is settled before the optimiser ends.
    let specification = Specification::new(1, vec![1.0], vec![-4.0]).unwrap();
    let fixed = fixed.iter().map(|&(kink, positive)| Fixed { kink, positive }).collect();
    let part = Part { fixed, starts: Vec::new() };
    whole.bound(&specification, &[part], iterations).unwrap()[0][0].bound + 4.0
}

/// On each of the parts, which all hold the origin, the network is linear and at least 0.25.
#[test]
fn with_all_kinks_fixed_the_multipliers_come_near_the_linear_programs_optimum() {
    for bits in 0..8_u32 {
        let fixed: Vec<(u32, bool)> = (0..3).map(|kink| (kink, bits >> kink & 1 == 1)).collect();
        let bound = bounds(&fixed, 300);
        assert!(bound > 0.249, "{fixed:?}: {bound}");
        assert!(bound <= 0.25 + 1e-12, "{fixed:?}: {bound} is above the least value");
    }
}

#[test]
fn a_part_is_bounded_no_looser_than_the_whole_and_multipliers_of_zero_change_nothing() {
    let network = Network::new(&network()).unwrap();
    let set = InputSet::sides(vec![-1.0; 2], vec![1.0; 2]).unwrap();
    let specification = Specification::new(1, vec![1.0], vec![0.0]).unwrap();
    let options = Options::default();
    let crown = network.lower_bounds(&set, &specification, Method::Crown, &options).unwrap()[0];
    assert!((bounds(&[], 0) - crown).abs() < 1e-12, "{} {crown}", bounds(&[], 0));
    assert!(bounds(&[(2, true)], 50) > bounds(&[], 50));
}

/// The whole set lies where the first operand is positive; `z ≤ 0` is met nowhere.
#[test]
fn the_bound_of_an_empty_part_rises_without_limit() {
    let mut builder = Builder::new("x", vec![1]);
    let input = builder.input();
    let first = builder.constant(Array::new(vec![1, 2], vec![1.0, 1.0]).unwrap());
    let shift = builder.constant(Array::vector(vec![0.5, -0.5]));
    let second = builder.constant(Array::new(vec![2, 1], vec![1.0, 1.0]).unwrap());
    let hidden = builder.push("hidden", Op::Linear, vec![input, first, shift]).unwrap();
    let hidden = builder.push("relu", Op::Unary(Unary::Relu), vec![hidden]).unwrap();
    let output = builder.push("out", Op::Linear, vec![hidden, second]).unwrap();
    let network = Network::new(&builder.finish(output).unwrap()).unwrap();
    let set = InputSet::sides(vec![-1.0], vec![1.0]).unwrap();
    // Steps that do not shrink fast: what is asked is where the multipliers end.
    let options = Options { decay: 0.995, ..Options::default() };
    let whole = Whole::new(&network, &set, &options).unwrap();
    // x + 0.5 ≤ 0 and x − 0.5 ≥ 0.
    let fixed = [(0, false), (1, true)].map(|(kink, positive)| Fixed { kink, positive });
    let part = Part { fixed: fixed.to_vec(), starts: Vec::new() };
    // y − 2 is below 0 wherever it is.
    let specification = Specification::new(1, vec![1.0], vec![-2.0]).unwrap();
    let bound = |iterations| {
        whole.bound(&specification, std::slice::from_ref(&part), iterations).unwrap()[0][0].bound
    };
    assert!(bound(0) < -1.0);
    assert!(bound(1000) > 0.0, "{}", bound(1000));
}
