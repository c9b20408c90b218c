//! Networks and properties of the verification competition: what is proved holds, and bounds are
//! those of an independent implementation of CROWN.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;

use std::path::Path;
use std::time::Instant;

use common::{ball, json, mnist, models, network};
use duress_certification::bounds::{InputSet, Method, Network, Options};

/// The box and the label of a property about a label.
fn property(path: &Path, features: usize) -> (InputSet, usize) {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut lower, mut upper) = (vec![f64::NAN; features], vec![f64::NAN; features]);
    let mut labels = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> =
            line.split(['(', ')', ' ']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            ["assert", sign, x, value] if x.starts_with("X_") => {
                let at: usize = x[2..].parse().unwrap();
                let side = if sign == "<=" { &mut upper } else { &mut lower };
                side[at] = value.parse().unwrap();
            }
            [.., ">=", _, y] | [.., "<=", y, _] if y.starts_with("Y_") => {
                labels.push(y[2..].parse::<usize>().unwrap());
            }
            _ => {}
        }
    }
    assert!(labels.len() == 9 && labels.iter().all(|&label| label == labels[0]), "{labels:?}");
    (InputSet::sides(lower, upper).unwrap(), labels[0])
}

/// Checks each property of a folder, and counts those proved among those that hold.
fn proved(folder: &Path, model: &str, method: Method) -> (usize, usize) {
    let network = network(&folder.join(model));
    let table = std::fs::read_to_string(folder.join("reference_results.csv")).unwrap();
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|&own| own == name);
    let (mut proved, mut hold) = (0, 0);
    for row in lines {
        let start = Instant::now();
        let (set, label) = property(&folder.join(row[1]), network.features());
        let margins = network.margins(&set, label, method, &Options::default()).unwrap();
        let verdict = row[2];
        println!("{} {verdict} {} {:.2?}", row[1], margins.worst(), start.elapsed());
        assert!(!(verdict == "sat" && margins.is_certified()), "{row:?}: {margins:?}");
        let number = |name| column(name).and_then(|at| row[at].parse::<f64>().ok());
        if let (Some(expected), Method::Crown) = (number("own_crown_min_margin"), method) {
            let slack = 1e-4 * expected.abs().max(1.0);
            assert!(margins.worst() >= expected - slack, "{row:?}: {}", margins.worst());
        }
        if let Some(attacked) = number("own_pgd_min_margin") {
            assert!(margins.worst() <= attacked + 1e-4, "{row:?}: {}", margins.worst());
        }
        proved += usize::from(verdict == "unsat" && margins.is_certified());
        hold += usize::from(verdict == "unsat");
    }
    (proved, hold)
}

#[test]
#[ignore = "takes minutes"]
fn crown_proves_what_it_should_of_the_competition_and_nothing_false() {
    let Some(models) = models() else { return };
    let at = |folder: &str, model: &str| proved(&models.join(folder), model, Method::Crown);
    let (fully_connected, _) = at("mnist_fc_256x2", "mnist-net_256x2.onnx");
    assert!(fully_connected >= 10, "{fully_connected}");
    println!("{:?}", at("verivital_mnist_avgpool", "Convnet_avgpool.onnx"));
    println!("{:?}", at("oval21_cifar_deep", "cifar_deep_kw.onnx"));
    println!("{:?}", at("cifar10_resnet_2b", "resnet_2b.onnx"));
}

#[test]
#[ignore = "takes minutes"]
fn optimised_slopes_prove_more_of_the_competition_and_nothing_false() {
    let Some(models) = models() else { return };
    let folder = models.join("mnist_fc_256x2");
    let (optimised, _) = proved(&folder, "mnist-net_256x2.onnx", Method::AlphaCrown);
    println!("{optimised}");
    assert!(optimised >= 10, "{optimised}");
}

/// Certified images of one network, and the least margin of each.
fn certified(models: &Path, reference: &str, network: &Network, most: usize) {
    let reference = json(&models.join("bounds").join(reference));
    let images = mnist(models);
    for radius in reference["by_eps"].as_array().unwrap() {
        let epsilon = radius["eps"].as_f64().unwrap();
        let margins = common::numbers(&radius["min_margin_lower_bound"]);
        let mut count = 0;
        for ((label, image), expected) in images.iter().zip(&margins).take(most) {
            let set = ball(image, epsilon);
            let got = network.margins(&set, *label, Method::Crown, &Options::default()).unwrap();
            let slack = 1e-5 * expected.abs().max(1.0);
            assert!(got.worst() >= expected - slack, "{}: {expected}", got.worst());
            count += u64::from(got.is_certified());
        }
        if most >= margins.len() {
            assert!(count >= radius["certified_count"].as_u64().unwrap(), "{epsilon}: {count}");
        }
    }
}

#[test]
fn a_tiny_network_is_certified_on_as_many_digits_as_in_the_reference() {
    let Some(models) = models() else { return };
    let network = network(&models.join("mnist_tiny_mlp/mnist_2_20.onnx"));
    certified(&models, "crown_certified_mnist_2_20.json", &network, 100);
}

#[test]
#[ignore = "takes a minute"]
fn a_convolutional_network_is_certified_on_as_many_digits_as_in_the_reference() {
    let Some(models) = models() else { return };
    let network = network(&models.join("pretrained_mnist_cifar/kw_mnist.onnx"));
    certified(&models, "crown_certified_kw_mnist.json", &network, 100);
}
