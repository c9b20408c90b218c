//! Certificates from Lipschitz bounds, on networks that were trained.
#![allow(clippy::unwrap_used)]
use burn::prelude::*;
use duress_certification::bounds::{Network as Bounded, Result};
use duress_certification::proof::{
    LipschitzMargin, LocalLipschitz, Proved, Prover, SpectralProduct, Subject, certify,
};
use duress_certification::{CERTIFIERS, Certification, LipschitzBound};
use duress_core::{
    Aim, Classifier, Domain, Goal, Loss, Norm, Passes, Region, Seed, Silent, Threat, Use, host,
};
use duress_graph::{Array, Builder, Graph, Op};
use duress_models::train::{OptimizerRecipe, Run, Schedule};
use duress_models::{
    Architecture, Card, LipschitzLayer, Model, Recipe, Standard, TrainingData, train,
};
use rand::RngExt;

const FEATURES: usize = 6;

fn domain() -> Domain {
    Domain::table(vec![-4.0; FEATURES], vec![4.0; FEATURES]).unwrap()
}

/// Three clouds of points.
fn clouds(count: usize) -> (Vec<f32>, Vec<usize>) {
    let mut rng = Seed(9).stream(0, 0, 0, Use::Noise);
    let labels: Vec<usize> = (0..count).map(|at| at % 3).collect();
    let value = |label: usize, feature: usize| if feature % 3 == label { 1.0_f32 } else { -0.5 };
    let mut row = |label| {
        let values = (0..FEATURES).map(|at| value(label, at) + rng.random_range(-1.0_f32..1.0));
        values.collect::<Vec<_>>()
    };
    (labels.iter().flat_map(|&label| row(label)).collect(), labels)
}

fn trained(architecture: Architecture) -> Model {
    let domain = domain();
    let (rows, labels) = clouds(300);
    let ids: Vec<u64> = (0..300).collect();
    let data =
        TrainingData { rows: &rows, labels: &labels, ids: &ids, domain: &domain, classes: 3 };
    let optimizer = OptimizerRecipe::Adam {
        learning_rate: 0.02,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let schedule = Schedule::Constant {};
    let recipe = Recipe { epochs: 8, batch_size: 50, optimizer, schedule, ..Recipe::default() };
    let network = architecture.init(&domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let trained = train(&network, &Standard, &data, &recipe, Run::new(&passes)).unwrap();
    Model::new(&trained.last, Card::new(architecture, domain, 3)).unwrap()
}

fn ask(prover: &dyn Prover, graph: &Graph, row: &[f32]) -> Proved {
    ask_at(prover, graph, row, &[])
}

fn ask_at(prover: &dyn Prover, graph: &Graph, row: &[f32], radii: &[f64]) -> Proved {
    let network = Bounded::new(graph).unwrap();
    let forward = |row: &[f32]| -> Result<Vec<f64>> {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        Ok(graph.evaluate(&row)?.values().to_vec())
    };
    let device = Device::flex();
    let subject = Subject {
        graph,
        network: &network,
        forward: &forward,
        domain: None,
        device: &device,
        together: 1,
    };
    certify(prover, &subject, row, radii, &Silent).unwrap()
}

/// The smallest lead of the label, to be made small.
#[derive(Debug)]
struct Lead;

impl Loss for Lead {
    fn name(&self) -> &'static str {
        "lead"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let labels = aim.labels().unsqueeze_dim::<2>(1);
        let own = logits.clone().gather(1, labels.clone());
        let others =
            logits.scatter(1, labels, own.clone() * 0.0 - 1e4, burn::tensor::IndexingUpdateOp::Add);
        (others.max_dim(1) - own).squeeze_dim(1)
    }
}

#[test]
fn no_attack_finds_another_class_within_the_certified_radius() {
    let lipschitz = |layer| Architecture::Lipschitz { layer, width: 12, depth: 2 };
    let provers: [Box<dyn Prover>; 2] =
        [Box::new(LipschitzMargin::default()), Box::new(SpectralProduct::default())];
    for (architecture, is_tight) in [
        (lipschitz(LipschitzLayer::Aol), true),
        (lipschitz(LipschitzLayer::Cayley), true),
        (lipschitz(LipschitzLayer::Sll), true),
        (Architecture::Mlp { hidden: vec![12] }, false),
    ] {
        let model = trained(architecture.clone());
        let graph = model.graph().unwrap();
        let bound = LipschitzBound::of(&graph, 12).unwrap();
        if is_tight {
            assert!(bound.logits < 1.001, "{architecture:?}: {}", bound.logits);
        }
        let (rows, labels) = clouds(30);
        let (device, passes) = (Device::flex(), Passes::new(&Device::flex()).unwrap());
        let mut right = 0;
        for (row, label) in rows.chunks_exact(FEATURES).zip(labels) {
            let radii = provers.each_ref().map(|prover| {
                let certificate = ask(prover.as_ref(), &graph, row).certificate;
                right += usize::from(certificate.prediction == Some(label));
                (certificate.prediction.unwrap(), certificate.radius)
            });
            // The bound by pairs is never the smaller one.
            assert!(radii[1].1 >= radii[0].1 * (1.0 - 1e-9), "{radii:?}");
            let (class, radius) = radii[1];
            let start =
                Tensor::<2>::from_data(TensorData::new(row.to_vec(), [1, FEATURES]), &device);
            let threat = Threat::new(Norm::L2, radius * (1.0 - 1e-5)).unwrap();
            let region = Region::new(start.clone(), &threat, model.domain()).unwrap();
            let aim = Goal::Untargeted(vec![class]).aim(&device);
            let mut point = start;
            for _ in 0..30 {
                let slope = passes.gradient(&model, point.clone(), &aim, &Lead).unwrap().gradient;
                point = region.ascend(point, slope, region.radius() * 0.2);
                let logits = host::floats(model.forward(point.clone())).unwrap();
                let lead = logits[class];
                let rival = (0..3).filter(|&k| k != class).map(|k| logits[k]);
                let rival = rival.fold(f32::NEG_INFINITY, f32::max);
                assert!(lead >= rival - 1e-5, "{architecture:?} at {radius}: {logits:?}");
            }
        }
        assert!(right >= 40, "{architecture:?} is right {right} times of 60");
    }
}

/// (3, 4) against 0: the decision is 7·½/5 + 1/5 = 0.9 away from (½, ½) with the offset 1.
#[test]
fn on_a_linear_network_the_radius_by_pairs_is_the_distance() {
    let mut builder = Builder::new("x", vec![2]);
    let weight = builder.constant(Array::new(vec![2, 2], vec![3.0, 0.0, 4.0, 0.0]).unwrap());
    let bias = builder.constant(Array::vector(vec![1.0, 0.0]));
    let x = builder.input();
    let x = builder.push("a", Op::Linear, vec![x, weight, bias]).unwrap();
    let graph = builder.finish(x).unwrap();
    let found = ask(&SpectralProduct::default(), &graph, &[0.5, 0.5]).certificate;
    assert_eq!((found.prediction, found.failure_probability.to_bits()), (Some(0), 0));
    assert!(found.radius <= 0.9 && found.radius > 0.9 * (1.0 - 1e-12), "{}", found.radius);
    // 4.5 over √2 · 5.
    let found = ask(&LipschitzMargin::default(), &graph, &[0.5, 0.5]).certificate;
    let expected = 0.9 / 2.0_f64.sqrt();
    assert!(found.radius <= expected && found.radius > expected * 0.999, "{}", found.radius);
    // A tie proves nothing.
    let row = [-1.0 / 3.0, 0.0].map(|x: f64| x as f32);
    assert!(ask(&SpectralProduct::default(), &graph, &row).certificate.radius < 1e-7);
}

#[test]
fn one_prover_tells_two_networks_apart() {
    let prover = SpectralProduct::default();
    let graph = |scale: f64| {
        let mut builder = Builder::new("x", vec![1]);
        let weight = vec![scale, 0.0];
        let weight = builder.constant(Array::new(vec![1, 2], weight).unwrap());
        let bias = builder.constant(Array::vector(vec![1.0, 0.0]));
        let x = builder.input();
        let x = builder.push("a", Op::Linear, vec![x, weight, bias]).unwrap();
        builder.finish(x).unwrap()
    };
    for (scale, distance) in [(1.0, 1.0), (4.0, 0.25), (1.0, 1.0)] {
        let radius = ask(&prover, &graph(scale), &[0.0]).certificate.radius;
        assert!((radius - distance).abs() < 1e-9, "{radius} {distance}");
    }
}

#[test]
fn wrong_hyperparameters_are_refused_by_name() {
    for name in ["lipschitz-margin", "spectral-product"] {
        let entry = CERTIFIERS.iter().find(|entry| entry.name == name).unwrap();
        let read = |text: &str| (entry.parse)(toml::from_str(text).unwrap());
        let Certification::Proved(prover) = read("iterations = 41").unwrap() else { panic!() };
        let error = prover.check().unwrap_err().to_string();
        assert!(error.contains("`iterations` must be at most 40, got 41"), "{error}");
        assert!(read("iteration = 3").unwrap_err().to_string().contains("unknown field"));
    }
}

/// The margin 4.5 has the slope (3, 4) everywhere: the distance, or the largest ball asked about.
#[test]
fn on_a_linear_network_local_slopes_give_the_distance() {
    let mut builder = Builder::new("x", vec![2]);
    let weight = builder.constant(Array::new(vec![2, 2], vec![3.0, 0.0, 4.0, 0.0]).unwrap());
    let bias = builder.constant(Array::vector(vec![1.0, 0.0]));
    let x = builder.input();
    let x = builder.push("a", Op::Linear, vec![x, weight, bias]).unwrap();
    let graph = builder.finish(x).unwrap();
    for (norm, distance) in [(Norm::L2, 0.9), (Norm::Linf, 4.5 / 7.0), (Norm::L1, 4.5 / 4.0)] {
        let prover = LocalLipschitz { norm, ..LocalLipschitz::default() };
        let radius = |radii: &[f64]| ask_at(&prover, &graph, &[0.5, 0.5], radii).certificate.radius;
        let found = radius(&[0.25, 2.0, 9.0]);
        assert!(found <= distance && found > distance * (1.0 - 1e-9), "{norm}: {found}");
        assert_eq!(radius(&[0.125, 0.25]).to_bits(), 0.25_f64.to_bits());
        assert_eq!(radius(&[]).to_bits(), 0);
    }
}

/// The local slopes of a perceptron are no steeper than the product of its norms says, and no
/// attack gets through.
#[test]
fn local_slopes_prove_more_than_norms_and_hold_against_attacks() {
    let model = trained(Architecture::Mlp { hidden: vec![12] });
    let graph = model.graph().unwrap();
    let local = LocalLipschitz::default();
    let radii: Vec<f64> = (1..=20).map(|at| 0.05 * f64::from(at)).collect();
    let (device, passes) = (Device::flex(), Passes::new(&Device::flex()).unwrap());
    let (rows, _) = clouds(20);
    let mut gained = 0.0;
    for row in rows.chunks_exact(FEATURES) {
        let found = ask_at(&local, &graph, row, &radii).certificate;
        let whole = ask(&SpectralProduct::default(), &graph, row).certificate;
        gained += found.radius - whole.radius.min(1.0);
        let class = found.prediction.unwrap();
        let start = Tensor::<2>::from_data(TensorData::new(row.to_vec(), [1, FEATURES]), &device);
        let threat = Threat::new(Norm::L2, found.radius * (1.0 - 1e-5)).unwrap();
        let region = Region::new(start.clone(), &threat, model.domain()).unwrap();
        let aim = Goal::Untargeted(vec![class]).aim(&device);
        let mut point = start;
        for _ in 0..30 {
            let slope = passes.gradient(&model, point.clone(), &aim, &Lead).unwrap().gradient;
            point = region.ascend(point, slope, region.radius() * 0.2);
            let logits = host::floats(model.forward(point.clone())).unwrap();
            let rival = (0..3).filter(|&k| k != class).map(|k| logits[k]);
            let rival = rival.fold(f32::NEG_INFINITY, f32::max);
            assert!(logits[class] >= rival - 1e-5, "at {}: {logits:?}", found.radius);
        }
    }
    assert!(gained > 0.0, "{gained}");
}
