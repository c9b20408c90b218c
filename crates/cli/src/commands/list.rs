//! `duress list`: the tables of the crates.
use duress_evaluation::attacks::{ATTACKS, Entry};
use duress_evaluation::certification::CERTIFIERS;
use duress_evaluation::core::{Norm, Reach, device};
use duress_evaluation::datasets::DATASETS;
use duress_evaluation::defenses::{DEFENSES, DETECTORS};
use duress_evaluation::models::ARCHITECTURES;
use serde_json::{Value, json};

use super::Result;
use crate::arguments::{Kind, List};
use crate::output;

pub(super) fn list(arguments: &List) -> Result<()> {
    let all = [
        Kind::Attacks,
        Kind::Defenses,
        Kind::Detectors,
        Kind::Certifiers,
        Kind::Datasets,
        Kind::Models,
        Kind::Devices,
    ];
    let kinds = match arguments.kind {
        Some(kind) => vec![kind],
        None => all.to_vec(),
    };
    for (index, kind) in kinds.iter().enumerate() {
        let entries = entries(*kind)?;
        if arguments.markdown {
            for line in markdown(&table(&entries)) {
                output::line(&line)?;
            }
            continue;
        }
        if arguments.json {
            for mut entry in entries {
                entry["kind"] = json!(title(*kind));
                output::line(&entry.to_string())?;
            }
            continue;
        }
        if kinds.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            output::line(&format!("{gap}{}", title(*kind)))?;
        }
        for line in output::columns(&folded(table(&entries))) {
            output::line(&line)?;
        }
    }
    Ok(())
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Attacks => "attacks",
        Kind::Defenses => "defenses",
        Kind::Detectors => "detectors",
        Kind::Certifiers => "certifiers",
        Kind::Datasets => "datasets",
        Kind::Models => "models",
        Kind::Devices => "devices",
    }
}

fn entries(kind: Kind) -> Result<Vec<Value>> {
    Ok(match kind {
        Kind::Attacks => ATTACKS.iter().map(attack).collect::<Result<_>>()?,
        Kind::Defenses => DEFENSES
            .iter()
            .map(|entry| {
                let (name, summary) = (entry.name, entry.summary);
                json!({ "name": name, "summary": summary, "reference": entry.reference })
            })
            .collect(),
        Kind::Detectors => DETECTORS
            .iter()
            .map(|entry| {
                json!({
                    "name": entry.name,
                    "fitted on": if entry.supervised { "clean, adversarial" } else { "clean" },
                    "slope": entry.slope,
                    "summary": entry.summary,
                    "reference": entry.reference,
                })
            })
            .collect(),
        Kind::Certifiers => CERTIFIERS
            .iter()
            .map(|entry| {
                json!({
                    "name": entry.name,
                    "norms": entry.norm.to_string(),
                    "summary": entry.summary,
                    "reference": entry.reference,
                })
            })
            .collect(),
        Kind::Datasets => DATASETS
            .iter()
            .map(|entry| {
                let source = match (entry.is_embedded(), entry.is_fetchable()) {
                    (true, _) => "built in",
                    (false, true) => "duress data fetch",
                    (false, false) => "own copy",
                };
                json!({
                    "name": entry.name,
                    "source": source,
                    "summary": entry.description,
                    "reference": entry.reference,
                })
            })
            .collect(),
        Kind::Models => ARCHITECTURES
            .iter()
            .map(|entry| json!({ "name": entry.name, "reference": entry.reference }))
            .collect(),
        Kind::Devices => device::NAMES.iter().map(|name| json!({ "name": name })).collect(),
    })
}

/// What is known of an attack at its default hyperparameters.
fn attack(entry: &Entry) -> Result<Value> {
    let attack = (entry.parse)(toml::Table::new())?;
    let searches = match attack.algorithm().reach() {
        Reach::Ball => "ball",
        Reach::Nearest => "nearest",
        Reach::Box => "box",
    };
    Ok(json!({
        "name": entry.name,
        "norms": norms(entry.norms),
        "access": format!("{}s", entry.access),
        "goal": if entry.targeted { "both" } else { "untargeted" },
        "searches": searches,
        "reference": entry.reference,
        "summary": entry.summary,
    }))
}

fn norms(norms: &[Norm]) -> String {
    norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A head of field names, then a line an entry. All entries have the fields of the first.
fn table(entries: &[Value]) -> Vec<Vec<String>> {
    let Some(first) = entries.first() else { return Vec::new() };
    // References are short where attacks are listed and addresses elsewhere.
    let order: &[&str] = if first.get("searches").is_some() {
        &["name", "norms", "access", "goal", "searches", REFERENCE, SUMMARY]
    } else {
        &["name", "norms", "fitted on", "source", SUMMARY, REFERENCE]
    };
    let fields = || order.iter().filter(|field| first.get(field).is_some());
    let line = |entry: &Value| {
        fields().map(|field| entry[*field].as_str().unwrap_or_default().to_owned()).collect()
    };
    let head = fields().map(|field| (*field).to_owned()).collect();
    std::iter::once(head).chain(entries.iter().map(line)).collect()
}

const SUMMARY: &str = "summary";
const REFERENCE: &str = "reference";

/// Width of a listing.
const WIDTH: usize = 140;

/// A reference as wide as this stays on one line.
const REFERENCE_WIDTH: usize = 30;

/// Narrowest summary.
const LEAST_SUMMARY: usize = 30;

/// The table with its head in capitals and its long cells on several lines, so that it is no wider
/// than [`WIDTH`].
fn folded(mut table: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let Some(head) = table.first_mut() else { return table };
    let place = |name: &str| head.iter().position(|field| field == name);
    let (reference, summary) = (place(REFERENCE), place(SUMMARY));
    for field in head.iter_mut() {
        *field = field.to_uppercase();
    }
    if let Some(column) = reference {
        table = fold(table, column, REFERENCE_WIDTH);
    }
    if let Some(column) = summary {
        let widths = (0..table[0].len())
            .filter(|other| *other != column)
            .map(|other| 2 + table.iter().map(|row| row[other].chars().count()).max().unwrap_or(0));
        let left = WIDTH.saturating_sub(widths.sum()).max(LEAST_SUMMARY);
        table = fold(table, column, left);
    }
    table
}

/// The rows with one column broken into lines of `width`; a row may have lines already, which
/// begin with an empty cell.
fn fold(table: Vec<Vec<String>>, column: usize, width: usize) -> Vec<Vec<String>> {
    let mut folded: Vec<Vec<String>> = Vec::new();
    let mut rows = table.into_iter().peekable();
    while let Some(first) = rows.next() {
        let lines = output::wrapped(&first[column], width);
        let mut own = vec![first];
        while let Some(next) = rows.next_if(|row| row[0].is_empty()) {
            own.push(next);
        }
        let count = own.len().max(lines.len());
        own.resize(count, vec![String::new(); own[0].len()]);
        for (row, line) in own.iter_mut().zip(lines) {
            row[column] = line;
        }
        folded.extend(own);
    }
    folded
}

/// A Markdown table with links to the references.
fn markdown(table: &[Vec<String>]) -> Vec<String> {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let Some((head, rows)) = table.split_first() else { return Vec::new() };
    let mut lines = vec![line(head.clone()), line(vec!["---".into(); head.len()])];
    lines.extend(rows.iter().map(|row| {
        let cells = head.iter().zip(row).map(|(field, cell)| match field.as_str() {
            "name" => format!("`{cell}`"),
            REFERENCE => cell.split(", ").map(link).collect::<Vec<_>>().join(", "),
            _ => cell.clone(),
        });
        line(cells.collect())
    }));
    lines
}

/// A reference with its address, where it has one.
fn link(reference: &str) -> String {
    let address = match reference.split_once(':') {
        Some(("arXiv", id)) => format!("https://arxiv.org/abs/{id}"),
        Some(("doi", id)) => format!("https://doi.org/{id}"),
        Some(("http" | "https", _)) => return format!("<{reference}>"),
        _ => return reference.to_owned(),
    };
    format!("[{reference}]({address})")
}
