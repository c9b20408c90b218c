//! Bounds on the tape beside those that certify: f32 tensors of a whole batch against f64, sample by
//! sample, on every architecture.
#![allow(clippy::unwrap_used)]
use burn::module::Module;
use burn::prelude::*;
use duress_certification::bounds::{InputSet, Method, Network as Certified, Options};
use duress_core::{Domain, Layout, Norm, Seed, Use, host::floats};
use duress_models::bounds::{InputBox, Propagation};
use duress_models::{Architecture, Card, Model, Network, Normalization};
use rand::RngExt;

const CLASSES: usize = 4;
const RADIUS: f64 = 1.0 / 32.0;

fn all() -> Vec<(Architecture, Domain)> {
    let image = |channels, side| Domain::image(channels, side, side).unwrap();
    vec![
        (Architecture::Mlp { hidden: vec![20, 10] }, image(1, 4)),
        (Architecture::Mlp { hidden: vec![] }, image(1, 4)),
        (Architecture::SmallCnn {}, image(3, 9)),
        (Architecture::LeNet {}, image(1, 17)),
        (Architecture::ResNet { depth: 8 }, image(1, 7)),
        (Architecture::WideResNet { depth: 10, widen: 1 }, image(2, 8)),
    ]
}

fn draws(domain: &Domain, count: u64, seed: u64) -> Tensor<2> {
    let ids: Vec<u64> = (0..count).collect();
    Seed(seed).rows(&ids, (0, 0, Use::Start), domain.features(), &Device::flex(), |rng, row| {
        row.fill_with(|| rng.random());
    })
}

/// A network in evaluation mode behind a normalisation, with running statistics of its own.
fn model(architecture: &Architecture, domain: &Domain) -> Model {
    let network: Network = architecture.init(domain, CLASSES, Seed(3), &Device::flex()).unwrap();
    let Layout::Image { channels, .. } = domain.layout() else { unreachable!() };
    let normalization = Normalization::new(vec![0.4; channels], vec![0.5; channels]).unwrap();
    let network = network.with_normalization(normalization, domain).unwrap();
    let network = network.to_device(&Device::flex().autodiff()).train();
    for seed in 0..4 {
        let _ = network.forward(draws(domain, 16, seed).autodiff());
    }
    Model::new(&network, Card::new(architecture.clone(), domain.clone(), CLASSES)).unwrap()
}

fn close(got: f32, expected: f64, what: &str) {
    let allowed = 1e-4 * expected.abs().max(1.0);
    assert!((f64::from(got) - expected).abs() < allowed, "{what}: {got} is not {expected}");
}

#[test]
fn margins_of_every_architecture_are_those_of_the_certifier() {
    for (architecture, domain) in all() {
        let model = model(&architecture, &domain);
        let certified = Certified::new(&model.graph().unwrap()).unwrap();
        let count = 3;
        let rows = draws(&domain, count, 9);
        let labels: Vec<i64> = (0..count as i64).collect();
        let propagation = Propagation::new(model.network(), rows.clone()).unwrap();
        let input = InputBox::around(rows.clone(), RADIUS, &domain);
        let intervals = propagation.intervals(&input, 1.0);
        let targets =
            || Tensor::<1, Int>::from_data(TensorData::new(labels.clone(), [3]), &Device::flex());
        let ibp = floats(propagation.margins(&intervals, targets())).unwrap();
        let crown = floats(propagation.crown_margins(&intervals, targets())).unwrap();
        let values = floats(rows).unwrap();
        for (sample, row) in values.chunks(domain.features()).enumerate() {
            let centre: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            let set = InputSet::ball(&centre, Norm::Linf, RADIUS, Some(&domain)).unwrap();
            let margins = |method| {
                certified.margins(&set, sample, method, &Options::default()).unwrap().lower
            };
            let (by_intervals, by_planes) = (margins(Method::Ibp), margins(Method::CrownIbp));
            for class in 0..CLASSES {
                let what = format!("{architecture:?}, sample {sample}, class {class}");
                let at = sample * CLASSES + class;
                close(ibp[at], by_intervals[class], &format!("intervals of {what}"));
                // The certifier keeps the better of both bounds.
                close(ibp[at].max(crown[at]), by_planes[class], &format!("planes of {what}"));
            }
        }
    }
}
