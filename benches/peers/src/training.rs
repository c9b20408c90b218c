//! Steps of adversarial training on a network with made-up weights and samples.
use anyhow::Result;
use burn::prelude::*;
use duress_core::{Domain, Passes, Seed};
use duress_defenses::{FgsmTraining, FreeTraining, PgdTraining, Trades};
use duress_models::train::Run;
use duress_models::{Architecture, Network, Objective, Recipe, Standard, TrainingData, train};
use serde::Serialize;

use crate::clock::Clock;

/// Batches of an epoch: a call of `train` has a cost of its own.
const BATCHES: usize = 8;

/// How fast a recipe is.
#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    recipe: String,
    steps: u64,
    /// Milliseconds on the wall a step.
    wall: f64,
    /// Milliseconds of processor time a step; `None` off Linux.
    cpu: Option<f64>,
}

/// Times each recipe for `seconds` on batches of `batch` samples.
pub(crate) fn speeds(batch: usize, threads: usize, seconds: f64) -> Result<Vec<Speed>> {
    let (standard, fast, free) = (Standard, FgsmTraining::default(), FreeTraining::default());
    let (pgd, trades) = (PgdTraining::default(), Trades::default());
    let recipes: [&dyn Objective<Network>; 5] = [&standard, &fast, &free, &pgd, &trades];
    recipes.into_iter().map(|objective| speed(objective, batch, threads, seconds)).collect()
}

fn speed(
    objective: &dyn Objective<Network>,
    batch: usize,
    threads: usize,
    seconds: f64,
) -> Result<Speed> {
    let device = Device::flex();
    let passes = Passes::with_workers(&device, threads)?;
    let domain = Domain::image(1, 28, 28)?;
    let network = Architecture::SmallCnn {}.init(&domain, 10, Seed(1), &device)?;
    let count = BATCHES * batch;
    let rows: Vec<f32> =
        (0..count * domain.features()).map(|at| (at as f32 * 0.618_034).fract()).collect();
    let labels: Vec<usize> = (0..count).map(|at| at % 10).collect();
    let ids: Vec<u64> = (0..count as u64).collect();
    let data =
        TrainingData { rows: &rows, labels: &labels, ids: &ids, domain: &domain, classes: 10 };
    let recipe = Recipe { epochs: 1, batch_size: batch, ..Recipe::default() };
    let once = || train(&network, objective, &data, &recipe, Run::new(&passes));
    once()?;
    let (clock, mut epochs) = (Clock::start(), 0);
    while clock.seconds() < seconds {
        once()?;
        epochs += 1;
    }
    let steps = epochs * BATCHES as u64 * u64::from(objective.replays());
    let each = |seconds: f64| 1e3 * seconds / steps as f64;
    Ok(Speed {
        recipe: objective.name().to_owned(),
        steps,
        wall: each(clock.seconds()),
        cpu: clock.cpu_seconds().map(each),
    })
}
