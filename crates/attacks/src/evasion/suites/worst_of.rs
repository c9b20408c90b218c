//! The worst case over any list of attacks.
use duress_core::{Access, Attack, Norm, WorstOf};
use serde::Deserialize;
use serde::de::Error as _;

use crate::table::{Entry, find};

/// The parameters: tables as in an experiment, each with a `name` and perhaps a `label`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    attacks: Vec<toml::Table>,
}

pub(crate) const ENTRY: Entry = Entry {
    name: "worst-of",
    summary: "the attacks of a list, each on what the ones before it left",
    reference: "arXiv:2003.01690",
    norms: &Norm::ALL,
    access: Access::Gradients,
    targeted: true,
    defaults,
    parse,
};

/// The list of one: `AutoAttack`.
fn defaults() -> toml::Table {
    let mut one = toml::Table::new();
    one.insert("name".into(), "autoattack-standard".into());
    let mut table = toml::Table::new();
    table.insert("attacks".into(), toml::Value::Array(vec![one.into()]));
    table
}

fn parse(mut table: toml::Table) -> Result<Attack, toml::de::Error> {
    if table.is_empty() {
        table = defaults();
    }
    let Parameters { attacks } = table.try_into()?;
    if attacks.is_empty() {
        return Err(toml::de::Error::custom("`attacks` must name at least one attack"));
    }
    let mut members: Vec<(String, Attack)> = Vec::new();
    for mut attack in attacks {
        let name = text(&mut attack, "name")?
            .ok_or_else(|| toml::de::Error::custom("an attack of the list has no `name`"))?;
        let label = text(&mut attack, "label")?.unwrap_or_else(|| name.clone());
        let entry =
            find(&name).ok_or_else(|| toml::de::Error::custom(format!("no attack `{name}`")))?;
        if members.iter().any(|(other, _)| *other == label) {
            let reason = format!("a second `{label}`: give it a `label` of its own");
            return Err(toml::de::Error::custom(reason));
        }
        let parsed = (entry.parse)(attack).map_err(|error| {
            toml::de::Error::custom(format!("in `{label}`: {}", error.message()))
        })?;
        members.push((label, parsed));
    }
    Ok(Attack::Suite(WorstOf::new(ENTRY.name, members)))
}

/// Takes a string out of the table.
fn text(table: &mut toml::Table, key: &str) -> Result<Option<String>, toml::de::Error> {
    match table.remove(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            Err(toml::de::Error::custom(format!("`{key}` must be a string, got {other}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Attack, toml::de::Error> {
        parse(toml::from_str(text).unwrap())
    }

    #[test]
    fn a_list_runs_in_its_order_under_the_norms_of_all() {
        let list =
            of("attacks = [{ name = \"ddn\" }, { name = \"pgd\", label = \"p\", steps = 3 }]");
        let list = list.unwrap();
        let labels: Vec<_> = list.stages(Norm::L2).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["ddn", "p"]);
        assert_eq!(list.algorithm().norms(), [Norm::L2]);
    }

    #[test]
    fn a_suite_within_keeps_its_place() {
        let text = "attacks = [{ name = \"fgm\" }, { name = \"autoattack-standard\" }]";
        let list = of(text).unwrap();
        let labels: Vec<_> = list.stages(Norm::Linf).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels[..2], ["fgm", "autoattack-standard/apgd-ce"]);
        assert_eq!(labels.len(), 5);
    }

    #[test]
    fn a_list_with_a_fault_says_which() {
        let message = |text: &str| of(text).unwrap_err().to_string();
        assert!(message("attacks = []").contains("at least one"));
        assert!(message("attacks = [{ steps = 3 }]").contains("no `name`"));
        assert!(message("attacks = [{ name = \"pdg\" }]").contains("no attack `pdg`"));
        let twice = "attacks = [{ name = \"pgd\" }, { name = \"pgd\" }]";
        assert!(message(twice).contains("a second `pgd`"));
        let inner = message("attacks = [{ name = \"pgd\", stepz = 3 }]");
        assert!(inner.contains("in `pgd`") && inner.contains("stepz"), "{inner}");
    }
}
