//! Networks of ONNX files: what they answer, and what a pass takes.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use duress_attacks::LossKind;
use duress_core::{
    Bound, Classifier, Domain, Goal, GradientOracle, Layout, Passes, WhiteBox, host,
};
use duress_datasets::npy;
use duress_graph::{Onnx, Preparation};
use serde::Serialize;

use crate::clock::Clock;

/// The line that is printed for each file.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    file: PathBuf,
    operators: String,
    /// Where the logits are.
    logits: PathBuf,
    /// Processor time of a batch.
    forward: Option<f64>,
    /// Processor time of a batch with its input gradient.
    gradient: Option<f64>,
    /// The same on the wall.
    forward_wall: f64,
    gradient_wall: f64,
}

/// Measures the network of `file` on a batch of `count` rows; logits go to `out`.
pub(crate) fn measure(
    file: &Path,
    count: usize,
    seconds: f64,
    threads: usize,
    out: &Path,
) -> Result<Line> {
    let device = Device::flex();
    let imported = duress_graph::onnx::read(file, &duress_graph::onnx::Options::default())
        .with_context(|| file.display().to_string())?;
    let features: usize = imported.graph.input_shape().iter().product();
    let bounds = [0.0, 1.0].map(Bound::Uniform);
    let [lower, upper] = bounds;
    let domain = Domain::new(Layout::Table { features }, lower, upper)?;
    let network = Onnx::new(imported, domain, &Preparation::default(), &device)?;
    let passes = Passes::with_workers(&device, threads)?;
    let oracle = WhiteBox::new(&network, &passes);
    // The same numbers in each language.
    let rows: Vec<f32> = (0..count * features).map(|at| (at as f32 * 0.618_034).fract()).collect();
    let rows = Tensor::<2>::from_data(TensorData::new(rows, [count, features]), &device);
    let logits = host::floats(network.forward(rows.clone()))?;
    ensure!(logits.len() == count * network.classes(), "{}: logits", file.display());
    let path = out.join(format!("{}.npy", file.display().to_string().replace('/', "_")));
    std::fs::write(&path, npy::encode(&[count, network.classes()], &logits)?)?;
    let aim = Goal::Untargeted(vec![0; count]).aim(&device);
    let loss = &LossKind::CrossEntropy;
    let (forward, forward_wall) =
        repeat(seconds, || Ok(passes.logits(&network, rows.clone()).map(drop)?))?;
    let (gradient, gradient_wall) =
        repeat(seconds, || Ok(oracle.gradient(rows.clone(), &aim, loss).map(drop)?))?;
    let operators = network.operators().iter().map(|(name, times)| format!("{times} {name}"));
    Ok(Line {
        file: file.to_owned(),
        operators: operators.collect::<Vec<_>>().join(", "),
        logits: path,
        forward,
        gradient,
        forward_wall,
        gradient_wall,
    })
}

/// Mean processor and wall time of `work`, which runs once before and then for so long.
pub(crate) fn repeat(seconds: f64, work: impl Fn() -> Result<()>) -> Result<(Option<f64>, f64)> {
    work()?;
    let (clock, mut runs) = (Clock::start(), 0.0);
    while clock.seconds() < seconds || runs < 3.0 {
        work()?;
        runs += 1.0;
    }
    Ok((clock.cpu_seconds().map(|cpu| cpu / runs), clock.seconds() / runs))
}
