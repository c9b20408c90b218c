//! Steps of adversarial training on the small network.
use anyhow::Result;
use criterion::{Criterion, SamplingMode, Throughput};
use duress_benches::{BATCH, device};
use duress_core::{Domain, Passes, Seed, Use, fill_rows, host};
use duress_defenses::{FgsmTraining, FreeTraining, PgdTraining, Trades, Yopo};
use duress_models::train::Run;
use duress_models::{Architecture, Network, Objective, Recipe, Standard, TrainingData, train};
use rand::RngExt;

/// Batches of a run.
const BATCHES: usize = 4;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let device = device()?;
    let passes = Passes::new(&device)?;
    let domain = Domain::image(1, 28, 28)?;
    let network = Architecture::SmallCnn {}.init(&domain, 10, Seed(1), &device)?;
    let count = BATCHES * BATCH;
    let rows = fill_rows(count, domain.features(), &device, |row, values| {
        let mut rng = Seed(2).stream(row as u64, 0, 0, Use::Start);
        values.fill_with(|| rng.random());
    });
    let rows = host::floats(rows)?;
    let labels: Vec<usize> = (0..count).map(|row| row % 10).collect();
    let ids: Vec<u64> = (0..count as u64).collect();
    let data =
        TrainingData { rows: &rows, labels: &labels, ids: &ids, domain: &domain, classes: 10 };
    let recipe = Recipe { epochs: 1, batch_size: BATCH, ..Recipe::default() };
    let mut group = criterion.benchmark_group("training-small_cnn");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let (standard, fast, free) = (Standard, FgsmTraining::default(), FreeTraining::default());
    let (pgd, trades, yopo) = (PgdTraining::default(), Trades::default(), Yopo::default());
    let objectives: [&dyn Objective<Network>; 6] = [&standard, &fast, &free, &pgd, &trades, &yopo];
    for objective in objectives {
        // The throughput counts steps of the optimiser.
        let steps = BATCHES as u64 * u64::from(objective.replays());
        group.throughput(Throughput::Elements(steps));
        let mut failed = None;
        group.bench_function(objective.name(), |bencher| {
            bencher.iter(|| {
                let trained = train(&network, objective, &data, &recipe, Run::new(&passes));
                failed = trained.err();
            });
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
