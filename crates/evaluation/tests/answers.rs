//! Models whose answers are hardened, or may be refused, from a file to their rows.
#![allow(clippy::unwrap_used)]
use std::path::Path;

use burn::prelude::*;
use duress_evaluation::core::{Passes, Silent};
use duress_evaluation::datasets::Folders;
use duress_evaluation::{Context, Experiment, Measured, Row, run};

const EXPERIMENT: &str = r#"name = "e"
seed = 5

[data]
name = "digits"
train = 300
test = 40

[[model]]
name = "plain"
architecture = { name = "mlp", hidden = [16] }
recipe = { epochs = 20, batch_size = 32, optimizer = { name = "adam", learning_rate = 0.005 } }

[[model]]
name = "rounded"
base = "plain"
defense = { name = "score-rounding", digits = 0 }

[[model]]
name = "unsure"
base = "plain"
defense = { name = "abstention", rule = "margin", threshold = 3.0, cost = 0.25 }

[[threat]]
norm = "linf"
epsilons = [0.1]

[[attack]]
name = "pgd"
steps = 10
step_size = 0.25

[[attack]]
name = "square"
queries = 40
"#;

fn rows(root: &Path, text: &str) -> Result<Vec<Row>, String> {
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = Context {
        out: root.join("run"),
        fresh: true,
        cache: root.join("cache"),
        folders: Folders::default(),
        device: "flex".into(),
        passes: &passes,
        observer: &Silent,
        command: "duress run e.toml".into(),
        token: None,
        stop: None,
        force: false,
    };
    let experiment = Experiment::parse(text)?;
    run(&experiment, &context).map(|summary| summary.rows).map_err(|error| error.to_string())
}

fn of<'r>(rows: &'r [Row], model: &str, key: &str) -> &'r Measured {
    let wanted = format!("{model}/{key}");
    &rows.iter().find(|row| row.key == wanted).unwrap().measured
}

#[test]
fn hardened_scores_hinder_score_attacks_and_no_gradient_attack() {
    let root = tempfile::tempdir().unwrap();
    let rows = rows(root.path(), EXPERIMENT).unwrap();
    let clean = |model| match of(&rows, model, "clean") {
        Measured::Clean { correct, gradient, abstained, mean_cost, .. } => {
            (*correct, gradient.clone(), *abstained, *mean_cost)
        }
        other => panic!("{other:?}"),
    };
    let left = |model, attack| match of(&rows, model, &format!("{attack}/linf/0.1")) {
        Measured::Attack { robust_correct, abstained: None, mean_cost: None, .. } => {
            *robust_correct
        }
        other => panic!("{other:?}"),
    };
    // Rounded to 0 or 1, or to nothing told where no class has a half: then class 0 is answered.
    assert!(clean("rounded").0 <= clean("plain").0);
    assert_eq!(clean("rounded").1.as_deref(), Some("identity"));
    assert_eq!((clean("plain").1, clean("plain").2, clean("plain").3), (None, None, None));
    // One who sees the scores only gets no direction from them; one who has the model does not care.
    let broken = |model, attack| clean(model).0 - left(model, attack);
    let [told, hidden] = ["plain", "rounded"].map(|model| broken(model, "square"));
    assert!(hidden < told, "{hidden} {told}");
    let [told, hidden] = ["plain", "rounded"].map(|model| broken(model, "pgd"));
    assert!(told > 5 && hidden + 3 >= told, "{hidden} {told}");
}

#[test]
fn refusals_are_counted_apart_from_answers_with_and_without_an_adversary() {
    let root = tempfile::tempdir().unwrap();
    let rows = rows(root.path(), EXPERIMENT).unwrap();
    let Measured::Clean { correct: plain, .. } = of(&rows, "plain", "clean") else { panic!() };
    let Measured::Clean { correct, abstained, mean_cost, gradient, .. } =
        of(&rows, "unsure", "clean")
    else {
        panic!()
    };
    let (abstained, cost) = (abstained.unwrap(), mean_cost.unwrap());
    assert_eq!(gradient.as_deref(), Some("identity"));
    assert!(abstained > 0 && *correct > 0 && correct + abstained >= *plain, "{abstained}");
    let wrong = 40 - correct - abstained;
    assert!((cost - (wrong as f64 + 0.25 * abstained as f64) / 40.0).abs() < 1e-12);
    for attack in ["pgd", "square"] {
        let measured = of(&rows, "unsure", &format!("{attack}/linf/0.1"));
        let Measured::Attack {
            clean_correct,
            robust_correct,
            abstained: Some(refused),
            mean_cost: Some(under),
            ..
        } = measured
        else {
            panic!("{measured:?}")
        };
        // Refusals are no success, and those refused before are not attacked.
        assert_eq!(clean_correct, correct);
        assert!(refused <= robust_correct);
        let broken = clean_correct - robust_correct;
        let expected = ((wrong + broken) as f64 + 0.25 * (abstained + refused) as f64) / 40.0;
        assert!((under - expected).abs() < 1e-12, "{under} {expected}");
    }
}

#[test]
fn what_may_be_refused_is_not_put_inside_anything_else() {
    let refused = |more: &str, expected: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let error = rows(root.path(), &format!("{EXPERIMENT}{more}")).unwrap_err();
        assert!(error.contains("`unsure` may refuse to answer"), "{error}");
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    };
    refused(
        "[[model]]\nname = \"around\"\nbase = \"unsure\"\ndefense = { name = \"jpeg\" }\n",
        &["nothing can be put around it", "`around`"],
    );
    refused(
        "[[attack]]\nname = \"pgd\"\nlabel = \"handed\"\nsurrogate = \"plain\"\n",
        &["[[attack]] `handed`", "`surrogate`"],
    );
    refused("[[certify]]\nname = \"smoothing\"\nradii = [0.1]\n", &["[[certify]] `smoothing`"]);
    refused(
        "[[detector]]\nname = \"mahalanobis\"\nfit = [\"pgd\"]\n",
        &["[[detector]] `mahalanobis`"],
    );
    let error = Experiment::parse(&EXPERIMENT.replace("cost = 0.25", "cost = 1.5")).unwrap_err();
    assert!(error.contains("defence `abstention`") && error.contains("`cost`"), "{error}");
    let error = Experiment::parse(&EXPERIMENT.replace("digits = 0", "kept = 0")).unwrap_err();
    assert!(error.contains("unknown field `kept`"), "{error}");
    let trained = EXPERIMENT.replacen(
        "architecture = { name = \"mlp\", hidden = [16] }",
        "architecture = { name = \"mlp\", hidden = [16] }\ndefense = { name = \"top-scores\" }",
        1,
    );
    assert!(Experiment::parse(&trained).unwrap_err().contains("`top-scores` is no training"));
}
