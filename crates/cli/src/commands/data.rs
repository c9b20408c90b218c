//! `duress data`: what data sets there are, and where.
use std::io::IsTerminal;
use std::path::PathBuf;

use duress_evaluation::datasets::{DATASETS, Fetch, Manifest, Part, find};
use serde_json::json;

use super::{BadInput, Result};
use crate::arguments::{Data, DataAction};
use crate::{folders, output};

pub(super) fn data(arguments: Data) -> Result<()> {
    match arguments.action {
        None => list(None, false),
        Some(DataAction::List { data_folder, json }) => list(data_folder, json),
        Some(DataAction::Fetch { names, data_folder, mirror }) => {
            // All names are checked before anything is fetched.
            let manifests: Vec<Manifest> =
                names.iter().map(|name| manifest(name)).collect::<Result<_>>()?;
            let folder = folders::fetched(data_folder)?;
            for manifest in &manifests {
                fetch(manifest, &folder, mirror.clone())?;
            }
            Ok(())
        }
    }
}

fn list(data_folder: Option<PathBuf>, as_json: bool) -> Result<()> {
    let folders = folders::data(data_folder);
    let head = ["NAME", "STATE", "DESCRIPTION", "REFERENCE"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for entry in DATASETS {
        let state = if entry.is_embedded() {
            "built in"
        } else if entry.load(&folders, Part::Test).is_ok() {
            "here"
        } else if entry.is_fetchable() {
            "to fetch"
        } else {
            "own copy needed"
        };
        if as_json {
            let (name, description) = (entry.name, entry.description);
            output::line(
                &json!({ "name": name, "state": state, "description": description,
                         "reference": entry.reference })
                .to_string(),
            )?;
        }
        rows.push(
            [entry.name, state, entry.description, entry.reference].map(str::to_owned).to_vec(),
        );
    }
    if !as_json {
        for line in output::columns(&rows) {
            output::line(&line)?;
        }
    }
    Ok(())
}

/// What is published of a data set, or why it cannot be fetched.
fn manifest(name: &str) -> Result<Manifest> {
    let entry = find(name)?;
    if entry.is_embedded() {
        return Err(BadInput(format!("`{name}` is built in: there is nothing to fetch")).into());
    }
    Manifest::find(name).map_err(|_| {
        let known: Vec<_> =
            DATASETS.iter().filter(|entry| entry.is_fetchable()).map(|entry| entry.name).collect();
        let reason = format!(
            "`{name}` cannot be fetched: give --data-folder with a copy ({}); fetchable: {}",
            entry.reference,
            known.join(", ")
        );
        BadInput(reason).into()
    })
}

fn fetch(manifest: &Manifest, folder: &std::path::Path, mirror: Option<String>) -> Result<()> {
    let settings = Fetch { base_url: mirror, ..Fetch::default() };
    let terminal = std::io::stderr().is_terminal();
    let mut last = 0;
    let mut report = |done: u64, total: u64| {
        let percent = (100 * done).checked_div(total).unwrap_or(100);
        if terminal && percent >= last + 5 {
            last = percent;
            output::remark(&format!("{}: {percent} % of {total} bytes", manifest.name));
        }
    };
    settings.fetch(manifest, folder, &mut report)?;
    let place = folder.join(&manifest.name);
    output::line(&format!(
        "{}: {} bytes, checked, in {}",
        manifest.name,
        manifest.bytes(),
        place.display()
    ))
}
