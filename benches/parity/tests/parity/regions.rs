//! Projections and draws.
use duress_core::{Norm, Region, Seed, Threat, host::floats};
use duress_parity::{Difference, Side, uniform};

use crate::{FEATURES, compare, domain};

const ROWS: usize = 50;

/// Of the largest value, which is one.
const TOLERANCE: f64 = 1e-5;

fn radius(norm: Norm) -> f64 {
    match norm {
        Norm::L0 => 7.0,
        Norm::L1 => 3.0,
        Norm::L2 => 1.0,
        Norm::Linf => 0.1,
    }
}

fn region(side: &Side, norm: Norm) -> Region {
    let rows = side.rows(&uniform(ROWS, FEATURES, (0.0, 1.0), 2), FEATURES);
    Region::new(rows, &Threat::new(norm, radius(norm)).unwrap(), &domain()).unwrap()
}

#[test]
fn projections_agree_in_every_norm() {
    compare("projections", |reference, other| {
        let project = |side: &Side, norm| {
            let far = side.rows(&uniform(ROWS, FEATURES, (-1.0, 2.0), 3), FEATURES);
            floats(region(side, norm).project(far)).unwrap()
        };
        let lines = Norm::ALL.into_iter().map(|norm| {
            let got =
                Difference::between(&project(reference, norm), &project(other, norm), TOLERANCE);
            let line = format!("{norm} {got}");
            assert_eq!(got.over, 0, "{line}");
            line
        });
        lines.collect()
    });
}

/// The draws are the same bits; placing them around the clean row rounds.
#[test]
fn starting_points_are_the_same_draws() {
    compare("starting points", |reference, other| {
        let ids: Vec<u64> = (100..100 + ROWS as u64).collect();
        let draw =
            |side: &Side, norm| floats(region(side, norm).sample(Seed(5), &ids, 1, 2)).unwrap();
        let lines = Norm::ALL.into_iter().map(|norm| {
            let got = Difference::between(&draw(reference, norm), &draw(other, norm), TOLERANCE);
            let line = format!("{norm} {got}");
            assert_eq!(got.over, 0, "{line}");
            line
        });
        lines.collect()
    });
}

#[test]
fn what_is_drawn_on_the_host_arrives_bit_by_bit() {
    compare("draws", |reference, other| {
        let bits = |side: &Side| {
            let at = (3, 4, duress_core::Use::Noise);
            let rows = Seed(9).rows(&[1, 2, 3], at, FEATURES, &side.device, |rng, row| {
                row.fill_with(|| rand::RngExt::random::<f32>(rng));
            });
            floats(rows).unwrap().iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(reference), bits(other));
        vec![format!("{} values equal to the bit", 3 * FEATURES)]
    });
}
