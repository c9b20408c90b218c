//! Ratios with a goal, each from runs that alternate: what two workers gain, and what attacks and
//! smoothing cost beside the passes that they make.
use anyhow::Result;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use duress_benches::{BATCH, Case, Ratio, cases, device, gradients, maximise, smooth, threat};
use duress_core::{Norm, Passes, device::is_cpu};

/// Draws at once.
const DRAWS: usize = 512;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().with_measurement(Ratio).configure_from_args();
    let device = device()?;
    let passes = Passes::new(&device)?;
    for case in cases(&device)? {
        let mut group = criterion.benchmark_group(format!("ratio-{}", case.name));
        group.sample_size(15).sampling_mode(SamplingMode::Flat);
        let rows = case.rows(BATCH);
        if is_cpu(&device) {
            workers(&mut group, &case, &device)?;
        }
        for norm in [Norm::Linf, Norm::L2, Norm::L1] {
            let region = case.region(rows.clone(), &threat(norm)?)?;
            ratio(
                &mut group,
                &format!("pgd-{norm}-over-gradient"),
                || maximise(&case, &passes, &region, case.steps),
                || gradients(&case, &passes, &rows, case.steps),
            );
        }
        let (row, draws) = (case.rows(1), case.rows(DRAWS));
        ratio(
            &mut group,
            "smoothing-over-forward",
            || smooth(&case, &passes, &row, DRAWS),
            || passes.logits(&case.model, draws.clone()).and(Ok(device.sync())),
        );
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}

/// What one worker takes, over what two take.
fn workers(
    group: &mut BenchmarkGroup<'_, Ratio>,
    case: &Case,
    device: &burn::prelude::Device,
) -> Result<()> {
    let (one, two) = (Passes::with_workers(device, 1)?, Passes::with_workers(device, 2)?);
    let rows = case.rows(BATCH);
    let region = case.region(rows.clone(), &threat(Norm::Linf)?)?;
    let forward = |passes: &Passes| passes.logits(&case.model, rows.clone());
    ratio(group, "workers-forward", || forward(&one), || forward(&two));
    ratio(
        group,
        "workers-gradient",
        || gradients(case, &one, &rows, 1),
        || gradients(case, &two, &rows, 1),
    );
    ratio(
        group,
        "workers-pgd-linf",
        || maximise(case, &one, &region, case.steps),
        || maximise(case, &two, &region, case.steps),
    );
    Ok(())
}

/// Times `run` and `base` in turn. A failure fails the bench: its time would mean nothing.
fn ratio<A, B, E: std::fmt::Debug, F: std::fmt::Debug>(
    group: &mut BenchmarkGroup<'_, Ratio>,
    name: &str,
    run: impl Fn() -> Result<A, E>,
    base: impl Fn() -> Result<B, F>,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            Ratio::of(
                rounds,
                || drop(run().expect("the run succeeds")),
                || drop(base().expect("the base succeeds")),
            )
        });
    });
}
