//! `duress run`: an experiment from its file to its report.
use std::path::{Path, PathBuf};

use duress_evaluation::certification::{Certification, find};
use duress_evaluation::{
    Error, Experiment, Journal, Row, certified, run as run_experiment, write_report,
};

use super::Result;
use crate::arguments::{Place, Run, Target};
use crate::output;
use crate::progress::{Screen, watch_interrupts};

pub(super) fn run(arguments: Run) -> Result<()> {
    let experiment = Experiment::load(&arguments.experiment)?;
    let runs = arguments.runs.unwrap_or_else(|| PathBuf::from("duress-runs"));
    execute(&experiment, &arguments.place, &arguments.target, &runs)
}

/// One folder an experiment and device: runs that differ do not meet.
pub(super) fn folder_name(experiment: &Experiment, place: &Place) -> String {
    let device = if place.device == "flex" { "" } else { place.device.as_str() };
    let dash = if device.is_empty() { "" } else { "-" };
    format!("{}{dash}{device}-{}", experiment.name, &experiment.digest[..8])
}

/// Runs an experiment in the folder of `target`, else in one below `runs`, and writes its report.
pub(super) fn execute(
    experiment: &Experiment,
    place: &Place,
    target: &Target,
    runs: &Path,
) -> Result<()> {
    let own = || runs.join(folder_name(experiment, place));
    let out = target.out.clone().unwrap_or_else(own);
    let passes = super::passes(place)?;
    watch_interrupts()?;
    let screen = Screen::new(experiment, target.json);
    let context = super::context(place, &passes, &screen, (out.clone(), target.fresh))?;
    let summary = match run_experiment(experiment, &context) {
        Ok(summary) => summary,
        Err(error) if error.is_cancelled() => {
            drop(screen);
            anyhow::bail!("stopped; the same command goes on from here");
        }
        Err(error) => return Err(error.into()),
    };
    let page = write_report(&Journal::read(&out)?)?;
    drop(screen);
    if !target.json {
        proofs(&summary.rows)?;
        for check in &summary.checks {
            output::line(&format!("check: {}: {}", check.model, check.text))?;
        }
        output::line(&format!("rows    {}", out.join("rows.jsonl").display()))?;
        output::line(&format!("report  {}", page.display()))?;
    }
    Ok(())
}

/// One line a proof, or none.
pub(super) fn proofs(rows: &[Row]) -> Result<()> {
    let proves = |name: &str| {
        let entry = find(name).and_then(|entry| (entry.parse)((entry.defaults)()).ok());
        matches!(entry, Some(Certification::Proved(_)))
    };
    for found in certified(rows).iter().filter(|found| proves(&found.certifier)) {
        output::line(&found.to_string())?;
    }
    Ok(())
}

/// Turns the reason of a text that does not parse into an error about `what`.
pub(super) fn parse(text: &str, what: &Path) -> Result<Experiment> {
    let fault = |reason| Error::Experiment { path: what.to_owned(), reason };
    Ok(Experiment::parse(text).map_err(fault)?)
}
