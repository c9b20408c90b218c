//! Hand-made rows for tests.
use duress_core::{Domain, Norm};
use duress_models::train::Metric;

use crate::experiment::Checkpoint;
use crate::row::{Measured, Row, SCHEMA, SampleRow, Watched, WatchedEpoch};
use crate::run::Identity;

pub(crate) fn row(model: &str, key: &str, measured: Measured) -> Row {
    Row {
        schema: SCHEMA,
        key: format!("{model}/{key}"),
        experiment: "e".into(),
        model: model.into(),
        model_digest: "d".into(),
        data: "digits/test".into(),
        data_digest: "0".into(),
        samples: 100,
        seed: 7,
        device: "flex".into(),
        version: "0".into(),
        seconds: 0.5,
        forwards: 100,
        backwards: 0,
        measured,
    }
}

pub(crate) fn clean(model: &str, correct: u64) -> Row {
    let measured = Measured::Clean {
        correct,
        abstained: None,
        mean_cost: None,
        defense: "none".into(),
        defense_config: serde_json::Value::Null,
        gradient: None,
        source: serde_json::Value::Null,
        parameters: 1,
        epochs: 1,
        training_seconds: 2.0,
        stopped: None,
        watched: None,
    };
    row(model, "clean", measured)
}

/// A training that was watched on 100 samples for 30 epochs, of which epoch 12 was the best.
pub(crate) fn watched(model: &str, best: u64, last: u64) -> Row {
    let mut row = clean(model, 90);
    if let Measured::Clean { watched, .. } = &mut row.measured {
        *watched = Some(Watched {
            metric: Metric::RobustAccuracy,
            part: "validation".into(),
            samples: 100,
            norm: Norm::Linf,
            epsilon: 0.1,
            best: WatchedEpoch { epoch: 12, correct: best },
            last: WatchedEpoch { epoch: 30, correct: last },
            used: Checkpoint::Best,
        });
    }
    row
}

/// An attack at Linf `epsilon` that leaves `left` of 90 samples.
pub(crate) fn attack(model: &str, name: &str, epsilon: f64, left: u64) -> Row {
    let measured = Measured::Attack {
        attack: name.into(),
        algorithm: name.into(),
        config: serde_json::Value::Null,
        norm: Norm::Linf,
        epsilon,
        budget: None,
        surrogate: None,
        model_draws: None,
        unaware: false,
        stages: Vec::new(),
        proved: 0,
        clean_correct: 90,
        robust_correct: left,
        abstained: None,
        mean_cost: None,
        adversarial_loss: Some(1.0),
        median_distance: Some(epsilon),
    };
    let backwards = if name.ends_with("noise") { 0 } else { 1000 };
    Row { backwards, ..row(model, &format!("{name}/linf/{epsilon}"), measured) }
}

pub(crate) fn worst_case(model: &str, epsilon: f64, headline: bool, left: u64) -> Row {
    let measured = Measured::WorstCase {
        norm: Norm::Linf,
        epsilon,
        headline,
        attacks: vec!["pgd".into()],
        clean_correct: 90,
        robust_correct: left,
        broken_by: [("pgd".to_string(), 90 - left)].into(),
    };
    row(model, &format!("worst-case/linf/{epsilon}"), measured)
}

pub(crate) fn transfer(source: &str, target: &str, both_correct: u64, fooled: u64) -> Row {
    let measured = Measured::Transfer {
        target: target.into(),
        attack: "pgd".into(),
        norm: Norm::Linf,
        epsilon: 0.1,
        both_correct,
        fooled,
    };
    row(source, &format!("pgd/linf/0.1/to/{target}"), measured)
}

/// A certificate that fails with `failure_probability`.
pub(crate) fn certified(model: &str, norm: Norm, failure_probability: f64) -> Row {
    let measured = Measured::Certified {
        certifier: "proof".into(),
        config: serde_json::Value::Null,
        norm,
        radii: vec![0.1, 0.2],
        certified_correct: vec![50, 40],
        abstained: 0,
        average_radius: 0.1,
        failure_probability,
    };
    row(model, &format!("proof/{norm}"), measured)
}

/// Wrong, broken, proved and open samples at Linf `epsilon`.
pub(crate) fn two_sided(model: &str, epsilon: f64, counts: [u64; 4]) -> Row {
    let [wrong, broken, proved, open] = counts;
    let (certifier, norm) = ("proof".to_owned(), Norm::Linf);
    let measured = Measured::TwoSided { certifier, norm, epsilon, wrong, broken, proved, open };
    row(model, &format!("two-sided/proof/linf/{epsilon}"), measured)
}

/// A detector against an attack that broke `adversarial` samples: an area of 0.75, a quarter and a
/// half of them flagged.
pub(crate) fn detection(model: &str, attack: &str, adversarial: u64) -> Row {
    let area = |value: f64| (adversarial > 0).then_some(value);
    let measured = Measured::Detection {
        detector: "lid".into(),
        method: "lid".into(),
        config: serde_json::Value::Null,
        fit: vec!["pgd".into()],
        attack: attack.into(),
        seen: attack == "pgd",
        norm: Norm::Linf,
        epsilon: 0.1,
        adversarial,
        auc: area(0.75),
        auc_lower: area(0.6),
        auc_upper: area(0.9),
        rates: vec![0.01, 0.05],
        thresholds: vec![2.0, 1.0],
        flagged_adversarial: vec![adversarial / 4, adversarial / 2],
        clean_correct: 90,
        flagged_clean: vec![1, 5],
    };
    row(model, &format!("lid/{attack}/linf/0.1"), measured)
}

/// An attack on a classifier and its detector that got `evaded` samples past both; two were wrong
/// and passed before.
pub(crate) fn undetected(model: &str, attack: &str, rate: f64, evaded: u64) -> Row {
    let measured = Measured::Undetected {
        detector: "lid".into(),
        method: "lid".into(),
        attack: attack.into(),
        config: serde_json::Value::Null,
        norm: Norm::Linf,
        epsilon: 0.1,
        rate,
        threshold: 2.0,
        clean_passed: 85,
        wrong_passed: 2,
        evaded,
    };
    row(model, &format!("lid/evaded-by/{attack}/{rate}/linf/0.1"), measured)
}

/// A line of `row`'s samples, correct and not broken.
pub(crate) fn sample(row: &Row, index: u64, norm: Norm, epsilon: f64) -> SampleRow {
    SampleRow {
        key: row.key.clone(),
        model: row.model.clone(),
        attack: "any".into(),
        norm,
        epsilon,
        index,
        label: 1,
        predicted: Some(1),
        confidence: Some(0.5),
        clean_correct: true,
        robust: true,
        broken_by: None,
        distance: None,
        adversarial: None,
        adversarial_confidence: None,
        queries: 1,
        gradients: 0,
        certified: None,
    }
}

/// The same line, broken at `distance`.
pub(crate) fn broken(row: &Row, index: u64, norm: Norm, distance: f64) -> SampleRow {
    let (robust, broken_by, distance) = (false, Some("pgd".into()), Some(distance));
    SampleRow { robust, broken_by, distance, ..sample(row, index, norm, 0.3) }
}

pub(crate) fn identity() -> Identity {
    Identity {
        schema: SCHEMA,
        experiment: "e".into(),
        digest: "aa".into(),
        data_digest: "bb".into(),
        device: "flex".into(),
        version: "0".into(),
        title: "E".into(),
        command: "duress run e.toml".into(),
        domain: Domain::image(1, 2, 2).unwrap(),
        class_names: vec!["a".into(), "b".into()],
        feature_names: Vec::new(),
    }
}
