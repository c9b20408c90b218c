//! From the rows of a run to its report.
mod attacks;
mod certifiers;
mod comparison;
mod detection;
mod examples;
mod figures;
mod trainings;

use std::path::{Path, PathBuf};

pub use certifiers::{Certified, certified};
pub use comparison::{Column, Comparison, certified_by, percent, short};

use crate::report::{Finding, Page, Severity};
use crate::row::Measured;
use crate::run::write_whole;
use crate::{Error, Journal, Result, Row, self_checks};

/// The comparison table of a run: one line a model.
#[must_use]
pub fn comparison(rows: &[Row]) -> Vec<Comparison> {
    comparison::of(rows)
}

/// Writes `report.html` and `pictures/` into the folder of a run, and returns the path of the
/// page. Reads nothing but that folder.
///
/// # Errors
/// [`Error::Io`], [`Error::Rows`] for a folder that holds no run; [`Error::Report`] for a picture
/// that cannot be drawn.
pub fn write_report(journal: &Journal) -> Result<PathBuf> {
    let folder = journal.folder();
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).map_err(Error::io(&pictures))?;
    let (rows, identity) = (journal.rows(), journal.identity());
    let models = comparison(rows);
    let (severity, verdict) = verdict(&models);
    let scope = scope(rows);
    let mut page = Page::new(&identity.title, (severity, &verdict), &scope);
    page = page.table("Comparison", &comparison::table(&models))?;
    if let Some(table) = trainings::table(rows) {
        page = page.table("Trainings", &table)?;
    }
    if let Some(table) = certifiers::table(&certified(rows)) {
        page = page.table("Certifiers", &table)?;
    }
    for figure in figures::all(journal, &models)? {
        save(&pictures, &figure.name, "svg", figure.drawing.svg()?.as_bytes())?;
        save(&pictures, &figure.name, "png", &figure.drawing.png()?)?;
        page = page.figure(&figure.drawing, &figure.caption)?;
    }
    for picture in examples::all(journal)? {
        save(&pictures, &picture.name, "png", &picture.png)?;
        page = page.picture(&picture.png, &picture.alternative, &picture.caption);
    }
    for (heading, table) in attacks::tables(rows) {
        page = page.table(&heading, &table)?;
    }
    if let Some(table) = attacks::stages(rows) {
        page = page.table("Members of suites", &table)?;
    }
    if let Some(table) = detection::oblivious(rows) {
        page = page.table("Detectors", &table)?;
    }
    if let Some(table) = detection::adaptive(rows) {
        page = page.table("Detectors under attack", &table)?;
    }
    let findings: Vec<Finding> = self_checks(rows)
        .into_iter()
        .map(|check| Finding {
            severity: Severity::Warning,
            text: format!("{}: {}", check.model, check.text),
        })
        .collect();
    if findings.is_empty() {
        page = page.text(
            "Self-checks",
            &["No row contradicts another: gradient attacks beat noise, larger radii break no \
               fewer samples, white-box attacks beat transfer."],
        );
    } else {
        page = page.findings("Self-checks", &findings);
    }
    let seeds = rows.first().map_or(String::new(), |row| row.seed.to_string());
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    let repeat = [
        ("duress", identity.version.as_str()),
        ("device", &identity.device),
        ("seed", &seeds),
        ("experiment", &identity.experiment),
        ("SHA-256 of the experiment", &identity.digest),
        ("SHA-256 of the test samples", &identity.data_digest),
        ("rows", &format!("{} in rows.jsonl, schema {}", rows.len(), identity.schema)),
        ("seconds of measurement", &format!("{seconds:.1}")),
    ];
    page = page.repeat(&repeat, &identity.command);
    let path = folder.join("report.html");
    write_whole(&path, page.render().as_bytes())?;
    Ok(path)
}

fn save(folder: &Path, name: &str, kind: &str, bytes: &[u8]) -> Result<()> {
    write_whole(&folder.join(format!("{name}.{kind}")), bytes)
}

/// The outcome in one sentence: how the most robust model does under the first threat.
fn verdict(models: &[Comparison]) -> (Severity, String) {
    let robust = |model: &Comparison| model.robust.first().map(|column| column.accuracy);
    let best = models
        .iter()
        .filter_map(|model| Some((model, robust(model)?)))
        .max_by(|a, b| a.1.rate().unwrap_or(0.0).total_cmp(&b.1.rate().unwrap_or(0.0)));
    let Some((best, accuracy)) = best else {
        return (Severity::Note, "No attack was run.".into());
    };
    let (Some(column), Some(rate)) = (best.robust.first(), accuracy.rate()) else {
        return (Severity::Note, "No sample was measured.".into());
    };
    let severity = match rate {
        rate if rate < 0.1 => Severity::Bad,
        rate if rate < 0.5 => Severity::Warning,
        _ => Severity::Good,
    };
    let text = format!(
        "The most robust model, “{}”, keeps {} of the test samples in the worst case over attacks \
         at {} (without an attack: {}).",
        best.model,
        comparison::percent(accuracy),
        column.title(),
        comparison::percent(best.clean),
    );
    (severity, text)
}

fn scope(rows: &[Row]) -> String {
    let mut attacks: Vec<&str> = Vec::new();
    for row in rows {
        if let Measured::Attack { attack, .. } = &row.measured
            && !attacks.contains(&attack.as_str())
        {
            attacks.push(attack);
        }
    }
    let (data, samples) =
        rows.first().map_or(("no data", 0), |row| (row.data.as_str(), row.samples));
    let attacks = match attacks.len() {
        0..=MOST_NAMED => format!("attacks: {}", attacks.join(", ")),
        count => format!("{count} attacks"),
    };
    format!("{samples} samples of {data}; {attacks}.")
}

/// More attacks than this are counted in the head of the page, and named in its tables.
const MOST_NAMED: usize = 12;
