//! `[[detector]]`: a name of the table of detectors, what it is fitted on and measured against.
use duress_core::{Attack, Norm};
use duress_defenses::{DETECTORS, DetectionMethod, find_detector};

use super::attack::AttackPlan;
use super::text::{check_part, effective, one_line, take_name};
use super::threat::ThreatPlan;
use crate::run::WORST_CASE;

/// One detector with its hyperparameters.
#[derive(Debug)]
pub struct DetectorPlan {
    /// Name in rows: that of the table, or `label` where the file gives one.
    pub label: String,
    /// Name in the table of detectors.
    pub name: &'static str,
    /// How it is fitted.
    pub method: Box<dyn DetectionMethod>,
    /// All hyperparameters, defaults included.
    pub config: serde_json::Value,
    /// The models it watches.
    pub models: Vec<String>,
    /// Labels of the attacks on training samples that it is fitted on.
    pub fit: Vec<String>,
    /// Labels of the attacks on test samples that it is measured against.
    pub test: Vec<String>,
    /// Attacks on the model and the detector together.
    pub adaptive: Vec<AdaptivePlan>,
    /// Training samples, from the start.
    pub fit_samples: usize,
    /// False-positive rates that thresholds are set at.
    pub rates: Vec<f64>,
}

/// An attack on a model and its detector together.
#[derive(Debug)]
pub struct AdaptivePlan {
    /// Name in rows: that of the table, or `label` where the file gives one.
    pub label: String,
    /// Name in the table of attacks.
    pub name: &'static str,
    /// The attack, which may be a suite.
    pub attack: Attack,
    /// All hyperparameters, defaults included.
    pub config: serde_json::Value,
}

/// What runs where a file does not say: the table's attacks on a classifier and its detector.
const ADAPTIVE: [&str; 3] = ["joint-pgd", "orthogonal-pgd", "selective-pgd"];

const FIT_SAMPLES: usize = 1000;

const RATES: [f64; 2] = [0.01, 0.05];

impl DetectorPlan {
    /// The attacks of `all` that are named in `labels` and run under `norm`, in the file's order.
    pub(crate) fn chosen<'a>(
        all: &'a [AttackPlan],
        labels: &[String],
        norm: Norm,
    ) -> Vec<&'a AttackPlan> {
        all.iter().filter(|plan| labels.contains(&plan.label) && plan.supports(norm)).collect()
    }
}

pub(super) fn check_all(
    tables: Vec<toml::Table>,
    models: &[&str],
    attacks: &[AttackPlan],
    threats: &[ThreatPlan],
) -> Result<Vec<DetectorPlan>, String> {
    let mut plans: Vec<DetectorPlan> = Vec::new();
    for table in tables {
        let plan = check(table, models, attacks, threats)?;
        if plans.iter().any(|other| other.label == plan.label) {
            let (name, label) = (plan.name, &plan.label);
            return Err(format!(
                "in [[detector]] `{name}`: a second `{label}`; give it a `label` of its own"
            ));
        }
        plans.push(plan);
    }
    Ok(plans)
}

fn check(
    mut table: toml::Table,
    models: &[&str],
    attacks: &[AttackPlan],
    threats: &[ThreatPlan],
) -> Result<DetectorPlan, String> {
    let name = take_name(&mut table, "[[detector]]")?;
    let Some(entry) = find_detector(&name) else {
        let known: Vec<_> = DETECTORS.iter().map(|entry| entry.name).collect();
        return Err(format!("[[detector]]: no detector `{name}`; known: {}", known.join(", ")));
    };
    let at = |reason: &str| format!("in [[detector]] `{name}`: {}", one_line(reason));
    if attacks.is_empty() {
        return Err(at("it needs an [[attack]] to be measured against"));
    }
    let label: String = take(&mut table, "label", name.clone()).map_err(|reason| at(&reason))?;
    check_part("`label`", &label).map_err(|reason| at(&reason))?;
    let every = models.iter().map(ToString::to_string).collect();
    let watched: Vec<String> = take(&mut table, "models", every).map_err(|reason| at(&reason))?;
    if let Some(model) = watched.iter().find(|model| !models.contains(&model.as_str())) {
        return Err(at(&format!("no model `{model}`; known: {}", models.join(", "))));
    }
    let own = || attacks.iter().filter(|plan| plan.surrogate.is_none());
    let labels = || own().map(|plan| plan.label.clone()).collect::<Vec<_>>();
    let fit: Vec<String> = take(&mut table, "fit", Vec::new()).map_err(|reason| at(&reason))?;
    let test: Vec<String> = take(&mut table, "test", labels()).map_err(|reason| at(&reason))?;
    for (key, named) in [("fit", &fit), ("test", &test)] {
        if let Some(label) = named.iter().find(|label| !labels().contains(label)) {
            let known = labels().join(", ");
            return Err(at(&format!(
                "`{key}`: no [[attack]] `{label}` without a surrogate; known: {known}"
            )));
        }
    }
    if entry.supervised && fit.is_empty() {
        return Err(at("it is fitted on adversarial samples: `fit` must name an [[attack]]"));
    }
    for threat in threats.iter().filter(|_| !fit.is_empty()) {
        if DetectorPlan::chosen(attacks, &fit, threat.norm).is_empty() {
            return Err(at(&format!("no attack of `fit` supports the [[threat]] {}", threat.norm)));
        }
    }
    let given = table.contains_key("adaptive");
    let adaptive = match table.remove("adaptive") {
        None => {
            ADAPTIVE.iter().map(|name| adaptive(name.to_string(), toml::Table::new())).collect()
        }
        Some(value) => read_adaptive(value),
    };
    let adaptive: Vec<AdaptivePlan> = adaptive.map_err(|reason| at(&reason))?;
    let runs = |plan: &&AdaptivePlan| {
        let norms = plan.attack.algorithm().norms();
        threats.iter().any(|threat| norms.contains(&threat.norm))
    };
    if given && let Some(idle) = adaptive.iter().find(|plan| !runs(plan)) {
        let (label, norms) = (&idle.label, idle.attack.algorithm().norms());
        let norms: Vec<_> = norms.iter().map(ToString::to_string).collect();
        return Err(at(&format!(
            "`adaptive` `{label}` supports {}, and no [[threat]] is of these norms",
            norms.join(", ")
        )));
    }
    let fit_samples: usize =
        take(&mut table, "fit_samples", FIT_SAMPLES).map_err(|reason| at(&reason))?;
    if fit_samples == 0 {
        return Err(at("`fit_samples` must be at least 1, got 0"));
    }
    let rates: Vec<f64> =
        take(&mut table, "rates", RATES.to_vec()).map_err(|reason| at(&reason))?;
    let fine = rates.iter().all(|rate| (0.0..1.0).contains(rate));
    if rates.is_empty() || !fine || !rates.is_sorted_by(|a, b| a < b) {
        return Err(at("`rates` must ascend, at least 0 and below 1, and name at least one"));
    }
    let config = effective((entry.defaults)(), &table);
    let method = (entry.parse)(table).map_err(|error| at(&error.to_string()))?;
    method.check().map_err(|error| at(&error.to_string()))?;
    let (name, models) = (entry.name, watched);
    Ok(DetectorPlan {
        label,
        name,
        method,
        config,
        models,
        fit,
        test,
        adaptive,
        fit_samples,
        rates,
    })
}

/// The value under `key`, taken out of the table.
fn take<T: serde::de::DeserializeOwned>(
    table: &mut toml::Table,
    key: &str,
    missing: T,
) -> Result<T, String> {
    match table.remove(key) {
        None => Ok(missing),
        Some(value) => value.try_into().map_err(|error| format!("`{key}`: {error}")),
    }
}

fn read_adaptive(value: toml::Value) -> Result<Vec<AdaptivePlan>, String> {
    let tables: Vec<toml::Table> =
        value.try_into().map_err(|error| format!("`adaptive`: {error}"))?;
    let read = |mut table: toml::Table| {
        let name = take_name(&mut table, "`adaptive`")?;
        adaptive(name, table)
    };
    let plans: Vec<AdaptivePlan> = tables.into_iter().map(read).collect::<Result<_, _>>()?;
    for (place, plan) in plans.iter().enumerate() {
        if plans[..place].iter().any(|other| other.label == plan.label) {
            let label = &plan.label;
            return Err(format!("`adaptive` names `{label}` twice; give one a `label` of its own"));
        }
    }
    Ok(plans)
}

fn adaptive(name: String, mut table: toml::Table) -> Result<AdaptivePlan, String> {
    let Some(entry) = duress_attacks::find(&name) else {
        return Err(format!("`adaptive`: no attack `{name}`; see `duress list attacks`"));
    };
    let at = |reason: &str| format!("`adaptive` `{name}`: {reason}");
    let label = take(&mut table, "label", name.clone()).map_err(|reason| at(&reason))?;
    check_part("`label`", &label).map_err(|reason| at(&reason))?;
    if label == WORST_CASE {
        return Err(at(&format!("`label` must not be `{WORST_CASE}`")));
    }
    let config = effective((entry.defaults)(), &table);
    let attack = (entry.parse)(table).map_err(|error| at(&error.to_string()))?;
    if attack.algorithm().joint() {
        return Err(at("it makes one perturbation for many samples, and each sample is measured"));
    }
    Ok(AdaptivePlan { label, name: entry.name, attack, config })
}
