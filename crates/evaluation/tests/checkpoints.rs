//! The best and the last weights of a training: both kept, both measured, either evaluated.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::sync::Mutex;

use burn::prelude::Device;
use duress_evaluation::attacks::Pgd;
use duress_evaluation::core::{
    Attack, Classifier, Goal, Norm, Oracle, Passes, Problem, Progress, Seed, Status, Threat,
    WhiteBox, run as attack,
};
use duress_evaluation::datasets::{Folders, Part, load, split};
use duress_evaluation::models::Model;
use duress_evaluation::{
    Checkpoint, Context, Experiment, Journal, Measured, Observer, Watched, run, train_model,
    write_report,
};

const EXPERIMENT: &str = r#"name = "e"
seed = 3

[data]
name = "digits"
train = 300
test = 40
validation = 0.3

[[model]]
name = "overfitted"
checkpoint = "last"
architecture = { name = "mlp", hidden = [24] }
defense = { name = "pgd-training", epsilon = 0.15, steps = 2, step_size = 0.7 }
recipe = { epochs = 12, batch_size = 32, early_stop = { patience = 100 }, optimizer = { name = "adam", learning_rate = 0.03 } }

[[model]]
name = "chosen"
architecture = { name = "mlp", hidden = [24] }
defense = { name = "pgd-training", epsilon = 0.15, steps = 2, step_size = 0.7 }
recipe = { epochs = 12, batch_size = 32, early_stop = { patience = 100 }, optimizer = { name = "adam", learning_rate = 0.03 } }
"#;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn note(&self, message: &str) {
        self.0.lock().unwrap().push(message.into());
    }
}

impl Observer for Notes {}

impl Notes {
    fn trainings(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|note| note.contains(": training ")).count()
    }
}

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

/// Validation samples that PGD of 10 steps leaves correct, counted anew.
fn survivors(model: &dyn Classifier, passes: &Passes) -> u64 {
    let all = load("digits", &Folders::default(), Part::Train).unwrap().take(300);
    let parts = split::stratified(all.labels(), &[0.7, 0.3], Seed(3)).unwrap();
    let held = all.select(&parts[1]).take(256);
    let oracle = WhiteBox::new(model, passes);
    let goal = Goal::Untargeted(held.labels().to_vec());
    let threat = Threat::new(Norm::Linf, 0.15).unwrap();
    let rows = held.rows(0..held.len(), passes.device());
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat)
        .with_ids(held.ids().to_vec())
        .with_seed(Seed(3));
    let pgd = Pgd { steps: 10, step_size: 0.25, ..Pgd::paper() };
    let outcome = attack(&Attack::Gradient(Box::new(pgd)), &problem).unwrap();
    outcome.count(Status::Survived) as u64
}

#[test]
fn one_training_gives_the_best_and_the_last_weights_and_rows_of_both() {
    let root = tempfile::tempdir().unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let notes = Notes::default();
    let context = context(root.path(), &passes, &notes);
    let experiment = Experiment::parse(EXPERIMENT).unwrap();
    let rows = run(&experiment, &context).unwrap().rows;
    assert_eq!(notes.trainings(), 1, "{:?}", notes.0);
    let watched = |name: &str| -> (Watched, String) {
        let row = rows.iter().find(|row| row.key == format!("{name}/clean")).unwrap();
        let Measured::Clean { watched, .. } = &row.measured else { panic!("a clean row") };
        (watched.clone().unwrap(), row.model_digest.clone())
    };
    let ((last, last_digest), (best, best_digest)) = (watched("overfitted"), watched("chosen"));
    assert_eq!((last.used, best.used), (Checkpoint::Last, Checkpoint::Best));
    assert_eq!(Watched { used: Checkpoint::Best, ..last }, best);
    assert_eq!((best.part.as_str(), best.last.epoch), ("validation", 12));
    assert!(best.best.epoch < 12 && best.best.correct > best.last.correct, "{best}");
    assert_ne!(last_digest, best_digest);

    // Each file is the one that its row is about, and does what was measured of it.
    let trained = |name: &str| {
        let trained = train_model(&experiment, name, &context).unwrap();
        (Model::load(&trained.path, passes.device()).unwrap(), trained.path)
    };
    let ((of_last, last_path), (of_best, _)) = (trained("overfitted"), trained("chosen"));
    assert_eq!((of_last.digest().unwrap(), of_best.digest().unwrap()), (last_digest, best_digest));
    assert_eq!(of_last.card().epochs, Some(12));
    assert_eq!(of_best.card().epochs, Some(best.best.epoch));
    assert_eq!(survivors(&of_last, &passes), best.last.correct);
    assert_eq!(survivors(&of_best, &passes), best.best.correct);
    assert_eq!(notes.trainings(), 1);

    // Where one of the two is gone, the same training makes both again.
    std::fs::remove_file(&last_path).unwrap();
    assert_eq!(trained("overfitted").0.digest().unwrap(), of_last.digest().unwrap());
    assert_eq!(notes.trainings(), 2);

    let page = write_report(&Journal::read(&context.out).unwrap()).unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Trainings") && page.contains("weights used"));
}
