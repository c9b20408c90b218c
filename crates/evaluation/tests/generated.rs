//! A model trained on a data set and on generated samples of a file.
#![allow(clippy::unwrap_used)]
use std::path::Path;

use burn::prelude::*;
use duress_evaluation::core::{Domain, Passes, Progress, Seed, Silent};
use duress_evaluation::datasets::{Folders, Input, Part, load, npy, npz};
use duress_evaluation::defenses::generative::{Fitted, GanPlan, PseudoLabelled, generate};
use duress_evaluation::models::train::Run;
use duress_evaluation::models::{Architecture, Card, Model, TrainingData};
use duress_evaluation::{
    Context, Error, Experiment, Measured, Observer, Summary, run, write_generated,
};

struct Quiet;

impl Progress for Quiet {}

impl Observer for Quiet {}

/// `count` digits as an archive of images, values times `scale`.
fn write(path: &Path, count: usize, scale: f32) {
    let set = load("digits", &Folders::default(), Part::Train).unwrap().take(count);
    let values: Vec<f32> = set.values().iter().map(|value| value * scale).collect();
    let labels: Vec<i64> = set.labels().iter().map(|&label| label as i64).collect();
    let x = npy::encode(&[count, 8, 8], &values).unwrap();
    let y = npy::encode(&[count], &labels).unwrap();
    std::fs::write(path, npz::encode(&[("x", x), ("y", y)]).unwrap()).unwrap();
}

fn go(folder: &Path, run_name: &str, mix: &str) -> Result<Summary, Error> {
    go_by(
        folder,
        run_name,
        &format!(
            "name = \"generated\"\n[data]\nname = \"digits\"\ntest = 40\n[[model]]\nname = \"mlp\"\n\
         architecture = {{ name = \"mlp\", hidden = [16] }}\n\
         recipe = {{ epochs = 2, batch_size = 64{mix} }}\n[[threat]]\nnorm = \"linf\"\n\
         epsilons = [0.1]\n[[attack]]\nname = \"fgm\"\n"
        ),
    )
}

fn go_by(folder: &Path, run_name: &str, text: &str) -> Result<Summary, Error> {
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let context = Context {
        out: folder.join(run_name),
        fresh: false,
        cache: folder.join("cache"),
        folders: Folders::default(),
        device: "flex".into(),
        passes: &passes,
        observer: &Quiet,
        command: String::new(),
        token: None,
        stop: None,
        force: true,
    };
    run(&Experiment::parse(text).unwrap(), &context)
}

#[test]
fn generated_samples_change_the_weights_and_a_file_that_does_not_fit_is_named() {
    let folder = tempfile::Builder::new().prefix("generated data ").tempdir().unwrap();
    let root = folder.path();
    let file = root.join("generated pictures.npz");
    write(&file, 30, 1.0);
    let mix = format!(", mix = {{ file = '{}', share = 0.25 }}", file.display());
    let plain = go(root, "plain", "").unwrap().rows;
    let mixed = go(root, "mixed", &mix).unwrap().rows;
    assert_ne!(plain[0].model_digest, mixed[0].model_digest);
    // The name stays and the file changes: the weights of before are not taken for these.
    write(&file, 60, 1.0);
    let other = go(root, "other", &mix).unwrap().rows;
    assert_ne!(other[0].model_digest, mixed[0].model_digest);
    assert_eq!(go(root, "again", &mix).unwrap().rows[0].model_digest, other[0].model_digest);

    write(&file, 30, 200.0);
    let error = go(root, "scaled", &mix).unwrap_err().to_string();
    assert!(error.contains("generated pictures.npz") || error.contains("outside"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = go(root, "missing", &mix).unwrap_err().to_string();
    assert!(error.contains("generated pictures.npz"), "{error}");
    let whole = format!(", mix = {{ file = '{}', share = 1.5 }}", file.display());
    let text = format!(
        "name = \"e\"\n[data]\nname = \"digits\"\n[[model]]\nname = \"m\"\n\
         architecture = {{ name = \"mlp\", hidden = [8] }}\nrecipe = {{ epochs = 1{whole} }}\n"
    );
    let error = Experiment::parse(&text).unwrap_err();
    assert!(error.contains("`mix.share` must be in (0, 1), got 1.5"), "{error}");
}

/// From a GAN and a classifier to an archive, and from there into a training.
#[test]
fn rows_of_a_gan_become_an_archive_that_a_recipe_mixes_in() {
    let folder = tempfile::Builder::new().prefix("generated data ").tempdir().unwrap();
    let set = load("digits", &Folders::default(), Part::Train).unwrap().take(128);
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let plan = GanPlan { latent: 4, width: 4, epochs: 1, ..GanPlan::default() };
    let data = TrainingData {
        rows: set.values(),
        labels: set.labels(),
        ids: set.ids(),
        domain: set.domain(),
        classes: 10,
    };
    let gan = Fitted::train(&plan, &data, Seed(1), Run::new(&passes)).unwrap();
    let architecture = Architecture::Mlp { hidden: vec![] };
    let network = architecture.init(set.domain(), 10, Seed(1), &Device::flex()).unwrap();
    let model = Model::new(&network, Card::new(architecture, set.domain().clone(), 10)).unwrap();
    let made = generate(gan.network(), &model, 60, 0.0, Seed(2), &passes, &Silent).unwrap();

    let file = folder.path().join("rows of a gan.npz");
    write_generated(&file, &made, set.domain()).unwrap();
    let classes = Some(set.class_names().to_vec());
    let options = npz::Options { classes, ..npz::Options::default() };
    let read = npz::dataset("gan", Input::open(&file).unwrap(), &options).unwrap();
    assert_eq!((read.values(), read.labels()), (&made.rows[..], &made.labels[..]));
    let mix = format!(", mix = {{ file = '{}', share = 0.25 }}", file.display());
    assert_eq!(go(folder.path(), "mixed", &mix).unwrap().rows[0].model, "mlp");

    let none = write_generated(&file, &PseudoLabelled::default(), set.domain()).unwrap_err();
    assert!(none.to_string().contains("at least one"), "{none}");
    let sound = Domain::waveform(1, 64).unwrap();
    assert!(write_generated(&file, &made, &sound).unwrap_err().to_string().contains("waveforms"));
}

const PURIFIED: &str = "name = \"purified\"\n[data]\nname = \"digits\"\ntrain = 200\ntest = 24\n\
    [[model]]\nname = \"mlp\"\narchitecture = { name = \"mlp\", hidden = [16] }\n\
    recipe = { epochs = 10, batch_size = 32 }\n\
    [[model]]\nname = \"reformed\"\nbase = \"mlp\"\n\
    defense = { name = \"magnet-reformer\", autoencoder = { epochs = 2 } }\n\
    [[model]]\nname = \"diffused\"\nbase = \"mlp\"\n\
    defense = { name = \"diffusion-purifier\", diffusion = { steps = 10, width = 4, epochs = 1 } }\n\
    [[model]]\nname = \"nearest\"\nbase = \"mlp\"\n\
    defense = { name = \"defense-gan\", restarts = 2, steps = 10, \
     gan = { latent = 4, width = 4, epochs = 30, batch_size = 32, learning_rate = 0.002 } }\n\
    [[threat]]\nnorm = \"linf\"\nepsilons = [0.1]\n\
    [[attack]]\nname = \"pgd\"\nsteps = 2\nmodel_draws = 2\n";

/// One file a network in the cache; a second run reads them and finds the same.
#[test]
fn purifiers_are_trained_once_attacked_in_their_own_way_and_found_in_the_cache() {
    let folder = tempfile::Builder::new().prefix("generated data ").tempdir().unwrap();
    let rows = go_by(folder.path(), "first", PURIFIED).unwrap().rows;
    let files = || {
        let names = std::fs::read_dir(folder.path().join("cache")).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let first = files();
    for kind in ["autoencoder-", "diffusion-", "gan-"] {
        let of_kind: Vec<&String> = first.iter().filter(|name| name.starts_with(kind)).collect();
        assert!(matches!(&of_kind[..], [one] if one.ends_with(".safetensors")), "{of_kind:?}");
    }
    // Behind a generator the attack in its latent space runs too, and counts.
    let latent: Vec<&duress_evaluation::Row> =
        rows.iter().filter(|row| row.key.contains("/latent-attack/")).collect();
    let [latent] = latent[..] else { panic!("{latent:?}") };
    assert_eq!(latent.key, "nearest/latent-attack/linf/0.1");
    let Measured::Attack { config, model_draws, unaware, clean_correct, .. } = &latent.measured
    else {
        panic!()
    };
    assert_eq!((&config["steps"], model_draws, unaware), (&100.into(), &None, &false));
    // Another model judges, so that no sample stops before the last step.
    assert!(*clean_correct > 0 && latent.backwards == 100 * clean_correct, "{}", latent.backwards);
    let worst = rows.iter().find(|row| row.key == "nearest/worst-case/linf/0.1").unwrap();
    let Measured::WorstCase { attacks, .. } = &worst.measured else { panic!() };
    assert_eq!(attacks[..], ["pgd", "latent-attack"]);
    let again = go_by(folder.path(), "second", PURIFIED).unwrap().rows;
    assert_eq!(files(), first);
    let found = |rows: &[duress_evaluation::Row]| {
        rows.iter()
            .map(|row| (row.key.clone(), row.model_digest.clone(), format!("{:?}", row.measured)))
            .collect::<Vec<_>>()
    };
    for (one, other) in found(&rows).into_iter().zip(found(&again)) {
        assert_eq!((one.0, one.1), (other.0, other.1));
    }
}

/// Each purifier is measured clean and under each attack, and by the worst of them.
#[test]
#[ignore = "takes minutes"]
fn the_experiment_of_purifiers_runs() {
    let folder = tempfile::tempdir().unwrap();
    let text = &std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../experiments/generative-digits.toml"
    ))
    .unwrap();
    let rows = go_by(folder.path(), "run", text).unwrap().rows;
    for model in ["standard", "magnet-reformer", "diffusion-purifier", "defense-gan"] {
        let own: Vec<_> = rows.iter().filter(|row| row.model == model).collect();
        let worst = own.iter().filter(|row| matches!(row.measured, Measured::WorstCase { .. }));
        assert_eq!(worst.count(), 2, "{model}: one a radius");
    }
}

#[test]
fn the_experiment_of_purifiers_is_read() {
    let text = &std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../experiments/generative-digits.toml"
    ))
    .unwrap();
    assert_eq!(Experiment::parse(text).unwrap().models.len(), 4);
}
