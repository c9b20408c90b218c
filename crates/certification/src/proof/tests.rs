#![expect(clippy::float_cmp, reason = "a radius is one of those that were given")]
use burn::prelude::Device;
use duress_core::{Domain, Norm, Silent};
use duress_graph::{Array, Builder, Op, Unary};

use super::*;
use crate::bounds::Method;
use crate::table::{CERTIFIERS, Certification};

/// Logits `(3x₀ + 4x₁, 2.5)` behind a rectifier that is never bent on the unit square.
fn graph() -> Graph {
    let mut builder = Builder::new("x", vec![2]);
    let input = builder.input();
    let first = builder.constant(Array::new(vec![2, 1], vec![3.0, 4.0]).unwrap());
    let second = builder.constant(Array::new(vec![1, 2], vec![1.0, 0.0]).unwrap());
    let bias = builder.constant(Array::vector(vec![0.0, 2.5]));
    let hidden = builder.push("sum", Op::Linear, vec![input, first]).unwrap();
    let hidden = builder.push("relu", Op::Unary(Unary::Relu), vec![hidden]).unwrap();
    let output = builder.push("out", Op::Linear, vec![hidden, second, bias]).unwrap();
    builder.finish(output).unwrap()
}

fn ask(prover: &dyn Prover, row: &[f32], radii: &[f64]) -> Proved {
    let graph = graph();
    let network = Network::new(&graph).unwrap();
    let forward = |row: &[f32]| -> Result<Vec<f64>> {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        Ok(graph.evaluate(&row)?.values().to_vec())
    };
    let domain = Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let device = Device::flex();
    let subject = Subject {
        graph: &graph,
        network: &network,
        forward: &forward,
        domain: Some(&domain),
        device: &device,
        together: 1,
    };
    certify(prover, &subject, row, radii, &Silent).unwrap()
}

/// At (0.5, 0.5) the margin is 1: the decision is 1/7 away in Linf, 1/5 in L2 and 1/4 in L1.
#[test]
fn on_a_linear_network_the_largest_radius_below_the_distance_is_proved() {
    for method in Method::ALL {
        for (norm, distance) in [(Norm::Linf, 1.0 / 7.0), (Norm::L2, 0.2), (Norm::L1, 0.25)] {
            if norm != Norm::Linf && matches!(method, Method::Ibp | Method::Zonotope) {
                continue;
            }
            let prover = BoundProver { method, norm, options: bounds::Options::default() };
            let radii = [0.5, 0.9, 0.999, 1.001].map(|share| share * distance);
            let found = ask(&prover, &[0.5, 0.5], &radii);
            assert_eq!(found.certificate.prediction, Some(0));
            assert_eq!(found.certificate.radius, radii[2], "{method:?} {norm}");
            assert_eq!((found.certificate.failure_probability, found.refuted), (0.0, None));
        }
    }
}

#[test]
fn verification_also_says_where_a_certificate_ends() {
    let prover = VerifyProver::default();
    let found = ask(&prover, &[0.5, 0.5], &[0.14, 0.15, 0.2]);
    assert_eq!(found.certificate.radius, 0.14);
    let (radius, point) = found.refuted.unwrap();
    assert_eq!(radius, 0.15);
    let reach = point.iter().map(|value| (f64::from(*value) - 0.5).abs()).fold(0.0, f64::max);
    assert!(reach <= 0.15 && 3.0 * point[0] + 4.0 * point[1] <= 2.5, "{point:?}");
}

/// The class is that of the network, right or wrong; and the box ends where the domain does.
#[test]
fn the_prediction_is_proved_in_the_part_of_the_ball_that_the_domain_holds() {
    let prover = BoundProver {
        method: Method::Crown,
        norm: Norm::Linf,
        options: bounds::Options::default(),
    };
    let found = ask(&prover, &[0.0, 0.0], &[0.35, 0.36]);
    assert_eq!((found.certificate.prediction, found.certificate.radius), (Some(1), 0.35));
    // The largest sum on the unit square is 7: nothing beyond it is an input.
    assert_eq!(ask(&prover, &[1.0, 1.0], &[0.6, 0.64]).certificate.radius, 0.64);
    assert_eq!(ask(&prover, &[1.0, 1.0], &[0.65]).certificate.radius, 0.0);
}

#[test]
fn a_tie_proves_nothing() {
    let radius = |prover: &dyn Prover| ask(prover, &[0.5, 0.25], &[0.0]).certificate.radius;
    let crown = BoundProver {
        method: Method::Crown,
        norm: Norm::Linf,
        options: bounds::Options::default(),
    };
    assert_eq!(radius(&crown), 0.0);
    assert!(ask(&VerifyProver::default(), &[0.5, 0.25], &[0.0]).refuted.is_some());
}

#[test]
fn wrong_hyperparameters_are_refused_by_name() {
    let prover = |text: &str| {
        let entry = CERTIFIERS.iter().find(|entry| entry.name == "crown").unwrap();
        (entry.parse)(toml::from_str(text).unwrap())
    };
    let read = |text: &str| prover(text).unwrap();
    assert_eq!(read("norm = \"l2\"").norm(), Norm::L2);
    let Certification::Proved(_) = read("") else { panic!("a proof") };
    let error = read("options = { decay = 2.0 }").check().unwrap_err().to_string();
    assert!(error.contains("decay") && error.contains('2'), "{error}");
    let error = prover("norms = \"l2\"").unwrap_err().to_string();
    assert!(error.contains("unknown field `norms`"), "{error}");
    let timeless = VerifyProver {
        options: crate::verify::Options { timeout_seconds: 0.0, ..Default::default() },
    };
    assert!(timeless.check().unwrap_err().to_string().contains("timeout_seconds"));
}

/// An exponential has no Lipschitz constant on all inputs, and bounds of it there are.
#[test]
fn a_network_that_a_prover_does_not_know_is_told_without_a_sample() {
    let mut builder = Builder::new("x", vec![2]);
    let input = builder.input();
    let output = builder.push("the exponential", Op::Unary(Unary::Exp), vec![input]).unwrap();
    let steep = builder.finish(output).unwrap();
    for (graph, apt) in [(graph(), true), (steep, false)] {
        let network = Network::new(&graph).unwrap();
        for entry in CERTIFIERS {
            let Ok(Certification::Proved(prover)) = (entry.parse)(toml::Table::new()) else {
                continue;
            };
            let lipschitz =
                ["lipschitz-margin", "spectral-product", "local-lipschitz"].contains(&entry.name);
            match prover.fits(&graph, &network) {
                Ok(()) => assert!(apt || !lipschitz, "{}", entry.name),
                Err(error) => {
                    let text = error.to_string();
                    assert!(!apt && lipschitz && text.contains("`the exponential`"), "{text}");
                }
            }
        }
    }
}
