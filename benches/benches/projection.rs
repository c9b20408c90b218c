//! Projection onto ball and box, and the random start, per row and norm.
use anyhow::Result;
use criterion::{BenchmarkId, Criterion, Throughput};
use duress_benches::{BATCH, cases, device, step};
use duress_core::{Norm, Seed};

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let device = device()?;
    let ids: Vec<u64> = (0..BATCH as u64).collect();
    for case in cases(&device)? {
        let mut group = criterion.benchmark_group(format!("region-{}", case.name));
        group.sample_size(20).throughput(Throughput::Elements(BATCH as u64));
        for norm in Norm::ALL {
            let (region, out) = step(&case, norm, BATCH)?;
            group.bench_function(BenchmarkId::new("project", norm), |bencher| {
                bencher.iter(|| {
                    let rows = region.project(out.clone());
                    device.sync().and(Ok(rows))
                });
            });
            group.bench_function(BenchmarkId::new("random-start", norm), |bencher| {
                bencher.iter(|| {
                    let rows = region.sample(Seed(5), &ids, 0, 0);
                    device.sync().and(Ok(rows))
                });
            });
        }
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
