//! `[[certify]]`: a name of the table of certifiers and its hyperparameters.
use duress_certification::{CERTIFIERS, Certifier, find};
use duress_core::Epsilon;

use super::text::{effective, one_line, take_name};

/// One certifier with its hyperparameters.
#[derive(Debug)]
pub struct CertifierPlan {
    /// Name in the table of certifiers.
    pub name: &'static str,
    /// The certifier.
    pub certifier: Box<dyn Certifier>,
    /// All hyperparameters, defaults included.
    pub config: serde_json::Value,
    /// The models to certify.
    pub models: Vec<String>,
    /// Test samples, from the start; all if missing.
    pub samples: Option<usize>,
    /// Radii of the table.
    pub radii: Vec<Epsilon>,
}

pub(super) fn check_all(
    tables: Vec<toml::Table>,
    models: &[&str],
) -> Result<Vec<CertifierPlan>, String> {
    let mut plans: Vec<CertifierPlan> = Vec::new();
    for table in tables {
        let plan = check(table, models)?;
        let again = |other: &&CertifierPlan| {
            (other.name, &other.config) == (plan.name, &plan.config)
                && other.models.iter().any(|model| plan.models.contains(model))
        };
        if plans.iter().find(again).is_some() {
            return Err(format!(
                "in [[certify]] `{}`: a second table with the same hyperparameters for a model; \
                 put all `radii` into one",
                plan.name
            ));
        }
        plans.push(plan);
    }
    Ok(plans)
}

fn check(mut table: toml::Table, known: &[&str]) -> Result<CertifierPlan, String> {
    let name = take_name(&mut table, "[[certify]]")?;
    let Some(entry) = find(&name) else {
        let known: Vec<_> = CERTIFIERS.iter().map(|entry| entry.name).collect();
        return Err(format!("[[certify]]: no certifier `{name}`; known: {}", known.join(", ")));
    };
    let at = |reason: &str| format!("in [[certify]] `{name}`: {}", one_line(reason));
    let models: Vec<String> = match table.remove("models") {
        Some(value) => value.try_into().map_err(|e| at(&format!("`models`: {e}")))?,
        None => known.iter().map(ToString::to_string).collect(),
    };
    if let Some(model) = models.iter().find(|model| !known.contains(&model.as_str())) {
        return Err(at(&format!("no model `{model}`; known: {}", known.join(", "))));
    }
    let samples = match table.remove("samples") {
        None => None,
        Some(toml::Value::Integer(samples)) if samples >= 1 => Some(samples as usize),
        Some(other) => return Err(at(&format!("`samples` must be at least 1, got {other}"))),
    };
    let radii: Vec<Epsilon> = match table.remove("radii") {
        Some(value) => value.try_into().map_err(|e| at(&format!("`radii`: {e}")))?,
        None => return Err(at("`radii` is missing: the radii of the table")),
    };
    if radii.is_empty() || !radii.is_sorted_by(|a, b| a < b) {
        return Err(at("`radii` must ascend and name at least one radius"));
    }
    let config = effective((entry.defaults)(), &table);
    let certifier = (entry.parse)(table).map_err(|error| at(&error.to_string()))?;
    certifier.check().map_err(|error| at(&error.to_string()))?;
    Ok(CertifierPlan { name: entry.name, certifier, config, models, samples, radii })
}
