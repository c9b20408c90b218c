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
    ("\"orthogonal-pgd\"", "\"selective-pgd\"", "`adaptive` names `selective-pgd` twice; give one"),
    (
        "\"orthogonal-pgd\", steps = 20",
        "\"orthogonal-pgd\", label = \"worst-case\"",
        "`adaptive` `orthogonal-pgd`: `label` must not be `worst-case`",
    ),
    (
        "\"orthogonal-pgd\", steps = 20",
        "\"orthogonal-pgd\", label = \"a/b\"",
        "`adaptive` `orthogonal-pgd`: `label` must be a text without `/`",
    ),
    (
        "\"orthogonal-pgd\", steps = 20",
        "\"one-pixel\"",
        "`adaptive` `one-pixel` supports l0, and no [[threat]] is of these norms",
    ),
    (
        "\"orthogonal-pgd\", steps = 20",
        "\"universal-sgd\"",
        "`adaptive` `universal-sgd`: it makes one perturbation for many samples",
    ),
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

/// What one attack on both leaves, the next member works on: a suite gets as many past the detector
/// as its members by themselves do in the worst case.
#[test]
fn a_suite_evades_a_detector_as_often_as_its_members_together() {
    let root = tempfile::tempdir().unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = context(root.path(), &passes);
    let both =
        "[{ name = \"selective-pgd\", steps = 20 }, { name = \"orthogonal-pgd\", steps = 20 }]";
    let start = EXPERIMENT.rfind("[[detector]]").unwrap();
    let text = format!(
        "{}[[detector]]\nname = \"kernel-density\"\nbandwidth = 3.0\nrates = [0.05]\n\
         adaptive = {both}\n\n[[detector]]\nname = \"kernel-density\"\nlabel = \"suite\"\n\
         bandwidth = 3.0\nrates = [0.05]\n\
         adaptive = [{{ name = \"worst-of\", label = \"both\", attacks = {both} }}]\n",
        &EXPERIMENT[..start]
            .replace("name = \"mahalanobis\"", "name = \"feature-squeezing\"")
            .replace("magnitude = 0.0\n", "")
            .replace(&format!("adaptive = {both}\n"), "adaptive = []\n"),
    );
    let experiment = Experiment::parse(&text).unwrap();
    let rows = run(&experiment, &context).unwrap().rows;
    let evaded = |key: &str| {
        let row = rows.iter().find(|row| row.key == format!("plain/{key}/0.05/linf/0.3"));
        let Measured::Undetected { evaded, attack, config, .. } = &row.unwrap().measured else {
            panic!("an evasion");
        };
        (*evaded, attack.clone(), config.clone())
    };
    let (worst, ..) = evaded("kernel-density/evaded-by/worst-case");
    let (suite, attack, config) = evaded("suite/evaded-by/both");
    assert_eq!((suite, attack.as_str()), (worst, "both"));
    assert_eq!(evaded("suite/evaded-by/worst-case").0, worst);
    assert!(suite > 0 && config["attacks"].as_array().unwrap().len() == 2, "{suite} {config}");
}

/// Thresholds are set on validation samples, and attacks on both have hyperparameters: what is
/// wrong with either is told before anything is trained.
#[test]
fn what_a_detector_lacks_is_told_before_anything_is_trained() {
    let root = tempfile::tempdir().unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = context(root.path(), &passes);
    for (right, wrong, key) in [
        (
            "train = 500\ntest = 40\nvalidation = 0.3",
            "train = 12\ntest = 40\nvalidation = 0.01",
            "[[detector]] `mahalanobis`: its threshold is set on validation samples",
        ),
        (
            "\"orthogonal-pgd\", steps = 20",
            "\"orthogonal-pgd\", steps = 0",
            "[[detector]] `mahalanobis`: `adaptive` `orthogonal-pgd`: orthogonal-pgd: `steps`",
        ),
        ("\"orthogonal-pgd\", steps = 20", "\"spatial\"", "it moves anywhere in the box"),
        (
            "name = \"kernel-density\"\nbandwidth = 3.0",
            "name = \"subset-scanning\"\nlayer = \"conv1\"",
            "[[detector]] `subset-scanning`: [[model]] `plain`: subset-scanning: no layer `conv1`",
        ),
        (
            "\n[[threat]]",
            "\n[[model]]\nname = \"vote\"\nmembers = [\"plain\", \"plain\"]\n\
             defense = { name = \"ensemble\", majority = true }\n\n[[threat]]",
            "`adaptive` `selective-pgd` asks for gradients, and the majority vote of `vote` has",
        ),
    ] {
        let experiment = Experiment::parse(&EXPERIMENT.replacen(right, wrong, 1)).unwrap();
        let error = run(&experiment, &context).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains(key), "{key}: {error}");
    }
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

/// Adversarial rows that were deleted between two starts of a run are an error, not a panic.
#[test]
fn adversarial_rows_that_are_gone_are_named() {
    let root = tempfile::tempdir().unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = context(root.path(), &passes);
    let experiment = Experiment::parse(EXPERIMENT).unwrap();
    let rows = run(&experiment, &context).unwrap().rows;
    let detection = rows.iter().position(|row| row.key.contains("mahalanobis")).unwrap();
    let path = context.out.join("rows.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(detection).collect();
    std::fs::write(&path, kept.join("\n") + "\n").unwrap();
    std::fs::remove_dir_all(context.out.join("adversarial")).unwrap();
    let error = run(&experiment, &context).unwrap_err().to_string();
    assert!(error.contains("plain/pgd/linf/0.3") && error.contains("--fresh"), "{error}");
}
