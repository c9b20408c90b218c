//! `[[attack]]`: a name of the table of attacks and its hyperparameters.
use std::sync::Arc;

use duress_attacks::{ATTACKS, find};
use duress_core::{Attack, Norm};
use duress_defenses::generative::{LatentAttack, LatentMap};

use super::text::{check_part, effective, one_line, take_name};
use super::threat::ThreatPlan;

/// One attack with its hyperparameters.
#[derive(Debug)]
pub struct AttackPlan {
    /// Name in rows: that of the table, or `label` where the file gives one.
    pub label: String,
    /// Name in the table of attacks.
    pub name: &'static str,
    /// The attack.
    pub attack: Attack,
    /// All hyperparameters, defaults included.
    pub config: serde_json::Value,
    /// Most queries on each sample.
    pub budget: Option<u64>,
    /// The model that the adversary has in place of the attacked one: a transfer attack.
    pub surrogate: Option<String>,
    /// Draws that a gradient of a random model is averaged over; [`AttackPlan::DRAWS`] if missing.
    pub model_draws: Option<u32>,
    /// Whether the adversary knows of the transformation in front of a model.
    pub aware: bool,
}

impl AttackPlan {
    /// Draws of an expectation, unless the file says otherwise: those of `AutoAttack`.
    pub const DRAWS: u32 = 20;

    /// The attack in the latent space of a model's own generator, which runs where a model has one.
    pub(crate) fn latent(map: Arc<dyn LatentMap>) -> Self {
        let attack = LatentAttack::new(map);
        Self {
            label: LatentAttack::NAME.into(),
            name: LatentAttack::NAME,
            config: attack.parameters(),
            attack: Attack::Gradient(Box::new(attack)),
            budget: None,
            surrogate: None,
            model_draws: None,
            aware: true,
        }
    }

    /// Whether gradients are those of the network without the transformation in front of it: one
    /// who does not know of it has no others, and rows of a generator pass it as they are.
    pub(crate) fn passes_by(&self) -> bool {
        !self.aware || self.name == LatentAttack::NAME
    }

    /// Whether the attack runs under threats of this norm.
    #[must_use]
    pub fn supports(&self, norm: Norm) -> bool {
        self.attack.algorithm().norms().contains(&norm)
    }
}

/// Labels that rows use for themselves.
const RESERVED: [&str; 4] = ["clean", "none", "worst-case", LatentAttack::NAME];

pub(super) fn check_all(
    tables: Vec<toml::Table>,
    threats: &[ThreatPlan],
    models: &[&str],
) -> Result<Vec<AttackPlan>, String> {
    let mut plans: Vec<AttackPlan> = Vec::new();
    for mut table in tables {
        let name = take_name(&mut table, "[[attack]]")?;
        let Some(entry) = find(&name) else {
            let known: Vec<_> = ATTACKS.iter().map(|entry| entry.name).collect();
            return Err(format!("[[attack]]: no attack `{name}`; known: {}", known.join(", ")));
        };
        let at = |reason: &str| format!("in [[attack]] `{name}`: {}", one_line(reason));
        let label = match table.remove("label") {
            None => name.clone(),
            Some(toml::Value::String(label)) => label,
            Some(other) => return Err(at(&format!("`label` must be a string, got {other}"))),
        };
        check_part("`label`", &label).map_err(|reason| at(&reason))?;
        if RESERVED.contains(&label.as_str()) {
            return Err(at(&format!("`label` must not be one of {}", RESERVED.join(", "))));
        }
        let budget = match table.remove("budget") {
            None => None,
            Some(toml::Value::Integer(budget)) if budget >= 0 => Some(budget as u64),
            Some(other) => return Err(at(&format!("`budget` must be at least 0, got {other}"))),
        };
        let model_draws = match table.remove("model_draws") {
            None => None,
            Some(toml::Value::Integer(draws @ 1..=100_000)) => Some(draws as u32),
            Some(other) => {
                return Err(at(&format!(
                    "`model_draws` must be between 1 and 100000, got {other}"
                )));
            }
        };
        let aware = match table.remove("aware") {
            None => true,
            Some(toml::Value::Boolean(aware)) => aware,
            Some(other) => return Err(at(&format!("`aware` must be true or false, got {other}"))),
        };
        let surrogate = match table.remove("surrogate") {
            None => None,
            Some(toml::Value::String(name)) if models.contains(&name.as_str()) => Some(name),
            Some(toml::Value::String(name)) => {
                let known = models.join(", ");
                return Err(at(&format!("`surrogate`: no [[model]] `{name}`; known: {known}")));
            }
            Some(other) => {
                return Err(at(&format!("`surrogate` must be a string, got {other}")));
            }
        };
        if surrogate.is_some() && models.len() == 1 {
            return Err(at("`surrogate` needs a second [[model]] to hand the examples to"));
        }
        if surrogate.is_some() && !aware {
            return Err(at("`aware = false` is of an attack without a `surrogate`"));
        }
        let config = effective((entry.defaults)(), &table);
        let attack = (entry.parse)(table).map_err(|error| at(&error.to_string()))?;
        let norms = attack.algorithm().norms();
        if !threats.is_empty() && !threats.iter().any(|threat| norms.contains(&threat.norm)) {
            let norms: Vec<_> = norms.iter().map(ToString::to_string).collect();
            let threats: Vec<_> = threats.iter().map(|threat| threat.norm.to_string()).collect();
            return Err(at(&format!(
                "it supports {}, the threats are {}",
                norms.join(", "),
                threats.join(", ")
            )));
        }
        if budget.is_some() && matches!(attack, Attack::Suite(_)) {
            return Err(at("`budget` is for one attack, not for a suite"));
        }
        if plans.iter().any(|plan| plan.label == label) {
            return Err(at(&format!("a second `{label}`; give it a `label` of its own")));
        }
        let name = entry.name;
        let plan =
            AttackPlan { label, name, attack, config, budget, surrogate, model_draws, aware };
        plans.push(plan);
    }
    Ok(plans)
}
