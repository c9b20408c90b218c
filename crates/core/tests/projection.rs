//! Properties of every projection onto ball and box.
#![allow(clippy::unwrap_used)]
use burn::prelude::*;
use duress_core::{Domain, Norm, Region, Threat, host::floats};
use proptest::prelude::*;

const FEATURES: usize = 6;

fn rows(values: &[f32]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
}

fn region(norm: Norm, radius: f64, center: &[f32]) -> Region {
    let domain = Domain::image(1, 1, center.len()).unwrap();
    Region::new(rows(center), &Threat::new(norm, radius).unwrap(), &domain).unwrap()
}

fn project(region: &Region, point: &[f32]) -> Vec<f32> {
    floats(region.project(rows(point))).unwrap()
}

fn length(norm: Norm, a: &[f32], b: &[f32]) -> f64 {
    norm.of_slice(&a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect::<Vec<_>>())
}

fn inside(norm: Norm, radius: f64, center: &[f32], point: &[f32]) -> bool {
    point.iter().all(|value| (0.0..=1.0).contains(value))
        && length(norm, point, center) <= radius * (1.0 + 1e-6) + 1e-6
}

fn convex() -> impl Strategy<Value = Norm> {
    prop_oneof![Just(Norm::L1), Just(Norm::L2), Just(Norm::Linf)]
}

fn any_norm() -> impl Strategy<Value = Norm> {
    prop_oneof![convex(), Just(Norm::L0)]
}

prop_compose! {
    /// Clean rows, some of them in a corner of the box.
    fn centers()(
        values in prop::collection::vec(prop_oneof![Just(0.0_f32), Just(1.0), 0.0..=1.0_f32], FEATURES)
    ) -> Vec<f32> { values }
}

fn points() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(prop_oneof![-0.5_f32..1.5, -30.0_f32..30.0], FEATURES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lands_in_the_ball_and_the_box(
        center in centers(), point in points(), radius in 0.0_f64..4.0, norm in any_norm(),
    ) {
        let got = project(&region(norm, radius, &center), &point);
        prop_assert!(inside(norm, radius, &center, &got), "{norm} {got:?}");
    }

    #[test]
    fn is_the_identity_inside(
        center in centers(), point in prop::collection::vec(0.0_f32..=1.0, FEATURES),
        slack in 1.0001_f64..3.0, norm in any_norm(),
    ) {
        let radius = length(norm, &point, &center) * slack;
        let got = project(&region(norm, radius, &center), &point);
        prop_assert!(length(Norm::Linf, &got, &point) <= 1e-6, "{norm} {got:?}");
    }

    #[test]
    fn twice_is_once(
        center in centers(), point in points(), radius in 0.0_f64..4.0, norm in any_norm(),
    ) {
        let region = region(norm, radius, &center);
        let once = project(&region, &point);
        let twice = project(&region, &once);
        prop_assert!(length(Norm::Linf, &once, &twice) <= 2e-5, "{norm}");
    }

    /// Any feasible point stands for the brute-force optimum: none may be closer.
    #[test]
    fn no_feasible_point_is_closer(
        center in centers(), point in points(),
        rivals in prop::collection::vec(prop::collection::vec(0.0_f32..=1.0, FEATURES), 40),
        radius in 0.05_f64..2.0, norm in any_norm(),
    ) {
        let region = region(norm, radius, &center);
        let got = project(&region, &point);
        let mine = length(Norm::L2, &got, &point);
        for rival in rivals {
            // Walk the rival towards the centre until it is feasible: a different rule than ours.
            let mut share = 1.0_f32;
            let feasible = loop {
                let candidate: Vec<f32> =
                    center.iter().zip(&rival).map(|(c, r)| c + share * (r - c)).collect();
                if norm == Norm::L0 || length(norm, &candidate, &center) <= radius || share < 1e-6 {
                    break candidate;
                }
                share *= 0.9;
            };
            let feasible = if norm == Norm::L0 {
                let most = radius.floor() as usize;
                center.iter().zip(&feasible).enumerate()
                    .map(|(index, (c, r))| if index < most { *r } else { *c }).collect()
            } else { feasible };
            let theirs = length(Norm::L2, &feasible, &point);
            // Aiming 1e-5 (relative) inside the ball costs at most that much of the radius.
            prop_assert!(mine <= theirs + 2e-5 * (1.0 + radius), "{norm}: {mine} > {theirs}");
        }
    }

    /// Projections onto convex sets bring no two points further apart.
    #[test]
    fn is_not_expansive(
        center in centers(), a in points(), b in points(), radius in 0.05_f64..2.0, norm in convex(),
    ) {
        let region = region(norm, radius, &center);
        let after = length(Norm::L2, &project(&region, &a), &project(&region, &b));
        prop_assert!(after <= length(Norm::L2, &a, &b) * (1.0 + 1e-5) + 4e-5, "{norm}");
    }
}
