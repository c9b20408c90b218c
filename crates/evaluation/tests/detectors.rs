//! Detectors in an experiment: what their rows say against direct computation.
#![allow(clippy::unwrap_used)]
use std::path::Path;

use burn::prelude::*;
use duress_evaluation::core::{Passes, Silent};
use duress_evaluation::datasets::Folders;
use duress_evaluation::{Context, Experiment, Journal, Measured, Row, run, write_report};

const EXPERIMENT: &str = r#"name = "e"
seed = 5

[data]
name = "digits"
train = 500
test = 40
validation = 0.3

[[model]]
name = "plain"
architecture = { name = "mlp", hidden = [24, 16] }
[model.recipe]
epochs = 10
batch_size = 32
optimizer = { name = "adam", learning_rate = 0.01 }

[[threat]]
norm = "linf"
epsilons = [0.1, 0.3]
headline = 0.3

[[attack]]
name = "pgd"
steps = 10
step_size = 0.2

[[attack]]
name = "fgm"

[[detector]]
name = "mahalanobis"
fit = ["pgd"]
magnitude = 0.0
adaptive = [{ name = "selective-pgd", steps = 20 }, { name = "orthogonal-pgd", steps = 20 }]

[[detector]]
name = "kernel-density"
bandwidth = 3.0
test = ["fgm"]
rates = [0.1]
adaptive = [{ name = "selective-pgd", steps = 20 }]
"#;

fn context<'a>(root: &Path, passes: &'a Passes) -> Context<'a> {
    Context {
        out: root.join("run"),
        fresh: false,
        cache: root.join("cache"),
        folders: Folders::default(),
        device: "flex".into(),
        passes,
        observer: &Silent,
        command: "duress run e.toml".into(),
        token: None,
        stop: None,
        force: false,
    }
}

#[test]
fn a_run_measures_its_detectors_and_goes_on_where_it_stopped() {
    let root = tempfile::tempdir().unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = context(root.path(), &passes);
    let experiment = Experiment::parse(EXPERIMENT).unwrap();
    let rows = run(&experiment, &context).unwrap().rows;
    let row = |key: &str| {
        let found = rows.iter().find(|row| row.key == key);
        &found.unwrap_or_else(|| panic!("no {key}")).measured
    };
    // Positives are the samples that the attack broke at the headline.
    for attack in ["pgd", "fgm"] {
        let Measured::Attack { clean_correct, robust_correct, .. } =
            row(&format!("plain/{attack}/linf/0.3"))
        else {
            panic!("an attack");
        };
        let Measured::Detection { adversarial, auc, auc_lower, auc_upper, seen, .. } =
            row(&format!("plain/mahalanobis/{attack}/linf/0.3"))
        else {
            panic!("a detection");
        };
        assert_eq!(*adversarial, clean_correct - robust_correct);
        assert_eq!(*seen, attack == "pgd");
        let (auc, lower, upper) = (auc.unwrap(), auc_lower.unwrap(), auc_upper.unwrap());
        assert!(*adversarial > 5 && lower <= auc && auc <= upper && auc > 0.5, "{auc}");
    }
    // The worst case is at least each attack, and at most all samples.
    for rate in ["0.01", "0.05"] {
        let count = |attack: &str| {
            let key = format!("plain/mahalanobis/evaded-by/{attack}/{rate}/linf/0.3");
            let Measured::Undetected { evaded, wrong_passed, clean_passed, .. } = row(&key) else {
                panic!("an evasion");
            };
            (*evaded, *wrong_passed, *clean_passed)
        };
        let [one, other, worst] = ["selective-pgd", "orthogonal-pgd", "worst-case"].map(count);
        assert_eq!((one.1, one.2), (worst.1, worst.2));
        assert!(worst.0 >= one.0.max(other.0) && worst.0 <= one.0 + other.0);
        assert!(worst.0 + worst.1 <= 40 && worst.0 > 5, "{worst:?}");
    }
    let of = |name: &str| rows.iter().filter(|row| row.key.contains(name)).count();
    assert_eq!((of("/mahalanobis/"), of("/kernel-density/")), (2 + 2 * 3, 1 + 2));
    // A second start finds all of it; without the last lines it makes the same again.
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&run(&experiment, &context).unwrap().rows), keys(&rows));
    let path = context.out.join("rows.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let left = rows.len() - 4;
    let kept: Vec<&str> = text.lines().take(left).collect();
    std::fs::write(&path, kept.join("\n") + "\n").unwrap();
    let again = run(&experiment, &context).unwrap().rows;
    assert_eq!(keys(&again), keys(&rows));
    for (new, old) in again[left..].iter().zip(&rows[left..]) {
        assert_eq!(new.measured, old.measured);
    }
    let page = write_report(&Journal::read(&context.out).unwrap()).unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Detectors under attack") && page.contains("kernel-density"));
}

/// What stands in [`EXPERIMENT`], what is wrong instead, and what the message holds.
const WRONG: &[(&str, &str, &str)] = &[
    ("\"mahalanobis\"", "\"mahalanobi\"", "[[detector]]: no detector `mahalanobi`; known: "),
    ("fit = [\"pgd\"]", "", "`mahalanobis`: it is fitted on adversarial samples: `fit` must name"),
    (
        "fit = [\"pgd\"]",
        "fit = [\"pg\"]",
        "`fit`: no [[attack]] `pg` without a surrogate; known: pgd",
    ),
    ("test = [\"fgm\"]", "test = [\"x\"]", "`test`: no [[attack]] `x` without a surrogate"),
    ("test = [\"fgm\"]", "models = [\"x\"]", "no model `x`; known: plain"),
    ("rates = [0.1]", "rates = [0.1, 0.05]", "`rates` must ascend"),
    ("rates = [0.1]", "rates = [1.0]", "`rates` must ascend, at least 0 and below 1"),
    ("bandwidth = 3.0", "bandwith = 3.0", "unknown field `bandwith`"),
    ("bandwidth = 3.0", "bandwidth = -3.0", "`bandwidth` must be positive, got -3"),
    ("bandwidth = 3.0", "fit_samples = 0", "`fit_samples` must be at least 1"),
    (
        "\"kernel-density\"",
        "\"mahalanobis\"\nfit = [\"pgd\"]",
        "`mahalanobis`: unknown field `bandwidth`",
    ),
    ("\"selective-pgd\"", "\"selective\"", "`adaptive`: no attack `selective`"),
    ("\"orthogonal-pgd\"", "\"selective-pgd\"", "`adaptive` names `selective-pgd` twice"),
    ("\"orthogonal-pgd\", steps", "\"orthogonal-pgd\", step", "unknown field `step`"),
    ("validation = 0.3", "validation = 0.0", "`validation` of [data] must be above 0"),
];

#[test]
fn a_wrong_detector_is_refused_with_what_to_change() {
    assert!(Experiment::parse(EXPERIMENT).is_ok());
    for (right, wrong, message) in WRONG {
        assert!(EXPERIMENT.contains(right), "{right}");
        let error = Experiment::parse(&EXPERIMENT.replacen(right, wrong, 1)).unwrap_err();
        assert!(error.contains(message), "{wrong}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
