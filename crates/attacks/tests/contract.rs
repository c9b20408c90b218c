//! What every attack of the table must do, whatever its algorithm.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Constant, Linear, Smooth, open_entries, quick};
use duress_attacks::{ATTACKS, find};
use duress_core::{
    Access, Attack, Classifier, Domain, Error, Goal, Norm, Oracle, Passes, Problem, Reach, Seed,
    Setting, Status, Threat, WhiteBox, run,
};

fn smooth() -> Smooth {
    Smooth { domain: Domain::image(1, 3, 4).unwrap(), classes: 4 }
}

/// Rows that differ from each other, some of them in the corners of the box.
fn rows(count: usize, features: usize) -> Tensor<2> {
    let values: Vec<f32> = (0..count * features)
        .map(|index| ((index as f32 * 0.37).sin() * 0.7 + 0.5).clamp(0.0, 1.0))
        .collect();
    Tensor::from_data(TensorData::new(values, [count, features]), &Device::flex())
}

fn predicted(model: &dyn Classifier, rows: &Tensor<2>) -> Vec<usize> {
    let passes = Passes::new(&Device::flex()).unwrap();
    let logits = passes.logits(model, rows.clone()).unwrap();
    duress_core::predictions(logits).unwrap().into_iter().map(|(class, _)| class).collect()
}

fn default_of(name: &str) -> Attack {
    (find(name).unwrap().parse)(toml::Table::new()).unwrap()
}

/// Each attack, norm and radius on a batch; the driver itself checks ball, box and label.
fn each(mut check: impl FnMut(&str, Norm, f64, &Attack)) {
    for entry in open_entries() {
        let attack = quick(entry.name);
        assert_eq!(attack.algorithm().name(), entry.name);
        assert_eq!(attack.access(), entry.access);
        let radii: &[f64] = match attack.algorithm().reach() {
            Reach::Box => &[40.0],
            Reach::Ball | Reach::Nearest => &[0.0, 0.05, 3.0, 40.0],
        };
        for &norm in attack.algorithm().norms() {
            assert!(entry.norms.contains(&norm), "{} {norm}", entry.name);
            for &radius in radii {
                check(entry.name, norm, radius, &attack);
            }
        }
    }
}

/// Whether the attack is defined for so many classes and such goals.
fn applies(attack: &Attack, model: &dyn Classifier, targeted: bool) -> bool {
    let (domain, classes) = (model.domain(), model.classes());
    attack.algorithm().check(&Setting { domain, classes, targeted }).is_ok()
}

#[test]
fn every_attack_stays_in_its_ball_and_breaks_nothing_at_radius_zero() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = smooth();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = rows(9, 12);
    let labels = predicted(&model, &rows);
    each(|name, norm, radius, attack| {
        for goal in [
            Goal::Untargeted(labels.clone()),
            Goal::Targeted(labels.iter().map(|label| (label + 1) % 4).collect()),
        ] {
            if goal.is_targeted() && !find(name).unwrap().targeted {
                assert!(!applies(attack, &model, true), "{name} must refuse a target");
                continue;
            }
            let threat = Threat::new(norm, radius).unwrap();
            let problem =
                Problem::new(Oracle::Gradients(&oracle), rows.clone(), goal.clone(), threat);
            let outcome = run(attack, &problem)
                .unwrap_or_else(|error| panic!("{name} {norm} {radius}: {error}"));
            assert_eq!(outcome.samples.len(), 9);
            if radius < 1e-9 {
                assert_eq!(outcome.count(Status::Survived), 9, "{name} {norm}");
            }
            let again = predicted(&model, &outcome.rows);
            for (index, sample) in outcome.samples.iter().enumerate() {
                assert_eq!(sample.prediction, again[index]);
                let met = goal.is_met(index, sample.prediction);
                assert_eq!(met, sample.status == Status::Broken, "{name} {norm}: {sample:?}");
            }
        }
    });
}

/// The nearest point is at least as near as any radius at which the attack breaks the sample, and
/// some features may not move.
#[test]
fn attacks_of_the_nearest_point_find_one_and_leave_immutable_features_alone() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let domain = Domain::image(1, 3, 4).unwrap().with_immutable(vec![0, 7]).unwrap();
    let model = Smooth { domain, classes: 4 };
    let oracle = WhiteBox::new(&model, &passes);
    let rows = rows(6, 12);
    let labels = predicted(&model, &rows);
    for entry in open_entries() {
        let attack = quick(entry.name);
        for &norm in attack.algorithm().norms() {
            let goal = Goal::Untargeted(labels.clone());
            let white = Oracle::Gradients(&oracle);
            let problem = Problem::nearest(white, rows.clone(), goal.clone(), norm).unwrap();
            if attack.algorithm().reach() != Reach::Nearest {
                if attack.algorithm().reach() == Reach::Ball {
                    let error = run(&attack, &problem).unwrap_err();
                    assert!(matches!(error, Error::NeedsRadius { .. }), "{error}");
                }
                continue;
            }
            let outcome = run(&attack, &problem).unwrap();
            assert_eq!(outcome.count(Status::Broken), 6, "{} {norm}", entry.name);
            let radii: Vec<f64> =
                outcome.samples.iter().map(|sample| sample.distance * 1.001 + 1e-6).collect();
            let threat = Threat::per_sample(norm, radii).unwrap();
            let problem = Problem::new(white, rows.clone(), goal, threat);
            let broken = run(&attack, &problem).unwrap().count(Status::Broken);
            assert_eq!(broken, 6, "{} {norm} within its own distances", entry.name);
        }
    }
}

#[test]
fn an_empty_batch_and_an_already_wrong_batch_cost_nothing() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = smooth();
    let oracle = WhiteBox::new(&model, &passes);
    each(|name, norm, radius, attack| {
        let threat = || Threat::new(norm, radius).unwrap();
        let none = Tensor::<2>::empty([0, 12], &device);
        let problem =
            Problem::new(Oracle::Gradients(&oracle), none, Goal::Untargeted(vec![]), threat());
        assert!(run(attack, &problem).unwrap().samples.is_empty(), "{name}");

        let rows = rows(3, 12);
        let wrong = predicted(&model, &rows).iter().map(|label| (label + 1) % 4).collect();
        let problem =
            Problem::new(Oracle::Gradients(&oracle), rows, Goal::Untargeted(wrong), threat());
        let outcome = run(attack, &problem).unwrap();
        assert_eq!(outcome.count(Status::AlreadyMet), 3, "{name}");
        assert!(outcome.samples.iter().all(|sample| sample.forwards + sample.backwards == 0));
    });
}

#[test]
fn a_constant_model_survives_and_a_model_of_nan_is_an_error() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let domain = Domain::image(1, 3, 4).unwrap();
    each(|name, norm, radius, attack| {
        let threat = || Threat::new(norm, radius).unwrap();
        let rows = || rows(2, 12);
        let goal = || Goal::Untargeted(vec![0, 0]);
        let model = Constant { domain: domain.clone(), answer: 1.0 };
        if !applies(attack, &model, false) {
            return;
        }
        let oracle = WhiteBox::new(&model, &passes);
        let problem = Problem::new(Oracle::Gradients(&oracle), rows(), goal(), threat());
        assert_eq!(run(attack, &problem).unwrap().count(Status::Survived), 2, "{name}");

        let model = Constant { domain: domain.clone(), answer: f32::NAN };
        let oracle = WhiteBox::new(&model, &passes);
        let problem = Problem::new(Oracle::Gradients(&oracle), rows(), goal(), threat());
        let error = run(attack, &problem).unwrap_err();
        assert_eq!(error, Error::LogitsNotFinite { sample: 0 }, "{name}");
    });
}

#[test]
fn two_classes_are_attacked_or_refused_by_name() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let weights: Vec<f32> = (0..12).map(|index| (index as f32 * 0.9).cos()).collect();
    let mut model = Linear::new(&weights, 0.0);
    model.domain = Domain::image(1, 3, 4).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = rows(4, 12);
    let labels = predicted(&model, &rows);
    each(|name, norm, radius, attack| {
        let problem = Problem::new(
            Oracle::Gradients(&oracle),
            rows.clone(),
            Goal::Untargeted(labels.clone()),
            Threat::new(norm, radius).unwrap(),
        );
        match run(attack, &problem) {
            Ok(outcome) => assert_eq!(outcome.count(Status::AlreadyMet), 0, "{name}"),
            Err(error) => assert!(matches!(error, Error::Classes { .. }), "{name}: {error}"),
        }
    });
}

#[test]
fn no_attack_spends_more_than_its_budget() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = smooth();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = rows(5, 12);
    let labels = predicted(&model, &rows);
    each(|name, norm, radius, attack| {
        for budget in [0, 1, 2, 7, 23] {
            let problem = Problem::new(
                Oracle::Gradients(&oracle),
                rows.clone(),
                Goal::Untargeted(labels.clone()),
                Threat::new(norm, radius).unwrap(),
            )
            .with_budget(Some(budget));
            for sample in run(attack, &problem).unwrap().samples {
                assert!(
                    sample.forwards <= budget,
                    "{name} {norm}: {} of {budget}",
                    sample.forwards
                );
            }
        }
    });
}

#[test]
fn a_larger_radius_never_breaks_fewer() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = smooth();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = rows(20, 12);
    let labels = predicted(&model, &rows);
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        let mut before = 0;
        for radius in [0.0, 0.02, 0.1, 0.5, 2.0] {
            let threat = Threat::new(norm, radius).unwrap();
            let goal = Goal::Untargeted(labels.clone());
            let problem = Problem::new(Oracle::Gradients(&oracle), rows.clone(), goal, threat);
            let broken = run(&default_of("pgd"), &problem).unwrap().count(Status::Broken);
            assert!(broken >= before, "{norm} {radius}");
            before = broken;
        }
    }
}

#[test]
fn wrong_input_is_named() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, 2.0], 0.0);
    let oracle = WhiteBox::new(&model, &passes);
    let attempt = |rows: Tensor<2>, goal, norm, access: Oracle<'_>, attack: &str| {
        let problem = Problem::new(access, rows, goal, Threat::new(norm, 0.1).unwrap());
        run(&default_of(attack), &problem).unwrap_err()
    };
    let good = || Tensor::<2>::full([1, 2], 0.5, &device);
    let goal = || Goal::Untargeted(vec![0]);
    let white = Oracle::Gradients(&oracle);

    let error = attempt(good(), goal(), Norm::L0, white, "pgd");
    assert!(matches!(error, Error::UnsupportedNorm { .. }), "{error}");
    let error = attempt(good(), goal(), Norm::L2, Oracle::Labels(&oracle), "pgd");
    let expected = (Access::Gradients, Access::Labels);
    assert!(matches!(error, Error::Access { needed, given, .. } if (needed, given) == expected));
    let error = attempt(good() * 3.0, goal(), Norm::L2, white, "pgd");
    assert!(matches!(error, Error::Input { row: 0, feature: 0, .. }), "{error}");
    let error = attempt(good() * f32::NAN, goal(), Norm::L2, white, "pgd");
    assert!(matches!(error, Error::Input { .. }), "{error}");
    let error = attempt(good(), Goal::Untargeted(vec![2]), Norm::L2, white, "pgd");
    assert!(matches!(error, Error::Label { label: 2, .. }), "{error}");
    let error = attempt(Tensor::full([1, 3], 0.5, &device), goal(), Norm::L2, white, "pgd");
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn a_budget_is_kept_to_the_query() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, 2.0], 5.0);
    let oracle = WhiteBox::new(&model, &passes);
    for (name, without) in [("pgd", 40), ("fgm", 1), ("uniform-noise", 10), ("gaussian-noise", 10)]
    {
        for budget in [None, Some(0), Some(1), Some(7), Some(1000)] {
            let problem = Problem::new(
                Oracle::Gradients(&oracle),
                Tensor::full([3, 2], 0.5, &device),
                Goal::Untargeted(vec![0; 3]),
                Threat::new(Norm::L2, 0.1).unwrap(),
            )
            .with_budget(budget);
            let outcome = run(&default_of(name), &problem).unwrap();
            let expected = budget.map_or(without, |budget| budget.min(without));
            for sample in outcome.samples {
                assert_eq!(sample.forwards, expected, "{name} {budget:?}");
            }
        }
    }
}

#[test]
fn a_misspelt_or_wrong_hyperparameter_is_an_error() {
    for entry in ATTACKS {
        let table = toml::Table::from_iter([("setps".to_string(), toml::Value::Integer(3))]);
        let message = (entry.parse)(table).unwrap_err().to_string();
        assert!(message.contains("unknown field `setps`"), "{message}");
        let defaults = (entry.defaults)();
        assert!((entry.parse)(defaults).is_ok(), "{}", entry.name);
    }
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, 2.0], 0.0);
    let oracle = WhiteBox::new(&model, &passes);
    let table: toml::Table = toml::from_str("step_size = -1.0").unwrap();
    let attack = (find("pgd").unwrap().parse)(table).unwrap();
    let problem = Problem::new(
        Oracle::Gradients(&oracle),
        Tensor::full([1, 2], 0.5, &device),
        Goal::Untargeted(vec![0]),
        Threat::new(Norm::L2, 0.1).unwrap(),
    )
    .with_seed(Seed(1));
    let error = run(&attack, &problem).unwrap_err().to_string();
    assert_eq!(error, "pgd: `step_size` must be positive, got -1");
}

#[test]
fn the_table_is_sorted_and_every_algorithm_file_is_in_it() {
    assert!(ATTACKS.is_sorted_by_key(|entry| entry.name));
    let mut entries = 0;
    let mut folders =
        vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/evasion"))];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                entries += text.matches(": Entry = Entry {").count();
            }
        }
    }
    assert_eq!(entries, ATTACKS.len());
}

/// The suites are too long for every contract; one run of each shows that their members follow
/// each other.
#[test]
fn auto_attack_runs_its_members_on_what_is_left() {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = smooth();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = rows(8, 12);
    let labels = predicted(&model, &rows);
    let radii: Vec<f64> = (0..8).map(|index| 0.001 * 2.5_f64.powi(index)).collect();
    for (name, norm) in [("autoattack-standard", Norm::Linf), ("autoattack-rand", Norm::L2)] {
        let attack = (find(name).unwrap().parse)(toml::Table::new()).unwrap();
        let problem = Problem::new(
            Oracle::Gradients(&oracle),
            rows.clone(),
            Goal::Untargeted(labels.clone()),
            Threat::per_sample(norm, radii.clone()).unwrap(),
        );
        let outcome = run(&attack, &problem).unwrap();
        let mut left = 8;
        for stage in &outcome.stages {
            assert_eq!(stage.given, left, "{name} {}", stage.label);
            left -= stage.broken;
        }
        assert_eq!(outcome.count(Status::Survived), left);
        for sample in &outcome.samples {
            assert_eq!(sample.broken_by.is_some(), sample.status == Status::Broken);
        }
        assert!(left > 0 && left < 8, "radii that leave some: {left}");
    }
}
