//! Models behind transformations and votes with fitted weights, from a file to their rows.
#![allow(clippy::unwrap_used)]
use std::path::Path;

use burn::prelude::*;
use duress_evaluation::core::{Passes, Silent};
use duress_evaluation::datasets::Folders;
use duress_evaluation::{Context, Experiment, Measured, Row, run};

const HEAD: &str = r#"name = "e"
seed = 5

[data]
name = "digits"
train = 300
test = 30

[[model]]
name = "plain"
architecture = { name = "mlp", hidden = [16] }
[model.recipe]
epochs = 8
batch_size = 32

"#;

const TAIL: &str = r#"
[[threat]]
norm = "linf"
epsilons = [0.2]

[[attack]]
name = "pgd"
steps = 8
step_size = 0.3
"#;

fn model(name: &str, base: &str, defense: &str) -> String {
    format!("[[model]]\nname = \"{name}\"\nbase = \"{base}\"\ndefense = {{ {defense} }}\n\n")
}

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

fn clean<'r>(rows: &'r [Row], model: &str) -> (&'r Row, Option<&'r str>, u64) {
    let of = |row: &&Row| row.model == model && matches!(row.measured, Measured::Clean { .. });
    let row = rows.iter().find(of).unwrap();
    let Measured::Clean { gradient, correct, .. } = &row.measured else { unreachable!() };
    (row, gradient.as_deref(), *correct)
}

fn attacked(rows: &[Row], model: &str) -> (Option<u32>, u64, u64) {
    let of = |row: &Row| match &row.measured {
        Measured::Attack { model_draws, robust_correct, .. } if row.model == model => {
            Some((*model_draws, *robust_correct, row.backwards))
        }
        _ => None,
    };
    rows.iter().find_map(of).unwrap()
}

#[test]
fn rows_say_how_gradients_pass_and_over_how_many_draws() {
    let root = tempfile::tempdir().unwrap();
    let text = [
        HEAD,
        &model("bits", "plain", "name = \"bit-depth\", bits = 3"),
        &model("noisy", "plain", "name = \"gaussian-noise\", sigma = 0.1"),
        &model("projected", "plain", "name = \"pca-denoising\", share = 0.5"),
        &model("dithered", "bits", "name = \"jpeg\", backward = \"surrogate\""),
        "[[model]]\nname = \"vote\"\nmembers = [\"plain\", \"projected\"]\n\
         defense = { name = \"ensemble\", fitted = true }\n",
        TAIL,
        "model_draws = 4\n",
    ]
    .concat();
    let rows = rows(root.path(), &text).unwrap();
    let seen = |name| clean(&rows, name).1;
    assert_eq!(
        [seen("plain"), seen("bits"), seen("noisy"), seen("projected"), seen("dithered")],
        [None, Some("identity"), Some("exact"), Some("exact"), Some("surrogate")]
    );
    for name in ["plain", "bits", "noisy", "projected", "dithered", "vote"] {
        let (_, _, correct) = clean(&rows, name);
        let (draws, robust, backwards) = attacked(&rows, name);
        assert!(correct >= 15, "{name}: {correct}");
        assert!(robust * 2 < correct, "{name}: {robust} of {correct}");
        assert_eq!(draws, (name == "noisy").then_some(4), "{name}");
        // Each step asks four times.
        assert!(draws.is_none() || backwards >= 4 * 8, "{backwards}");
    }
}

#[test]
fn what_is_taken_from_training_samples_and_what_is_drawn_is_in_the_digest() {
    let digest = |defense: &str, from: &str, to: &str| {
        let root = tempfile::tempdir().unwrap();
        let text = [HEAD, &model("it", "plain", defense), TAIL].concat().replacen(from, to, 1);
        // Trained at once: only the first rows count.
        let rows = rows(root.path(), &text).unwrap();
        (clean(&rows, "plain").0.model_digest.clone(), clean(&rows, "it").0.model_digest.clone())
    };
    let noise = "name = \"gaussian-noise\"";
    let (first, second) = (digest(noise, "", ""), digest(noise, "sigma", "sigma"));
    assert_eq!(first, second);
    let pca = "name = \"pca-denoising\", share = 0.5";
    let (of_300, of_250) = (digest(pca, "", ""), digest(pca, "train = 300", "train = 250"));
    assert_ne!(of_300.1, of_250.1);
    assert_ne!(first.1, of_300.1);
    assert_eq!(first.0, of_300.0);
}

#[test]
fn what_cannot_be_put_together_is_refused_before_anything_is_trained() {
    let refused = |models: &str, tail: &str| {
        let root = tempfile::tempdir().unwrap();
        rows(root.path(), &[HEAD, models, tail].concat()).unwrap_err()
    };
    let noisy = model("noisy", "plain", "name = \"random-resize\"");
    let around = noisy.clone() + &model("around", "noisy", "name = \"jpeg\"");
    assert!(refused(&around, TAIL).contains("put the random transformation outermost"));
    let vote = noisy
        + "[[model]]\nname = \"vote\"\nmembers = [\"plain\", \"noisy\"]\n\
           defense = { name = \"ensemble\" }\n";
    assert!(refused(&vote, TAIL).contains("`noisy` is random"));
    let draws = TAIL.to_owned() + "model_draws = 9\n";
    assert!(refused("", &draws).contains("`model_draws` are of a random [[model]]"));
    assert!(refused("", &(TAIL.to_owned() + "model_draws = 0\n")).contains("between 1 and 100000"));
    let certified = TAIL.to_owned() + "[[certify]]\nname = \"smoothing\"\nradii = [0.1]\n";
    let noisy = model("noisy", "plain", "name = \"gaussian-noise\"");
    let error = refused(&noisy, &certified);
    assert!(error.contains("[[certify]] `smoothing`: `noisy` is random"), "{error}");
    let sound = model("sound", "plain", "name = \"mu-law\"");
    assert!(refused(&sound, TAIL).contains("`mu-law` needs a waveform"));
    let coded = model("coded", "plain", "name = \"thermometer\"");
    assert!(refused(&coded, TAIL).contains("a network of encoded pictures behind it"));
    let both = "[[model]]\nname = \"vote\"\nmembers = [\"plain\"]\n\
                defense = { name = \"ensemble\", fitted = true, majority = true }\n";
    assert!(refused(both, TAIL).contains("`fitted` must be false"));
}

/// Two models that are trained behind a transformation: an encoding, by PGD through it, and noise.
const BEHIND: &str = r#"[[model]]
name = "coded"
architecture = { name = "mlp", hidden = [16] }
recipe = { epochs = 20, batch_size = 32, optimizer = { name = "adam", learning_rate = 0.005 } }
defense = { name = "thermometer", levels = 8 }

[[model]]
name = "coded-pgd"
architecture = { name = "mlp", hidden = [16] }
recipe = { epochs = 20, batch_size = 32, optimizer = { name = "adam", learning_rate = 0.005 } }
defense = { name = "thermometer", levels = 8 }
training = { name = "pgd-training", epsilon = 0.1, steps = 3, step_size = 0.4 }

[[model]]
name = "noise"
architecture = { name = "mlp", hidden = [16] }
recipe = { epochs = 20, batch_size = 32, optimizer = { name = "adam", learning_rate = 0.005 } }
defense = { name = "gaussian-noise", sigma = 0.2 }

"#;

#[test]
fn a_network_is_trained_behind_an_encoding_or_noise_and_attacked_through_it() {
    let root = tempfile::tempdir().unwrap();
    let unaware = "[[attack]]\nname = \"pgd\"\nlabel = \"unaware\"\nsteps = 8\nstep_size = 0.3\n\
                   aware = false\n";
    let text = [HEAD, BEHIND, TAIL, "model_draws = 4\n", unaware].concat();
    let first = rows(root.path(), &text).unwrap();
    let clean_of = |rows: &[Row], name: &str| -> (String, Option<String>, u64, u64) {
        let (row, gradient, correct) = clean(rows, name);
        let Measured::Clean { parameters, .. } = row.measured else { unreachable!() };
        (row.model_digest.clone(), gradient.map(Into::into), correct, parameters)
    };
    for (name, gradient) in [("coded", "surrogate"), ("coded-pgd", "surrogate"), ("noise", "exact")]
    {
        let (_, seen, correct, parameters) = clean_of(&first, name);
        assert_eq!(seen.as_deref(), Some(gradient));
        assert!(correct >= 15, "{name}: {correct}");
        let inputs = if name == "noise" { 64 } else { 8 * 64 };
        assert_eq!(parameters, inputs * 16 + 16 + 16 * 10 + 10, "{name}");
    }
    let robust = |model: &str, label: &str| {
        let of = |row: &Row| match &row.measured {
            Measured::Attack { attack, robust_correct, .. }
                if row.model == model && attack == label =>
            {
                Some(*robust_correct)
            }
            _ => None,
        };
        first.iter().find_map(of).unwrap()
    };
    // Steps have no slope: who does not know of them sees none.
    assert!(robust("coded", "unaware") > robust("coded", "pgd") + 5);
    // The same network, data and seed, trained another way.
    assert_ne!(clean_of(&first, "coded").0, clean_of(&first, "coded-pgd").0);
    // What the settings are is in the digest; a second run takes the networks of the first.
    let again = rows(root.path(), &text).unwrap();
    assert_eq!(clean_of(&first, "coded-pgd"), clean_of(&again, "coded-pgd"));
    let files = std::fs::read_dir(root.path().join("cache")).unwrap().count();
    assert_eq!(files, 2 * 4);
    let other = text.replacen("steps = 3", "steps = 2", 1);
    let third = rows(root.path(), &other).unwrap();
    assert_eq!(clean_of(&first, "coded").0, clean_of(&third, "coded").0);
    assert_ne!(clean_of(&first, "coded-pgd").0, clean_of(&third, "coded-pgd").0);
}

#[test]
fn what_cannot_be_trained_behind_a_transformation_says_why() {
    let refused = |from: &str, to: &str| {
        let root = tempfile::tempdir().unwrap();
        let text = [HEAD, BEHIND, TAIL].concat();
        assert!(text.contains(from));
        rows(root.path(), &text.replacen(from, to, 1)).unwrap_err()
    };
    let error =
        refused("\"pgd-training\", epsilon = 0.1, steps = 3, step_size = 0.4", "\"ibp-training\"");
    assert!(error.contains("`coded-pgd`: `training`: `ibp-training` propagates bounds"), "{error}");
    let error = refused("\"pgd-training\", epsilon = 0.1, steps = 3, step_size = 0.4", "\"jpeg\"");
    assert!(error.contains("`training`: `jpeg` is no training"), "{error}");
    let error = refused(
        "defense = { name = \"thermometer\", levels = 8 }\ntraining",
        "defense = { name = \"trades\" }\ntraining",
    );
    assert!(error.contains("`training` belongs to a model with an `architecture`"), "{error}");
    let error = refused("levels = 8", "levels = 1");
    assert!(error.contains("[[model]] `coded`") && error.contains("between 2 and 256"), "{error}");
}
