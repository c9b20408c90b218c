//! Draws a second of randomized smoothing, of its noise, and of the forward passes alone.
use anyhow::Result;
use burn::prelude::*;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use duress_benches::{cases, device, noise, smooth};
use duress_core::Passes;

/// Draws at once.
const DRAWS: usize = 512;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let device = device()?;
    let passes = Passes::new(&device)?;
    for case in cases(&device)? {
        let mut group = criterion.benchmark_group(format!("smoothing-{}", case.name));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(DRAWS as u64));
        let (row, rows): (Tensor<2>, Tensor<2>) = (case.rows(1), case.rows(DRAWS));
        let features = case.domain.features();
        group.bench_function(BenchmarkId::new("forward-only", DRAWS), |bencher| {
            bencher.iter(|| {
                let logits = passes.logits(&case.model, rows.clone());
                device.sync().and(Ok(logits))
            });
        });
        group.bench_function(BenchmarkId::new("draws", DRAWS), |bencher| {
            bencher.iter(|| smooth(&case, &passes, &row, DRAWS));
        });
        group.bench_function(BenchmarkId::new("noise-only", DRAWS), |bencher| {
            bencher.iter(|| {
                let noise = noise(DRAWS, features, &device);
                device.sync().and(Ok(noise))
            });
        });
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
