//! Each operator of an ONNX file is bounded soundly, or named as one that is not.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;
#[path = "common/contains.rs"]
mod contains;

use common::Draws;
use duress_certification::bounds::{Error, InputSet, Network};
use duress_graph::{Array, Binary, Builder, Op, Operand, onnx};

/// Networks of one operator each, made for the tests of the graphs.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../graph/tests/cases/cases.json");

/// Base64 of RFC 4648.
fn bytes(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let digit = |sign: &u8| alphabet.iter().position(|known| known == sign).unwrap() as u32;
        let word = four.iter().fold(0, |word, sign| word << 6 | digit(sign));
        let word = word << (6 * (4 - four.len()));
        bytes.extend(word.to_be_bytes()[1..].iter().take(four.len() - 1));
    }
    bytes
}

#[test]
fn no_point_leaves_the_bounds_of_any_operator() {
    let cases: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(CASES).unwrap()).unwrap();
    let (mut refused, mut open, mut bounded) = (Vec::new(), Vec::new(), 0);
    for case in cases.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let file = bytes(case["model"].as_str().unwrap());
        let graph = onnx::decode(&file, None, &onnx::Options::default()).unwrap().graph;
        let network = match Network::new(&graph) {
            Ok(network) => network,
            Err(error) => {
                assert!(matches!(error, Error::Unsupported { .. }), "{name}: {error}");
                refused.push(name);
                continue;
            }
        };
        let features: usize = graph.input_shape().iter().product();
        let sample: Vec<f64> = common::numbers(&case["x"])[..features].to_vec();
        let draws = &mut Draws(7);
        let lower: Vec<f64> = sample.iter().map(|x| x - 0.05 * draws.next()).collect();
        let upper: Vec<f64> = sample.iter().map(|x| x + 0.05 * draws.next()).collect();
        let points: Vec<_> = (0..100).map(|_| draws.point(&lower, &upper)).collect();
        let set = InputSet::sides(lower, upper).unwrap();
        let result = contains::check(name, &graph, &network, &set, &points);
        if result.lower.iter().chain(&result.upper).all(|bound| bound.is_finite()) {
            bounded += 1;
        } else {
            open.push(name);
        }
    }
    assert_eq!(refused, [""; 0], "without bounds");
    assert_eq!(open, [""; 0], "with infinite bounds");
    assert_eq!(bounded, cases.as_array().unwrap().len());
}

#[test]
fn all_nodes_without_bounds_are_named_at_once() {
    let mut builder = Builder::new("x", vec![2]);
    let base = builder.constant(Array::vector(vec![2.0, 3.0]));
    let x = builder.input();
    let power = |builder: &mut Builder, name: &str, x: Operand| {
        builder.push(name, Op::Binary(Binary::Pow), vec![base, x]).unwrap()
    };
    let first = power(&mut builder, "first", x);
    let second = power(&mut builder, "second", first);
    let error = Network::new(&builder.finish(second).unwrap()).unwrap_err().to_string();
    assert_eq!(
        error,
        "no bounds for Pow `first` (an exponent that depends on the input); \
         Pow `second` (an exponent that depends on the input)"
    );
}
