//! A run measured against direct computation: worst case, transfer, preflight.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::prelude::*;
use duress_evaluation::attacks::find;
use duress_evaluation::core::{
    Attack, Goal, Norm, Oracle, Outcome, Passes, Problem, Seed, Silent, Status, Threat, WhiteBox,
    predictions, run as attack,
};
use duress_evaluation::datasets::{Dataset, Folders, Part, load};
use duress_evaluation::metrics::{Denominator, TransferMatrix};
use duress_evaluation::models::Model;
use duress_evaluation::{
    Context, Experiment, Journal, Measured, Observer, run, train_model, write_report,
};

const EXPERIMENT: &str = r#"name = "e"
seed = 5
transfer = true

[data]
name = "digits"
train = 300
test = 50

[[model]]
name = "narrow"
architecture = { name = "mlp", hidden = [8] }
[model.recipe]
epochs = 8
batch_size = 32

[[model]]
name = "wide"
architecture = { name = "mlp", hidden = [32] }
[model.recipe]
epochs = 8
batch_size = 32

[[threat]]
norm = "linf"
epsilons = [0.02, 0.05, 0.1]
headline = 0.05

[[attack]]
name = "pgd"
steps = 3
step_size = 0.4
restarts = 2

[[attack]]
name = "uniform-noise"
"#;

const EPSILONS: [f64; 3] = [0.02, 0.05, 0.1];
const HEADLINE: f64 = 0.05;

fn context<'a>(root: &Path, passes: &'a Passes, observer: &'a dyn Observer) -> Context<'a> {
    Context {
        out: root.join("run"),
        fresh: false,
        cache: root.join("cache"),
        folders: Folders::default(),
        device: "flex".into(),
        passes,
        observer,
        command: "duress run e.toml".into(),
        token: None,
        stop: None,
        force: false,
    }
}

fn passes() -> Passes {
    Passes::with_workers(&Device::flex(), 2).unwrap()
}

fn test_samples() -> Dataset {
    load("digits", &Folders::default(), Part::Test).unwrap().take(50)
}

/// The attacks of [`EXPERIMENT`], built by hand.
fn attacks() -> [(&'static str, Attack); 2] {
    let pgd = "steps = 3\nstep_size = 0.4\nrestarts = 2".parse().unwrap();
    [
        ("pgd", (find("pgd").unwrap().parse)(pgd).unwrap()),
        ("uniform-noise", (find("uniform-noise").unwrap().parse)(toml::Table::new()).unwrap()),
    ]
}

fn outcome(attacker: &Attack, model: &Model, test: &Dataset, epsilon: f64) -> Outcome {
    let passes = passes();
    let oracle = WhiteBox::new(model, &passes);
    let problem = Problem::new(
        Oracle::Gradients(&oracle),
        test.rows(0..test.len(), passes.device()),
        Goal::Untargeted(test.labels().to_vec()),
        Threat::new(Norm::Linf, epsilon).unwrap(),
    )
    .with_ids(test.ids().to_vec())
    .with_seed(Seed(5));
    attack(attacker, &problem).unwrap()
}

#[test]
fn the_worst_case_is_the_union_over_attacks_and_smaller_radii() {
    let (root, passes) = (tempfile::tempdir().unwrap(), passes());
    let experiment = Experiment::parse(EXPERIMENT).unwrap();
    let context = context(root.path(), &passes, &Silent);
    let rows = run(&experiment, &context).unwrap().rows;
    let test = test_samples();
    let samples = Journal::read(&context.out).unwrap().samples().unwrap();
    for name in ["narrow", "wide"] {
        let path = train_model(&experiment, name, &context).unwrap().path;
        let model = Model::load(path, passes.device()).unwrap();
        let mut broken: BTreeMap<u64, &str> = BTreeMap::new();
        for epsilon in EPSILONS {
            let mut wrong = BTreeSet::new();
            for (label, attacker) in &attacks() {
                let outcome = outcome(attacker, &model, &test, epsilon);
                for sample in &outcome.samples {
                    match sample.status {
                        Status::Broken => {
                            broken.entry(sample.id).or_insert(label);
                        }
                        Status::AlreadyMet => {
                            wrong.insert(sample.id);
                        }
                        Status::Survived => {}
                    }
                }
                let survived = outcome.count(Status::Survived) as u64;
                let key = format!("{name}/{label}/linf/{epsilon}");
                let row = rows.iter().find(|row| row.key == key).unwrap();
                assert!(
                    matches!(&row.measured, Measured::Attack { robust_correct, .. }
                    if *robust_correct == survived),
                    "{row:?}, survived {survived}"
                );
                assert_eq!((row.seed, row.samples), (5, 50));
            }
            let key = format!("{name}/worst-case/linf/{epsilon}");
            let row = rows.iter().find(|row| row.key == key).unwrap();
            let Measured::WorstCase { headline, clean_correct, robust_correct, broken_by, .. } =
                &row.measured
            else {
                panic!("{row:?}");
            };
            assert_eq!(*headline, epsilon.to_bits() == HEADLINE.to_bits());
            assert_eq!(*clean_correct, 50 - wrong.len() as u64);
            assert_eq!(*robust_correct, clean_correct - broken.len() as u64);
            let mut by: BTreeMap<String, u64> = BTreeMap::new();
            for attack in broken.values() {
                *by.entry((*attack).to_owned()).or_default() += 1;
            }
            assert_eq!(*broken_by, by);
            for sample in samples.iter().filter(|sample| sample.key == key) {
                let robust = !wrong.contains(&sample.index) && !broken.contains_key(&sample.index);
                assert_eq!(sample.robust, robust, "{sample:?}");
                assert_eq!(sample.broken_by.as_deref(), broken.get(&sample.index).copied());
            }
        }
        assert!(!broken.is_empty() && broken.len() < 50, "the test can see a difference");
    }
}

#[test]
fn transfer_counts_are_those_of_the_matrix() {
    let (root, passes) = (tempfile::tempdir().unwrap(), passes());
    let experiment = Experiment::parse(EXPERIMENT).unwrap();
    let context = context(root.path(), &passes, &Silent);
    let rows = run(&experiment, &context).unwrap().rows;
    let (test, names) = (test_samples(), ["narrow", "wide"]);
    let models = names.map(|name| {
        Model::load(train_model(&experiment, name, &context).unwrap().path, passes.device())
            .unwrap()
    });
    let correct = |model: &Model, rows: Tensor<2>| -> Vec<bool> {
        let answers = predictions(passes.logits(model, rows).unwrap()).unwrap();
        answers.iter().zip(test.labels()).map(|((class, _), label)| class == label).collect()
    };
    let clean_rows = test.rows(0..test.len(), passes.device());
    let clean: Vec<Vec<bool>> = models.iter().map(|m| correct(m, clean_rows.clone())).collect();
    let [(_, pgd), _] = attacks();
    let adversarial: Vec<Vec<Vec<bool>>> = models
        .iter()
        .map(|source| {
            let rows = outcome(&pgd, source, &test, HEADLINE).rows;
            models.iter().map(|target| correct(target, rows.clone())).collect()
        })
        .collect();
    let clean: Vec<&[bool]> = clean.iter().map(Vec::as_slice).collect();
    let by_source: Vec<Vec<&[bool]>> =
        adversarial.iter().map(|targets| targets.iter().map(Vec::as_slice).collect()).collect();
    let matrix = TransferMatrix::of(&clean, &by_source, Denominator::CorrectOnBoth).unwrap();
    let mut seen = 0;
    for row in &rows {
        let Measured::Transfer { target, attack, both_correct, fooled, .. } = &row.measured else {
            continue;
        };
        let place = |name: &str| names.iter().position(|known| *known == name).unwrap();
        let cell = matrix.cells[place(&row.model)][place(target)];
        assert_eq!((*fooled, *both_correct), (cell.successes(), cell.total()), "{row:?}");
        assert!(*both_correct > 0 && attack == "pgd");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn an_attack_with_a_surrogate_leaves_the_surrogate_and_the_transfer_matrix_alone() {
    let (root, passes) = (tempfile::tempdir().unwrap(), passes());
    let first = "[[attack]]\nname = \"mi-fgsm\"\nsurrogate = \"wide\"\n\n[[attack]]";
    let text = EXPERIMENT.replacen("[[attack]]", first, 1);
    let experiment = Experiment::parse(&text).unwrap();
    let context = context(root.path(), &passes, &Silent);
    let rows = run(&experiment, &context).unwrap().rows;
    let mut handed = 0;
    for row in &rows {
        match &row.measured {
            Measured::Attack { attack, surrogate, .. } if attack == "mi-fgsm" => {
                assert_eq!((row.model.as_str(), surrogate.as_deref()), ("narrow", Some("wide")));
                handed += 1;
            }
            Measured::Attack { surrogate, .. } => assert_eq!(*surrogate, None),
            Measured::Transfer { attack, .. } => assert_eq!(attack, "pgd", "{row:?}"),
            _ => {}
        }
    }
    assert_eq!(handed, EPSILONS.len());
    let page = write_report(&Journal::read(&context.out).unwrap()).unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("made on wide"));
}

/// Counts what it hears of training.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<String>>);

impl duress_evaluation::core::Progress for Notes {
    fn note(&self, message: &str) {
        self.0.lock().unwrap().push(message.into());
    }
}

impl Observer for Notes {}

#[test]
fn models_whose_names_differ_behind_a_dot_have_files_of_their_own() {
    let (root, passes) = (tempfile::tempdir().unwrap(), passes());
    let notes = Notes::default();
    let context = context(root.path(), &passes, &notes);
    let named = |name: &str, width: &str| {
        let text = EXPERIMENT.replace("\"narrow\"", &format!("{name:?}"));
        Experiment::parse(&text.replace("hidden = [8]", &format!("hidden = [{width}]"))).unwrap()
    };
    let trained =
        |name: &str, width| train_model(&named(name, width), name, &context).unwrap().path;
    let (small, large) = (trained("v1.5", "4"), trained("v1.6", "16"));
    assert_ne!(small, large);
    assert_eq!(trained("v1.5", "4"), small);
    let outside = trained("..", "4");
    assert_eq!(outside.parent().unwrap(), context.cache);
    let notes = notes.0.lock().unwrap();
    let trained: Vec<bool> = notes.iter().map(|note| note.contains(": training ")).collect();
    assert_eq!(trained, [true, true, false, true], "{notes:?}");
}

#[test]
fn nothing_is_written_or_trained_before_the_last_check() {
    let (root, passes) = (tempfile::tempdir().unwrap(), passes());
    let notes = Notes::default();
    let context = context(root.path(), &passes, &notes);
    let refused = |right: &str, wrong: &str| {
        let experiment = Experiment::parse(&EXPERIMENT.replacen(right, wrong, 1)).unwrap();
        let error = run(&experiment, &context).unwrap_err();
        assert!(error.is_bad_input(), "{error}");
        error.to_string()
    };
    let last = "[[threat]]";
    let with = |model: &str| refused(last, &format!("[[model]]\n{model}\n\n[[threat]]"));
    assert!(refused("\"mlp\", hidden = [32]", "\"lenet\"").contains("[[model]] `wide`: lenet"));
    assert!(with("name = \"x\"\nfile = \"gone\"").contains("gone"));
    let jpeg = "name = \"x\"\nbase = \"wide\"\ndefense = { name = \"jpeg\", quality = 0 }";
    assert!(with(jpeg).contains("[[model]] `x`: jpeg: `quality`"));
    let vote =
        "name = \"x\"\nmembers = [\"wide\"]\ndefense = { name = \"ensemble\", weights = [2] }";
    assert!(with(vote).contains("[[model]] `x`: ensemble: `weights`"));
    assert!(refused("steps = 3", "steps = 0").contains("[[attack]] `pgd`: pgd: `steps`"));
    assert!(refused("train = 300", "train = 1\nvalidation = 0.9").contains("training samples"));
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    assert!(notes.0.lock().unwrap().is_empty());
}

/// What a model needs is told before the first one is trained, not when its turn comes.
#[test]
fn a_training_that_cannot_be_done_and_a_network_that_cannot_be_proved_stop_the_run_at_once() {
    let (root, passes) = (tempfile::tempdir().unwrap(), passes());
    let notes = Notes::default();
    let context = context(root.path(), &passes, &notes);
    let refused = |more: &str, keys: &[&str]| {
        let experiment = Experiment::parse(&format!("{EXPERIMENT}\n{more}")).unwrap();
        let error = run(&experiment, &context).unwrap_err();
        assert!(error.is_bad_input(), "{error}");
        let message = error.to_string();
        for key in keys {
            assert!(message.contains(key), "{key}: {message}");
        }
    };
    let third = "[[model]]\nname = \"third\"\narchitecture = { name = \"mlp\", hidden = [8] }\n";
    for training in [
        "ibp-training",
        "crown-ibp-training",
        "fast-ibp-training",
        "sabr-training",
        "mtl-ibp-training",
    ] {
        refused(
            &format!(
                "{third}recipe = {{ epochs = 8 }}\n\
                 defense = {{ name = \"{training}\", warmup_epochs = 2, ramp_epochs = 7 }}"
            ),
            &["[[model]] `third`", "`warmup_epochs` and `ramp_epochs`, 9 epochs together", "has 8"],
        );
    }
    let committee =
        "{ name = \"committee\", member = { name = \"mlp\", hidden = [4] }, members = 2 }";
    let third = third.replace("{ name = \"mlp\", hidden = [8] }", committee);
    refused(
        &format!(
            "{third}defense = {{ name = \"ibp-training\", warmup_epochs = 0, ramp_epochs = 1 }}"
        ),
        &["[[model]] `third`", "layers bounds are propagated through", "got committee"],
    );
    for prover in ["lipschitz-margin", "spectral-product", "local-lipschitz"] {
        refused(
            &format!("{third}\n[[certify]]\nname = \"{prover}\"\nradii = [0.1]"),
            &[
                &format!("[[certify]] `{prover}`: [[model]] `third`: "),
                "it works along the batch axis",
                "in `models`",
            ],
        );
    }
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    assert!(notes.0.lock().unwrap().is_empty());
}
