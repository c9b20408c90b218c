//! Images a second of forward passes and of forward and input-backward passes.
use anyhow::Result;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use duress_benches::{BATCH, cases, device, gradients};
use duress_core::{Passes, device::is_cpu};

/// Batches below, at and above the usual one; 20 rows are less than a sub-batch.
const BATCHES: [usize; 4] = [20, 32, BATCH, 512];

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let device = device()?;
    let schedules = if is_cpu(&device) {
        vec![
            ("1-worker", Passes::with_workers(&device, 1)?),
            ("2-workers", Passes::with_workers(&device, 2)?),
        ]
    } else {
        vec![("whole", Passes::new(&device)?)]
    };
    for case in cases(&device)? {
        let mut group = criterion.benchmark_group(format!("passes-{}", case.name));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        for rows in BATCHES {
            group.throughput(Throughput::Elements(rows as u64));
            let batch = case.rows(rows);
            for (name, passes) in &schedules {
                group.bench_function(
                    BenchmarkId::new(format!("forward-{name}"), rows),
                    |bencher| {
                        bencher.iter(|| {
                            let logits = passes.logits(&case.model, batch.clone());
                            device.sync().and(Ok(logits))
                        });
                    },
                );
                group.bench_function(
                    BenchmarkId::new(format!("gradient-{name}"), rows),
                    |bencher| {
                        bencher.iter(|| gradients(&case, passes, &batch, 1));
                    },
                );
            }
        }
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
