//! `[[certify]]`: a name of the table of certifiers and its hyperparameters.
use duress_certification::{CERTIFIERS, Certification, find};
use duress_core::Epsilon;

use super::model::ModelPlan;
use super::text::{effective, one_line, take_name};

/// One certifier with its hyperparameters.
#[derive(Debug)]
pub struct CertifierPlan {
    /// Name in the table of certifiers.
    pub name: &'static str,
    /// The certifier.
    pub certifier: Certification,
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
    models: &[ModelPlan],
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

fn check(mut table: toml::Table, known: &[ModelPlan]) -> Result<CertifierPlan, String> {
    let name = take_name(&mut table, "[[certify]]")?;
    let Some(entry) = find(&name) else {
        let known: Vec<_> = CERTIFIERS.iter().map(|entry| entry.name).collect();
        return Err(format!("[[certify]]: no certifier `{name}`; known: {}", known.join(", ")));
    };
    let at = |reason: &str| format!("in [[certify]] `{name}`: {}", one_line(reason));
    let models: Option<Vec<String>> = match table.remove("models") {
        Some(value) => Some(value.try_into().map_err(|e| at(&format!("`models`: {e}")))?),
        None => None,
    };
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
    let proves = matches!(certifier, Certification::Proved(_));
    let apt = |plan: &&ModelPlan| !proves || plan.source.is_network();
    let names = |plans: &mut dyn Iterator<Item = &ModelPlan>| -> Vec<String> {
        plans.map(|plan| plan.name.clone()).collect()
    };
    let models = match models {
        None => names(&mut known.iter().filter(apt)),
        Some(models) => models,
    };
    for name in &models {
        let Some(plan) = known.iter().find(|plan| plan.name == *name) else {
            let known = names(&mut known.iter()).join(", ");
            return Err(at(&format!("no model `{name}`; known: {known}")));
        };
        if !apt(&plan) {
            return Err(at(&format!(
                "it needs the operations of a network, and `{name}` is no network that was \
                 trained here or read from a file"
            )));
        }
    }
    if models.is_empty() {
        return Err(at("there is no network that was trained here or read from a file"));
    }
    Ok(CertifierPlan { name: entry.name, certifier, config, models, samples, radii })
}
