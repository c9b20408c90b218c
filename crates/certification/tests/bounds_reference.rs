//! Bounds that others computed for third-party networks, and exact margins, reproduced.
//!
//! Tolerances are those of the references: 1e-5 relative in f64. Here CROWN also keeps an interval
//! where that is tighter, so that it may be above the reference; it is never below.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;

use std::path::Path;

use common::{ball, json, models, network, numbers};
use duress_certification::bounds::{InputSet, Method, Network, Options};
use serde_json::Value;

const METHODS: [(Method, &str); 3] =
    [(Method::Ibp, "ibp"), (Method::CrownIbp, "crown_ibp"), (Method::Crown, "crown")];

/// The margins of the other classes in ascending order.
fn margins(network: &Network, set: &InputSet, label: usize, method: Method) -> Vec<f64> {
    let mut margins = network.margins(set, label, method, &Options::default()).unwrap();
    assert_eq!(margins.lower.remove(label).to_bits(), 0);
    margins.lower
}

/// What is wrong with the bounds of one case.
fn faults(network: &Network, case: &Value, input: &[f64], smooth: bool) -> Vec<String> {
    let label = case["label"].as_u64().unwrap() as usize;
    let set = ball(input, case["eps"].as_f64().unwrap());
    let mut faults = Vec::new();
    let bounds = &case["margin_lower_bounds"];
    let limits = ["exact_margins", "sampled_margin_upper_bounds"].map(|name| &case[name]);
    let limit = limits.into_iter().find(|limit| limit.is_array()).map(numbers);
    let mut crown = Vec::new();
    let reference = numbers(&bounds["crown"]);
    for (method, name) in METHODS.into_iter().chain([(Method::AlphaCrown, "alpha_crown_20")]) {
        let got = margins(network, &set, label, method);
        let Some(expected) = bounds.get(name).map(numbers) else { continue };
        assert_eq!(got.len(), expected.len());
        for (at, (&got, &expected)) in got.iter().zip(&expected).enumerate() {
            let size = expected.abs().max(1.0);
            // Intervals are unique. Where relaxations are a choice, tighter ones are welcome.
            let unique = method == Method::Ibp;
            let slack = match (method, smooth) {
                // The optimiser takes other ways; on curves it finds most of the gain.
                (Method::AlphaCrown, true) => (0.3 * (expected - reference[at]) / size).max(5e-3),
                (Method::AlphaCrown, false) => 5e-3,
                (Method::Crown | Method::CrownIbp, true) => 2e-2,
                _ => 1e-5,
            };
            if got < expected - slack * size || (unique && got > expected + slack * size) {
                faults.push(format!("{name} {at}: {got} for {expected}"));
            }
            if method == Method::AlphaCrown && got < crown[at] {
                faults.push(format!("{name} {at}: {got} is below CROWN's {}", crown[at]));
            }
            if let Some(limit) = &limit
                && got > limit[at] + 1e-9
            {
                faults.push(format!("{name} {at}: {got} is above the exact {}", limit[at]));
            }
        }
        crown = got;
    }
    faults
}

#[test]
fn small_networks_have_the_bounds_of_the_reference_and_none_above_the_exact_margin() {
    let Some(models) = models() else { return };
    let cases = json(&models.join("dev_toy/cases.json"));
    let mut wrong = Vec::new();
    for (name, model) in cases["models"].as_object().unwrap() {
        let file = models.join("dev_toy").join(model["model"].as_str().unwrap());
        let network = network(&file);
        for (at, case) in model["cases"].as_array().unwrap().iter().enumerate() {
            let smooth = name.contains("tanh") || name.contains("sigmoid");
            let found = faults(&network, case, &numbers(&case["input"]), smooth);
            wrong.extend(found.into_iter().map(|fault| format!("{name} {at} {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

/// The cases of one file of reference bounds, `most` of them.
fn reproduces(models: &Path, file: &str, most: usize) {
    let reference = json(&models.join("bounds").join(file));
    let folder = models.join(reference["model_at"].as_str().unwrap());
    let network = network(&folder.join(reference["model"].as_str().unwrap()));
    let images = common::mnist(models);
    let mut wrong = Vec::new();
    for case in reference["cases"].as_array().unwrap().iter().take(most) {
        let name = case["input"].as_str().unwrap();
        let row: usize = name.rsplit(' ').next().unwrap().parse().unwrap();
        wrong.extend(faults(&network, case, &images[row].1, false));
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_tiny_network_of_digits_has_the_bounds_of_the_reference() {
    let Some(models) = models() else { return };
    reproduces(&models, "bounds_mnist_2_20.json", usize::MAX);
}

#[test]
fn a_network_of_three_layers_has_the_bounds_of_the_reference() {
    let Some(models) = models() else { return };
    reproduces(&models, "bounds_mnist_fc_3layer.json", 4);
}

#[test]
fn a_convolutional_network_has_the_bounds_of_the_reference() {
    let Some(models) = models() else { return };
    reproduces(&models, "bounds_kw_mnist.json", 2);
}

#[test]
#[ignore = "takes a minute"]
fn all_cases_of_the_reference_are_reproduced() {
    let Some(models) = models() else { return };
    reproduces(&models, "bounds_mnist_fc_3layer.json", usize::MAX);
    reproduces(&models, "bounds_kw_mnist.json", usize::MAX);
}
