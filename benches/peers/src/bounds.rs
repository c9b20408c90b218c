//! Bounds of the margins of a network's predictions, and what they take.
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use duress_certification::bounds::{InputSet, Method, Network, Options};
use duress_core::{Bound, Domain, Layout, Norm};
use duress_datasets::{Input, npy};
use rayon::prelude::*;
use serde::Serialize;

use crate::arguments::Bounds;
use crate::networks::repeat;

/// The line that is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    file: PathBuf,
    method: String,
    rows: usize,
    /// Rows whose prediction is proved.
    certified: usize,
    /// Processor time of the batch.
    cpu_seconds: Option<f64>,
    /// The same on the wall.
    seconds: f64,
}

/// Bounds all rows, again and again.
pub(crate) fn measure(arguments: &Bounds) -> Result<Line> {
    let Bounds { file, rows, epsilon, method: name, out, seconds, .. } = arguments;
    let known = Method::ALL.into_iter().find(|method| word(*method) == *name);
    let method = known.with_context(|| format!("no method `{name}`"))?;
    let imported = duress_graph::onnx::read(file, &duress_graph::onnx::Options::default())
        .with_context(|| file.display().to_string())?;
    let graph = imported.graph;
    let network = Network::new(&graph)?;
    let array = npy::read(Input::new(rows.display().to_string(), std::fs::File::open(rows)?)?)?;
    let values: Vec<f64> = array.floats().into_iter().map(f64::from).collect();
    let features = network.features();
    ensure!(values.len().is_multiple_of(features), "{}: rows of {features} values", rows.display());
    let layout = Layout::Table { features };
    let domain = Domain::new(layout, Bound::Uniform(0.0), Bound::Uniform(1.0))?;
    let labels: Vec<usize> = values
        .chunks_exact(features)
        .map(|row| Ok(duress_certification::proof::prediction(graph.evaluate(row)?.values())))
        .collect::<Result<_>>()?;
    let bound = || -> Result<Vec<Vec<f64>>> {
        let rows: Vec<(&[f64], usize)> =
            values.chunks_exact(features).zip(labels.iter().copied()).collect();
        rows.into_par_iter()
            .map(|(row, label)| {
                let set = InputSet::ball(row, Norm::Linf, *epsilon, Some(&domain))?;
                Ok(network.margins(&set, label, method, &Options::default())?.lower)
            })
            .collect()
    };
    let lower = bound()?;
    let (cpu_seconds, wall) = repeat(*seconds, || bound().map(drop))?;
    let proved = |(row, label): &(&Vec<f64>, &usize)| {
        row.iter().enumerate().all(|(class, &bound)| class == **label || bound > 0.0)
    };
    let certified = lower.iter().zip(&labels).filter(proved).count();
    let flat: Vec<f32> = lower.iter().flatten().map(|&bound| bound as f32).collect();
    std::fs::write(out, npy::encode(&[lower.len(), network.outputs()], &flat)?)?;
    let (file, method, rows) = (file.clone(), name.clone(), lower.len());
    Ok(Line { file, method, rows, certified, cpu_seconds, seconds: wall })
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Ibp => "ibp",
        Method::Zonotope => "zonotope",
        Method::Forward => "forward",
        Method::CrownIbp => "crown-ibp",
        Method::Crown => "crown",
        Method::AlphaCrown => "alpha-crown",
    }
}
