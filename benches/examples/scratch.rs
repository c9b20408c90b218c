#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use duress_benches::*;
use duress_core::*;
fn cpu() -> f64 {
    let mut t = 0.0;
    for e in std::fs::read_dir("/proc/self/task").unwrap() {
        let p = e.unwrap().path().join("schedstat");
        if let Ok(s) = std::fs::read_to_string(p) {
            t += s.split(' ').next().unwrap().parse::<f64>().unwrap();
        }
    }
    t / 1e6
}
fn time(name: &str, n: usize, mut f: impl FnMut()) {
    f();
    let mut v: Vec<(f64, f64)> = (0..n)
        .map(|_| {
            let (a, b) = (cpu(), std::time::Instant::now());
            f();
            (cpu() - a, b.elapsed().as_secs_f64() * 1e3)
        })
        .collect();
    v.sort_by(|a, b| a.0.total_cmp(&b.0));
    let c = v[n / 2].0;
    let m = v[0].0;
    v.sort_by(|a, b| a.1.total_cmp(&b.1));
    println!(
        "{name:40} cpu min {m:9.3} median {c:9.3} ms  wall min {:9.3} median {:9.3}",
        v[0].1,
        v[n / 2].1
    );
}
fn main() {
    let device = device().unwrap();
    let passes = Passes::new(&device).unwrap();
    for case in cases(&device).unwrap() {
        println!("{}", case.name);
        let n = if case.name == "small_cnn" { 30 } else { 7 };
        let rows = case.rows(BATCH);
        time("forward", n, || drop(passes.logits(&case.model, rows.clone()).unwrap()));
        time("gradient", n, || gradients(&case, &passes, &rows, 1).unwrap());
        for norm in [Norm::Linf, Norm::L2, Norm::L1] {
            let region = case.region(rows.clone(), &threat(norm).unwrap()).unwrap();
            time(&format!("pgd 10 steps {norm}, /10"), n.min(10), || {
                maximise(&case, &passes, &region, case.steps).unwrap()
            });
            let (region, out) = step(&case, norm, BATCH).unwrap();
            time(&format!("project {norm}"), 30, || drop(region.project(out.clone())));
            time(&format!("steepest {norm}"), 30, || drop(norm.steepest(out.clone())));
        }
        let row = case.rows(1);
        let draws = case.rows(512);
        time("512 forward", n, || drop(passes.logits(&case.model, draws.clone()).unwrap()));
        time("512 smoothing", n, || smooth(&case, &passes, &row, 512).unwrap());
        time("512 noise", n, || drop(noise(512, case.domain.features(), &device)));
    }
}
