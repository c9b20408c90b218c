use burn::prelude::Device;
use duress_graph::{Array, Builder, Graph, Op, Unary};

use super::*;

/// `(|x₀| − |x₁|, 0.3)` by four rectifiers.
fn network() -> Graph {
    let mut builder = Builder::new("x", vec![2]);
    let input = builder.input();
    let first = Array::new(vec![2, 4], vec![1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0]).unwrap();
    let second = Array::new(vec![4, 2], vec![1.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0]).unwrap();
    let weights = [first, second].map(|array| builder.constant(array));
    let bias = builder.constant(Array::vector(vec![0.0, 0.3]));
    let hidden = builder.push("hidden", Op::Linear, vec![input, weights[0]]).unwrap();
    let hidden = builder.push("relu", Op::Unary(Unary::Relu), vec![hidden]).unwrap();
    let output = builder.push("out", Op::Linear, vec![hidden, weights[1], bias]).unwrap();
    builder.finish(output).unwrap()
}

/// Unsafe if `|x₀| − |x₁|` reaches `level` in `[−1, 1] × [0.5, 1]`.
fn property(level: f64) -> Property {
    Property::parse(&format!(
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)\n\
         (declare-const Y_1 Real)(assert (>= X_0 -1))(assert (<= X_0 1))(assert (>= X_1 0.5))\n\
         (assert (<= X_1 1))(assert (>= Y_0 {level}))"
    ))
    .unwrap()
}

fn ask(property: &Property, options: &Options) -> Outcome {
    let graph = network();
    let forward = |inputs: &[f32]| -> bounds::Result<Vec<f64>> {
        let inputs: Vec<f64> = inputs.iter().copied().map(f64::from).collect();
        Ok(graph.evaluate(&inputs).map_err(bounds::Error::from)?.values().to_vec())
    };
    verify(&graph, property, &forward, &Device::flex(), options).unwrap()
}

/// The largest value is 1 − 0.5.
#[test]
fn a_level_above_the_maximum_is_never_reached_and_one_below_is() {
    let holds = ask(&property(0.501), &Options::default());
    assert_eq!(holds.verdict, Verdict::Holds);
    let violated = ask(&property(0.499), &Options::default());
    let Verdict::Violated { inputs, outputs } = &violated.verdict else { panic!("{violated:?}") };
    assert!(property(0.499).is_violated(inputs, outputs));
    assert_eq!(violated.verdict.word(), "sat");
}

#[test]
fn without_a_search_branching_finds_the_corner_and_without_time_it_says_so() {
    let blind = Options { starts: 1, steps: 0, ..Options::default() };
    // Centres come near the corner, and the property leaves them room.
    assert_eq!(ask(&property(0.4), &blind).verdict.word(), "sat");
    let none = Options { timeout_seconds: 0.0, ..Options::default() };
    // The first bound may settle it; here it does not.
    let graph_settles = ask(&property(0.501), &blind).boxes == 1;
    let expected = if graph_settles { Verdict::Holds } else { Verdict::Timeout };
    assert_eq!(ask(&property(0.501), &none).verdict, expected);
}

#[test]
fn a_property_of_another_network_is_an_error() {
    let graph = network();
    let text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))\
                (assert (<= X_0 1))(assert (>= Y_0 1))";
    let property = Property::parse(text).unwrap();
    let forward = |_: &[f32]| -> bounds::Result<Vec<f64>> { Ok(vec![0.0; 2]) };
    let result = verify(&graph, &property, &forward, &Device::flex(), &Options::default());
    assert!(matches!(result, Err(bounds::Error::Length { .. })));
}
