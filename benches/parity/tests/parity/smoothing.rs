//! Counts under noise.
use duress_certification::{
    Certificate, Certifier, Smoothing, certified_radius, probability_lower_bound,
};
use duress_core::{Seed, Silent};
use duress_models::train::snapshot;
use duress_parity::{Side, uniform};

use crate::{CLASSES, FEATURES, compare, domain, small};

const ROWS: usize = 4;
const SMOOTHING: Smoothing = Smoothing {
    sigma: 0.12,
    selection_draws: 64,
    estimation_draws: 512,
    alpha: 0.001,
    batch: 256,
    bound_runner_up: false,
};

/// Draws that may fall into another class: those at a boundary but for rounding.
const DRAWS: u64 = 2;

fn certify(side: &Side) -> Vec<Certificate> {
    let network = side.network(&small(), &domain(), CLASSES).unwrap();
    let model = snapshot(&network, &domain()).unwrap();
    let values = uniform(ROWS, FEATURES, (0.0, 1.0), 7);
    let certify = |(id, row): (usize, &[f32])| {
        let row = side.rows(row, FEATURES);
        SMOOTHING.certify(&model, &side.passes, row, (Seed(8), id as u64), &Silent).unwrap()
    };
    values.chunks_exact(FEATURES).enumerate().map(certify).collect()
}

/// The number of draws for the class, which the radius depends on and on nothing else.
fn count(certificate: &Certificate) -> Option<u64> {
    let draws = SMOOTHING.estimation_draws;
    let gives = |count: u64| {
        let bound = probability_lower_bound(count, draws, SMOOTHING.alpha).unwrap();
        certified_radius(bound, SMOOTHING.sigma).map(f64::to_bits)
    };
    (0..=draws).find(|&count| gives(count) == Some(certificate.radius.to_bits()))
}

#[test]
fn the_same_noise_falls_into_the_same_classes() {
    compare("smoothing", |reference, other| {
        let (ours, theirs) = (certify(reference), certify(other));
        let certified = ours.iter().filter(|it| it.prediction.is_some()).count();
        assert!(certified > 0, "every sample abstains: nothing to compare");
        let lines = ours.iter().zip(&theirs).map(|(ours, theirs)| {
            let (a, b) = (count(ours), count(theirs));
            let line = format!(
                "class {:?} and {:?}, draws {a:?} and {b:?} of {}",
                ours.prediction, theirs.prediction, SMOOTHING.estimation_draws
            );
            // A count at the limit of abstaining has no radius on one side.
            if let (Some(a), Some(b)) = (a, b) {
                assert_eq!(ours.prediction, theirs.prediction, "{line}");
                assert!(a.abs_diff(b) <= DRAWS, "{line}");
            }
            line
        });
        lines.collect()
    });
}
