//! Properties whose answer is known: exact margins of small networks, a planted counterexample, and a
//! network that f32 computes otherwise than real arithmetic.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;

use std::path::Path;

use burn::prelude::Device;
use common::{graph, json, models, numbers};
use duress_certification::bounds;
use duress_certification::verify::{Complete, Options, Outcome, Verdict, verify};
use duress_certification::vnnlib::{LinearConstraint, Property, Region};
use duress_graph::Graph;
use serde_json::Value;

/// Unsafe if the logit of `label` exceeds that of one of `others` by no more than the level beside it.
fn property(
    graph: &Graph,
    sides: [Vec<f64>; 2],
    label: usize,
    others: &[(usize, f64)],
) -> Property {
    let constraint = |&(other, bound): &(usize, f64)| {
        let mut coefficients = vec![(label, 1.0), (other, -1.0)];
        coefficients.sort_by_key(|&(output, _)| output);
        vec![LinearConstraint { coefficients, bound, strict: false }]
    };
    let [lower, upper] = sides;
    let (inputs, outputs) = (lower.len(), graph.output_shape().iter().product());
    let unsafe_outputs = others.iter().map(constraint).collect();
    Property { inputs, outputs, regions: vec![Region { lower, upper, unsafe_outputs }] }
}

/// Counterexamples are those of the network in f64.
fn ask(graph: &Graph, property: &Property, options: &Options) -> Outcome {
    let forward = |inputs: &[f32]| -> bounds::Result<Vec<f64>> {
        let inputs: Vec<f64> = inputs.iter().copied().map(f64::from).collect();
        Ok(graph.evaluate(&inputs).map_err(bounds::Error::from)?.values().to_vec())
    };
    let outcome = verify(graph, property, &forward, &Device::flex(), options).unwrap();
    if let Verdict::Violated { inputs, outputs } = &outcome.verdict {
        assert!(property.is_violated(inputs, outputs));
    }
    outcome
}

fn sides(case: &Value) -> [Vec<f64>; 2] {
    let epsilon = case["eps"].as_f64().unwrap();
    let center = numbers(&case["input"]);
    let clipped = case["clip"] != "none";
    [-epsilon, epsilon].map(|by| {
        let moved = center.iter().map(|x| x + by);
        moved.map(|x| if clipped { x.clamp(0.0, 1.0) } else { x }).collect()
    })
}

/// Asks for levels beside the exact margins of the cases of a network up to a radius.
fn beside_the_margins(
    models: &Path,
    (name, largest): (&str, f64),
    complete: Complete,
    gap: f64,
) -> Vec<String> {
    let cases = json(&models.join("dev_toy/cases.json"));
    let graph = graph(&models.join("dev_toy").join(format!("{name}.onnx")));
    // Most is proved: a long search would only take time.
    let (starts, steps) = (16, 40);
    let options = Options { complete, timeout_seconds: 60.0, starts, steps, ..Options::default() };
    let mut wrong = Vec::new();
    for (at, case) in cases["models"][name]["cases"].as_array().unwrap().iter().enumerate() {
        if case["eps"].as_f64().unwrap() > largest {
            continue;
        }
        let label = case["label"].as_u64().unwrap() as usize;
        let others: Vec<usize> =
            numbers(&case["other_classes"]).into_iter().map(|class| class as usize).collect();
        let margins = numbers(&case["exact_margins"]);
        let levels = |by: f64| -> Vec<(usize, f64)> {
            others.iter().copied().zip(margins.iter().map(|margin| margin + by)).collect()
        };
        let mut expect = |others: &[(usize, f64)], word: &str| {
            let outcome = ask(&graph, &property(&graph, sides(case), label, others), &options);
            let got = outcome.verdict.word();
            if got != word {
                let seconds = outcome.seconds;
                wrong.push(format!("{name} {at} {others:?}: {got}, not {word} ({seconds:.1} s)"));
            }
        };
        expect(&levels(-gap), "unsat");
        for level in levels(gap) {
            expect(&[level], "sat");
        }
    }
    wrong
}

#[test]
fn levels_beside_exact_margins_are_told_apart_by_cutting_neurons() {
    let Some(models) = models() else { return };
    let wrong: Vec<String> =
        ["dev_mlp_a", "dev_mlp_b", "dev_conv", "dev_res", "dev_bn", "dev_avgpool"]
            .into_iter()
            .map(|name| (name, 1.0))
            // Largest values of windows become chains of kinks; wide balls take minutes.
            .chain([("dev_maxpool", 0.01)])
            .flat_map(|of| beside_the_margins(&models, of, Complete::Neurons, 1e-3))
            .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn levels_beside_exact_margins_are_told_apart_by_cutting_inputs() {
    let Some(models) = models() else { return };
    let wrong: Vec<String> = ["dev_mlp_a", "dev_mlp_b"]
        .into_iter()
        .flat_map(|name| beside_the_margins(&models, (name, 1.0), Complete::Inputs, 1e-3))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The margin that the solver's verdict needs is 1e-4.
#[test]
fn levels_beside_exact_margins_are_told_apart_by_integer_programs() {
    let Some(models) = models() else { return };
    let wrong: Vec<String> = ["dev_mlp_a", "dev_bn", "dev_conv"]
        .into_iter()
        .flat_map(|name| beside_the_margins(&models, (name, 1.0), Complete::Exact, 1e-3))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Sampling found values as low as these: no proof may go above them.
#[test]
fn smooth_networks_are_never_proved_beyond_what_sampling_found() {
    let Some(models) = models() else { return };
    let cases = json(&models.join("dev_toy/cases.json"));
    for name in ["dev_tanh", "dev_sigmoid"] {
        let graph = graph(&models.join("dev_toy").join(format!("{name}.onnx")));
        for case in cases["models"][name]["cases"].as_array().unwrap() {
            let label = case["label"].as_u64().unwrap() as usize;
            let others = numbers(&case["other_classes"]);
            let [sampled, crown] =
                [&case["sampled_margin_upper_bounds"], &case["margin_lower_bounds"]["crown"]]
                    .map(numbers);
            for (at, other) in others.into_iter().enumerate() {
                let of = |level: f64, complete| {
                    let levels = [(other as usize, level)];
                    let property = property(&graph, sides(case), label, &levels);
                    let options = Options { complete, timeout_seconds: 5.0, ..Options::default() };
                    ask(&graph, &property, &options).verdict
                };
                assert!(matches!(of(sampled[at] + 1e-6, Complete::Auto), Verdict::Violated { .. }));
                let neurons = of(sampled[at], Complete::Neurons);
                assert!(neurons != Verdict::Holds, "{name} {at}");
                assert_eq!(of(crown[at] - 0.05, Complete::Neurons), Verdict::Holds, "{name} {at}");
                assert_eq!(of(crown[at] - 0.05, Complete::Inputs), Verdict::Holds, "{name} {at}");
            }
        }
    }
}

#[test]
fn a_hidden_counterexample_is_never_denied_and_its_twin_without_one_is_proved() {
    let Some(models) = models() else { return };
    let folder = models.join("dev_soundness");
    let planted = json(&folder.join("soundness.json"));
    for case in planted["planted"].as_array().unwrap() {
        let graph = graph(&folder.join(case["model"].as_str().unwrap()));
        let property = property(&graph, sides(case), 0, &[(1, 0.0)]);
        for complete in [Complete::Auto, Complete::Neurons, Complete::Exact] {
            let options = Options { complete, ..Options::default() };
            let word = ask(&graph, &property, &options).verdict.word();
            let expected = if case["robust"] == true { "unsat" } else { "sat" };
            assert_eq!(word, expected, "{} {complete:?}", case["model"]);
        }
    }
}

/// A proof speaks of real arithmetic; a counterexample is one of the plain pass. In real arithmetic
/// the least margin is 0.92, in f32 it is −3.
#[test]
fn a_verdict_says_what_holds_in_real_arithmetic() {
    let Some(models) = models() else { return };
    let folder = models.join("dev_soundness");
    let traps = json(&folder.join("soundness.json"));
    for case in traps["float_semantics"].as_array().unwrap() {
        let graph = graph(&folder.join(case["model"].as_str().unwrap()));
        let sides = [0, 1].map(|side| vec![numbers(&case["box"][0])[side]]);
        let exact = case["exact_real_min_margin"].as_f64().unwrap();
        let of = |level: f64| {
            let property = property(&graph, sides.clone(), 0, &[(1, level)]);
            ask(&graph, &property, &Options::default()).verdict.word()
        };
        assert_eq!((of(exact - 1e-3), of(exact + 1e-3)), ("unsat", "sat"));
    }
}
