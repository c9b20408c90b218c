use super::*;
use proptest::prelude::*;

const FEATURES: usize = 5;

/// A problem with its own vectors.
#[derive(Clone, Debug)]
struct Case {
    to_clean: Vec<f64>,
    normal: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    offset: f64,
    radius: f64,
}

impl Case {
    fn of(&self, norm: Norm) -> TrustRegion<'_> {
        TrustRegion {
            norm,
            to_clean: &self.to_clean,
            normal: &self.normal,
            low: &self.low,
            high: &self.high,
            offset: self.offset,
            radius: self.radius,
        }
    }

    fn solve(&self, norm: Norm) -> Vec<f64> {
        self.of(norm).solve()
    }

    fn distance(&self, norm: Norm, step: &[f64]) -> f64 {
        let pairs = step.iter().zip(&self.to_clean);
        norm.of_slice(&pairs.map(|(step, aim)| step - aim).collect::<Vec<_>>())
    }

    fn inner(&self, step: &[f64]) -> f64 {
        step.iter().zip(&self.normal).map(|(step, slope)| step * slope).sum()
    }

    fn in_box(&self, step: &[f64]) -> bool {
        (0..step.len()).all(|i| self.low[i] - 1e-12 <= step[i] && step[i] <= self.high[i] + 1e-12)
    }

    fn shortest(&self) -> Option<Vec<f64>> {
        self.of(Norm::L2).on_plane(|i, shift| clamped(shift, self.low[i], self.high[i]))
    }

    /// A point of the feasible set, from any point: onto hyperplane and box, then back to the
    /// shortest step as far as the trust region asks.
    fn feasible(&self, shortest: &[f64], from: &[f64]) -> Option<Vec<f64>> {
        let region = self.of(Norm::L2);
        let flat =
            region.on_plane(|i, shift| clamped(from[i] + shift, self.low[i], self.high[i]))?;
        let blend = |share: f64| -> Vec<f64> {
            shortest.iter().zip(&flat).map(|(near, far)| near + share * (far - near)).collect()
        };
        // A rival may not use what the solution may leave of the radius by rounding.
        let radius = self.radius * (1.0 - 3.0 * RESOLUTION);
        let (mut low, mut high) = (0.0, 1.0);
        if length(&flat) <= radius {
            return Some(flat);
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if length(&blend(middle)) <= radius { low = middle } else { high = middle }
        }
        Some(blend(low))
    }
}

prop_compose! {
    fn cases()(
        at in prop::collection::vec(prop_oneof![Just(0.0_f64), Just(1.0), 0.0..=1.0_f64], FEATURES),
        clean in prop::collection::vec(prop_oneof![Just(0.0_f64), Just(1.0), 0.0..=1.0_f64], FEATURES),
        normal in prop::collection::vec(prop_oneof![Just(0.0_f64), Just(1.0), -2.0..2.0_f64], FEATURES),
        offset in prop_oneof![Just(0.0_f64), -1.0..1.0_f64],
        radius in prop_oneof![0.01..0.3_f64, 0.3..3.0_f64],
        same in 0..FEATURES,
    ) -> Case {
        let mut clean = clean;
        clean[same] = at[same];
        let to_clean = clean.iter().zip(&at).map(|(clean, at)| clean - at).collect();
        let (low, high) = (at.iter().map(|at| -at).collect(), at.iter().map(|at| 1.0 - at).collect());
        Case { to_clean, normal, low, high, offset, radius }
    }
}

/// From (½, ½) with the clean row at the origin, along `δ₁ + δ₂ = 0`, which leaves (½, ½) in every
/// norm but L0: there (−½, ½) restores one feature.
#[test]
fn steps_by_hand() {
    let case = Case {
        to_clean: vec![-0.5, -0.5],
        normal: vec![1.0, 1.0],
        low: vec![-0.5, -0.5],
        high: vec![0.5, 0.5],
        offset: -0.4,
        radius: 10.0,
    };
    let close = |got: Vec<f64>, expected: [f64; 2]| {
        let far = got.iter().zip(expected).any(|(got, expected)| (got - expected).abs() > 1e-6);
        assert!(!far, "{got:?} {expected:?}");
    };
    close(case.solve(Norm::L2), [-0.2, -0.2]);
    close(case.solve(Norm::Linf), [-0.2, -0.2]);
    let step = case.solve(Norm::L0);
    assert!((step[0] + 0.5).abs() < 1e-12 || (step[1] + 0.5).abs() < 1e-12, "{step:?}");
    // With a weight of two on the first: in L1 it alone stays off the clean row.
    let heavy = Case { normal: vec![2.0, 1.0], ..case.clone() };
    close(heavy.solve(Norm::L1), [0.05, -0.5]);
    // A trust region too short for the plane: straight towards it.
    let short = Case { radius: 0.1 * 2.0_f64.sqrt(), ..case };
    for norm in Norm::ALL {
        close(short.solve(norm), [-0.1, -0.1]);
    }
}

/// The trust region is smaller than the way: ½ along the plane `δ₁ = 0`, of which 0.3 are allowed.
#[test]
fn the_trust_region_shortens_the_way() {
    let case = Case {
        to_clean: vec![0.3, -0.5],
        normal: vec![1.0, 0.0],
        low: vec![-0.5, -0.5],
        high: vec![0.5, 0.5],
        offset: 0.0,
        radius: 0.3,
    };
    for norm in [Norm::L1, Norm::L2] {
        let step = case.solve(norm);
        assert!(step[0].abs() < 1e-7 && (step[1] + 0.3).abs() < 1e-7, "{norm}: {step:?}");
    }
    // In Linf 0.3 stays at feature 0, whatever happens to the other: 0.2 is enough.
    let step = case.solve(Norm::Linf);
    assert!((case.distance(Norm::Linf, &step) - 0.3).abs() < 1e-7, "{step:?}");
}

#[test]
fn without_a_normal_nothing_moves() {
    let case = Case {
        to_clean: vec![0.3, -0.5],
        normal: vec![0.0, 0.0],
        low: vec![-0.5, -0.5],
        high: vec![0.5, 0.5],
        offset: 0.1,
        radius: 0.3,
    };
    for norm in Norm::ALL {
        assert!(case.solve(norm).iter().all(|step| step.abs() < 1e-12), "{norm}");
    }
}

/// The fewest features off the clean row over all choices.
fn fewest(case: &Case) -> Option<usize> {
    let region = case.of(Norm::L0);
    let counts = (0..1_u32 << FEATURES).filter_map(|choice| {
        let restored: Vec<bool> = (0..FEATURES).map(|i| choice >> i & 1 == 1).collect();
        let step = region.with_restored(&restored)?;
        Some(case.distance(Norm::L0, &step) as usize)
    });
    counts.min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Rivals all over the box and next to the solution: for a convex problem the latter are enough.
    #[test]
    fn no_feasible_step_is_nearer(
        case in cases(),
        norm in prop_oneof![Just(Norm::L1), Just(Norm::L2), Just(Norm::Linf)],
        rivals in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, FEATURES), 24),
        spread in prop_oneof![Just(1.0), Just(0.1), Just(0.003)],
    ) {
        let got = case.solve(norm);
        prop_assert!(case.in_box(&got) && length(&got) <= case.radius * (1.0 + 2e-7), "{got:?}");
        let Some(shortest) = case.shortest().filter(|step| length(step) <= case.radius) else {
            // Out of reach: no step of the trust region comes nearer to the plane.
            for rival in rivals {
                let scale = (case.radius / length(&rival)).min(1.0);
                let shift = |i: usize| (scale * rival[i]).clamp(case.low[i], case.high[i]);
                let rival: Vec<f64> = (0..FEATURES).map(shift).collect();
                let gain = case.offset.signum() * (case.inner(&got) - case.inner(&rival));
                prop_assert!(gain >= -1e-6, "{got:?} {rival:?}");
            }
            return Ok(());
        };
        prop_assert!((case.inner(&got) - case.offset).abs() < 1e-7, "{got:?}");
        for rival in rivals {
            let from: Vec<f64> = got.iter().zip(&rival).map(|(a, b)| a + spread * b).collect();
            if let Some(rival) = case.feasible(&shortest, &from) {
                let (ours, theirs) = (case.distance(norm, &got), case.distance(norm, &rival));
                prop_assert!(ours <= theirs + 1e-6, "{norm}: {ours} {theirs} {got:?} {rival:?}");
            }
        }
    }

    /// In L0 the dual may miss the best choice; it is feasible and at most one feature off.
    #[test]
    fn few_features_stay_off_the_clean_row(case in cases()) {
        let got = case.solve(Norm::L0);
        prop_assert!(case.in_box(&got) && length(&got) <= case.radius * (1.0 + 2e-7), "{got:?}");
        if let Some(best) = fewest(&case) {
            let ours = case.distance(Norm::L0, &got) as usize;
            prop_assert!(ours <= best + 1, "{ours} {best}");
            prop_assert!((case.inner(&got) - case.offset).abs() < 1e-7, "{got:?}");
        }
    }
}
