//! `duress predict`: what a model answers, as an npy file.
use duress_evaluation::datasets::npy;
use duress_evaluation::models::atomic;
use duress_evaluation::{Predictions, predict as predictions};
use toml::{Table, Value};

use super::subject::{Subject, text, token};
use super::{Result, file_to_write, run};
use crate::arguments::Predict;
use crate::output;
use crate::progress::{Screen, watch_interrupts};

pub(super) fn predict(arguments: Predict) -> Result<()> {
    let out = &arguments.out;
    file_to_write(out, Some("npy"))?;
    let mut subject = Subject::new(&arguments.model, &arguments.service, &arguments.samples)?;
    for note in &subject.notes {
        output::remark(note);
    }
    let file = subject.data.get("path").and_then(Value::as_str).unwrap_or("");
    let arrays = [".npz", ".npy"].iter().any(|ending| file.ends_with(ending));
    if arrays && !subject.data.contains_key("labels") {
        // Nobody needs labels to predict.
        subject.data.insert("unlabelled".into(), Value::Boolean(true));
    }
    let experiment = Table::from_iter([
        ("name".into(), text("predict")),
        ("data".into(), Value::Table(subject.data)),
        ("model".into(), Value::Array(vec![Value::Table(subject.model)])),
    ]);
    let what = std::path::Path::new(&arguments.model.model);
    let experiment = run::parse(&toml::to_string(&experiment)?, what)?;
    let passes = super::passes(&arguments.place)?;
    watch_interrupts()?;
    let screen = Screen::bare();
    let mut context = super::context(&arguments.place, &passes, &screen, (out.clone(), false))?;
    context.token = token(&arguments.service)?;
    let found = match predictions(&experiment, &context) {
        Err(error) if error.is_cancelled() => anyhow::bail!("stopped; nothing was written"),
        other => other?,
    };
    let (bytes, shape) = match &found {
        Predictions::Logits { values, classes } => {
            let shape = vec![values.len() / classes, *classes];
            (npy::encode(&shape, values)?, shape)
        }
        Predictions::Labels(labels) => {
            let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
            (npy::encode(&[labels.len()], &labels)?, vec![labels.len()])
        }
    };
    atomic::write(out, &[&bytes])?;
    drop(screen);
    let what = if shape.len() == 2 { "logits" } else { "labels" };
    output::line(&format!("{what}  {shape:?}  {}", out.display()))
}
