//! What every training of the table keeps to: it learns, it repeats itself to the bit, it goes on
//! where it was interrupted, and it does not look at who stands where in the batch.
#![allow(clippy::unwrap_used)]
mod recipes;

use std::path::Path;

use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{Error as CoreError, Norm, Progress, Seed, Silent, Threat, host};
use duress_defenses::{DEFENSES, Defense, Entry, RobustnessWatch, TrainingDefense};
use duress_models::train::{Memory, OptimizerRecipe, Run, Schedule};
use duress_models::{
    Architecture, Batch, Error, Network, Recipe, Trained, TrainingData, Weights, train,
};
use recipes::{StopAfter, Stripes, passes, step};

/// The trainings of the table, made small.
fn trainings() -> Vec<(&'static Entry, Box<dyn TrainingDefense>)> {
    let small = |entry: &'static Entry| {
        // A committee is trained in tests/committee.rs.
        let committee = ["adp-training", "gal-training"].contains(&entry.name);
        let mut table = (entry.defaults)();
        let plain = (entry.parse)(table.clone()).unwrap();
        if committee || !matches!(plain, Defense::Training(_)) {
            return None;
        }
        shrink(&mut table);
        match (entry.parse)(table).unwrap() {
            Defense::Training(training) => Some((entry, training)),
            _ => None,
        }
    };
    let found: Vec<_> = DEFENSES.iter().filter_map(small).collect();
    assert!(found.len() >= 19, "{}", found.len());
    found
}

fn shrink(table: &mut toml::Table) {
    for (key, value) in table.iter_mut() {
        let small = match key.as_str() {
            // A schedule's.
            "steps" if !value.is_integer() => continue,
            "steps" | "draws" | "replays" | "full_passes" | "moves" | "projections" => 2.into(),
            "surrogates" | "ramp_epochs" => 1.into(),
            "warmup_epochs" => 0.into(),
            "epsilon" | "distance" => 0.05.into(),
            "temperature" => 5.0.into(),
            "lambda" => 0.5.into(),
            "inner" => {
                let mut inner = value.as_table().unwrap().clone();
                shrink(&mut inner);
                inner.into()
            }
            "balls" => {
                let mut balls = value.as_array().unwrap().clone();
                for ball in &mut balls {
                    shrink(ball.as_table_mut().unwrap());
                }
                balls.into()
            }
            _ => continue,
        };
        *value = small;
    }
}

fn recipe() -> Recipe {
    let optimizer = OptimizerRecipe::Adam {
        learning_rate: 0.01,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    Recipe {
        epochs: 2,
        batch_size: 32,
        optimizer,
        schedule: Schedule::Constant {},
        weight_average: Some(0.5),
        label_smoothing: 0.05,
        ..Recipe::default()
    }
}

fn fit(
    training: &dyn TrainingDefense,
    data: &TrainingData<'_>,
    checkpoint: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained<Network>, Error> {
    let architecture = Architecture::SmallCnn {};
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let (passes, watched) = (passes(), 12);
    let rows = TensorData::new(data.rows[..watched * 64].to_vec(), [watched, 64]);
    let mut watch = RobustnessWatch {
        rows: Tensor::from_data(rows, &Device::flex()),
        labels: data.labels[..watched].to_vec(),
        ids: data.ids[..watched].to_vec(),
        domain: data.domain,
        threat: training.threat().unwrap_or_else(|| Threat::new(Norm::Linf, 0.0).unwrap()),
        attack: Pgd { steps: 2, step_size: 0.5, ..Pgd::paper() },
        collapse: None,
        seed: Seed(2),
        passes: &passes,
        progress: &Silent,
    };
    let run = Run { watch: Some(&mut watch), checkpoint, progress, ..Run::new(&passes) };
    train(&network, training.objective(), data, &recipe(), run)
}

fn digests(trained: &Trained<Network>) -> [String; 3] {
    let best = &trained.best.as_ref().unwrap().network;
    [&trained.last, &trained.raw, best].map(|network| Weights::of(network).unwrap().digest())
}

#[test]
fn each_learns_repeats_itself_and_goes_on_where_it_was() {
    let set = Stripes::new(128);
    let data = set.data();
    for (entry, training) in trainings() {
        training.check().unwrap();
        let straight = fit(&*training, &data, None, &Silent).unwrap();
        let losses: Vec<f64> = straight.history.iter().map(|report| report.loss).collect();
        assert!(losses[1] < losses[0], "{}: {losses:?}", entry.name);
        assert!(straight.best.as_ref().unwrap().score > 0.0, "{}", entry.name);
        assert_eq!(straight.history.iter().filter(|report| report.score.is_some()).count(), 2);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a training");
        let mut stopped = 0;
        for limit in [2, 5, 9] {
            match fit(&*training, &data, Some(&path), &StopAfter::new(limit)) {
                Err(Error::Core(CoreError::Cancelled)) => stopped += 1,
                Err(error) => panic!("{}: {error}", entry.name),
                Ok(_) => {}
            }
        }
        assert!(stopped >= 1, "{} was never interrupted", entry.name);
        let resumed = fit(&*training, &data, Some(&path), &Silent).unwrap();
        assert_eq!(digests(&resumed), digests(&straight), "{}", entry.name);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{}", entry.name);
    }
}

#[test]
fn the_loss_does_not_depend_on_the_order_of_the_batch() {
    let set = Stripes::new(24);
    let passes = passes();
    let network = Architecture::Mlp { hidden: vec![8] };
    let network = network.init(&set.domain, 3, Seed(1), &Device::flex()).unwrap().train();
    let batch = |order: &[usize]| {
        let row = |&index: &usize| set.rows[index * 64..(index + 1) * 64].to_vec();
        let values: Vec<f32> = order.iter().flat_map(row).collect();
        Batch {
            rows: Tensor::from_data(TensorData::new(values, [order.len(), 64]), &Device::flex()),
            labels: order.iter().map(|&index| set.labels[index]).collect(),
            ids: order.iter().map(|&index| set.ids[index]).collect(),
        }
    };
    let forwards: Vec<usize> = (0..24).collect();
    let backwards: Vec<usize> = (0..24).rev().collect();
    let mut compared = 0;
    for (entry, training) in trainings() {
        let loss = |order: &[usize]| {
            let step = step(&set.domain, &passes, 1);
            let mut memory = Memory::default();
            let traced = training.objective().loss_by(&network, &batch(order), &step, &mut memory);
            traced.ok().map(|traced| host::floats(traced.output.loss).unwrap()[0])
        };
        // Those with companions are asked for them: see the test of what is refused.
        let (Some(first), Some(second)) = (loss(&forwards), loss(&backwards)) else { continue };
        assert!((first - second).abs() < 1e-5 * first.abs(), "{}: {first} {second}", entry.name);
        compared += 1;
    }
    assert!(compared >= 16, "{compared}");
}

#[test]
fn wrong_hyperparameters_are_named() {
    for (name, text, expected) in [
        ("awp", "gamma = 0", "awp: `gamma` must be finite and positive, got 0"),
        ("awp", "inner = { name = \"trades\", beta = -1 }", "trades: `beta`"),
        ("consistency", "draws = 1", "`draws` must be at least 2: answers are compared, got 1"),
        ("consistency", "eta = -1", "`eta`"),
        ("curvature-finite-difference", "probe = 0", "`probe`"),
        (
            "defensive-distillation",
            "temperature = 0.5",
            "`temperature` must be finite and at least 1",
        ),
        ("ensemble-adversarial-training", "surrogates = 0", "`surrogates`"),
        ("fgsm-training", "step_size = nan", "`step_size`"),
        ("free-training", "replays = 0", "`replays` must be at least 1, got 0"),
        ("helper-training", "helper_scale = 0.5", "`helper_scale`"),
        ("helper-training", "norm = \"l1\"", "does not support the l1 norm"),
        ("input-gradient-finite-difference", "norm = \"l1\"", "`norm` must be l2 or linf, got l1"),
        ("jacobian-finite-difference", "projections = 0", "`projections`"),
        (
            "lipschitz-margin-training",
            "temperature = 0",
            "`temperature` must be finite and positive",
        ),
        ("logit-pairing", "lambda = -0.5", "`lambda`"),
        ("macer", "gamma = 0", "`gamma`"),
        ("macer", "sigma = 0", "macer: `sigma` must be finite and positive, got 0"),
        ("mart", "steps = 0", "mart: `steps` must be at least 1, got 0"),
        ("mart", "norm = \"l0\"", "does not support the l0 norm"),
        ("multi-norm-training", "balls = []", "`balls` must be at least one, got 0"),
        ("parseval", "beta = 1.0", "`beta`"),
        ("pgd-training", "momentum = 2", "`momentum`"),
        ("smooth-adv", "draws = 0", "`draws` must be at least 1, got 0"),
        ("smooth-adv", "step_size = 0", "`step_size`"),
        ("spectral-norm", "bound = -1", "`bound`"),
        ("stability", "lambda = inf", "`lambda`"),
        ("trades", "norm = \"l1\"", "(it supports l2, linf)"),
        ("wasserstein-training", "gamma = 0", "`gamma`"),
        ("yopo", "moves = 0", "`moves`"),
        ("yopo", "norm = \"l1\"", "does not support the l1 norm"),
    ] {
        let entry = duress_defenses::find(name).unwrap();
        let defense = (entry.parse)(toml::from_str(text).unwrap()).unwrap();
        let Defense::Training(training) = defense else { panic!("{name}") };
        let error = training.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_recipe_with_a_companion_asks_for_it() {
    let set = Stripes::new(3);
    let passes = passes();
    let network = Architecture::Mlp { hidden: vec![] };
    let network = network.init(&set.domain, 3, Seed(1), &Device::flex()).unwrap().train();
    let rows = Tensor::from_data(TensorData::new(set.rows.clone(), [3, 64]), &Device::flex());
    let batch = Batch { rows, labels: set.labels.clone(), ids: set.ids.clone() };
    for name in ["defensive-distillation", "ensemble-adversarial-training", "helper-training"] {
        let entry = duress_defenses::find(name).unwrap();
        let Defense::Training(training) = (entry.parse)(toml::Table::new()).unwrap() else {
            panic!("{name}")
        };
        let step = step(&set.domain, &passes, 0);
        let error = training.objective().loss(&network, &batch, &step).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("`prepare`"), "{error}");
    }
}
