//! `duress list`: the tables of the crates.
use duress_evaluation::attacks::ATTACKS;
use duress_evaluation::certification::CERTIFIERS;
use duress_evaluation::core::{Norm, device};
use duress_evaluation::datasets::DATASETS;
use duress_evaluation::defenses::DEFENSES;
use duress_evaluation::models::ARCHITECTURES;
use serde_json::{Value, json};

use super::Result;
use crate::arguments::{Kind, List};
use crate::output;

pub(super) fn list(arguments: &List) -> Result<()> {
    let all = [
        Kind::Attacks,
        Kind::Defenses,
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
        let entries = entries(*kind);
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
        for line in output::columns(&table(&entries)) {
            output::line(&line)?;
        }
    }
    Ok(())
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Attacks => "attacks",
        Kind::Defenses => "defenses",
        Kind::Certifiers => "certifiers",
        Kind::Datasets => "datasets",
        Kind::Models => "models",
        Kind::Devices => "devices",
    }
}

fn entries(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Attacks => ATTACKS
            .iter()
            .map(|entry| {
                let goals = if entry.targeted { "untargeted, targeted" } else { "untargeted" };
                json!({
                    "name": entry.name,
                    "norms": norms(entry.norms),
                    "access": entry.access.to_string(),
                    "goal": goals,
                    "summary": entry.summary,
                    "reference": entry.reference,
                })
            })
            .collect(),
        Kind::Defenses => DEFENSES
            .iter()
            .map(|entry| {
                let (name, summary) = (entry.name, entry.summary);
                json!({ "name": name, "summary": summary, "reference": entry.reference })
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
    }
}

fn norms(norms: &[Norm]) -> String {
    norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A head of field names, then a line an entry. All entries have the fields of the first.
fn table(entries: &[Value]) -> Vec<Vec<String>> {
    let order = ["name", "norms", "access", "goal", "source", "summary", "reference"];
    let Some(first) = entries.first() else { return Vec::new() };
    let fields: Vec<&str> = order.into_iter().filter(|field| first.get(field).is_some()).collect();
    let line = |entry: &Value| {
        let text = |field: &&str| entry[*field].as_str().unwrap_or_default().to_owned();
        fields.iter().map(text).collect()
    };
    let head = fields.iter().map(|field| field.to_uppercase()).collect();
    std::iter::once(head).chain(entries.iter().map(line)).collect()
}
