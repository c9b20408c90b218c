//! PGD: a step in each norm, and whole runs of 40 steps through the driver.
use anyhow::Result;
use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
use duress_attacks::Pgd;
use duress_benches::{BATCH, Case, cases, device, gradients, maximise, threat};
use duress_core::{Attack, Norm, Oracle, Passes, Problem, Status, Threat, WhiteBox, run};

/// Rows of a whole run.
const RUN: usize = 64;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let device = device()?;
    let passes = Passes::new(&device)?;
    for case in cases(&device)? {
        steps(&mut criterion, &case, &passes)?;
        runs(&mut criterion, &case, &passes)?;
    }
    criterion.final_summary();
    Ok(())
}

/// The throughput counts steps on an image.
fn steps(criterion: &mut Criterion, case: &Case, passes: &Passes) -> Result<()> {
    let mut group = criterion.benchmark_group(format!("pgd-steps-{}", case.name));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements((BATCH * case.steps) as u64));
    let rows = case.rows(BATCH);
    group.bench_function(BenchmarkId::new("gradient-only", BATCH), |bencher| {
        bencher.iter(|| gradients(case, passes, &rows, case.steps));
    });
    for norm in [Norm::Linf, Norm::L2, Norm::L1] {
        let region = case.region(rows.clone(), &threat(norm)?)?;
        group.bench_function(BenchmarkId::new(norm.to_string(), BATCH), |bencher| {
            bencher.iter(|| maximise(case, passes, &region, case.steps));
        });
    }
    group.finish();
    Ok(())
}

/// A radius at which no sample of the untrained network leaves, and one at which all do: the time
/// of the passes alone, and what the early exit saves.
fn runs(criterion: &mut Criterion, case: &Case, passes: &Passes) -> Result<()> {
    let mut group = criterion.benchmark_group(format!("pgd-40-{}", case.name));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(RUN as u64));
    let (rows, device) = (case.rows(RUN), passes.device());
    let goal = case.goal(rows.clone())?;
    let oracle = WhiteBox::new(&case.model, passes);
    let attack = Attack::Gradient(Box::new(Pgd::paper()));
    for (name, radius, status) in
        [("nobody-leaves", 1e-6, Status::Survived), ("samples-leave", 0.3, Status::Broken)]
    {
        let threat = Threat::new(Norm::Linf, radius)?;
        let problem =
            || Problem::new(Oracle::Gradients(&oracle), rows.clone(), goal.clone(), threat.clone());
        let outcome = run(&attack, &problem())?;
        anyhow::ensure!(
            outcome.count(status) > RUN / 2,
            "{name}: {} of {RUN} samples, so the figure would not mean what its name says",
            outcome.count(status),
        );
        group.bench_function(BenchmarkId::new(name, RUN), |bencher| {
            bencher.iter_batched(
                problem,
                |problem| {
                    let outcome = run(&attack, &problem);
                    device.sync().and(Ok(outcome))
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    Ok(())
}
