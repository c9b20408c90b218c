//! A suite whose parameters nobody can change without changing its name.
use std::fmt::Write;

use duress_core::{Attack, Member, Norm, WorstOf};
use serde::Serialize;
use serde::de::Error as _;
use sha2::{Digest, Sha256};

/// One member of a frozen suite: attack, label, norms, all parameters.
pub(super) struct Piece {
    label: &'static str,
    norms: &'static [Norm],
    parameters: toml::Table,
    attack: Attack,
}

impl Piece {
    /// `wrap` makes the attack of its parameters.
    pub(super) fn new<A: Serialize + Clone>(
        label: &'static str,
        name: &'static str,
        norms: &'static [Norm],
        parameters: &A,
        wrap: impl Fn(A) -> Attack,
    ) -> Self {
        let text = |norm: &Norm| toml::Value::String(norm.to_string());
        // A struct of numbers and names always has a table form.
        let mut table = toml::Table::try_from(parameters).unwrap_or_default();
        table.insert("label".into(), label.into());
        table.insert("name".into(), name.into());
        let norms_as_text: toml::value::Array = norms.iter().map(text).collect();
        table.insert("norms".into(), norms_as_text.into());
        Self { label, norms, parameters: table, attack: wrap(parameters.clone()) }
    }
}

/// The suite.
pub(super) fn suite(name: &'static str, pieces: Vec<Piece>) -> Attack {
    let member = |piece: Piece| Member {
        label: piece.label.into(),
        attack: piece.attack,
        norms: piece.norms.to_vec(),
    };
    Attack::Suite(WorstOf::by_norm(name, pieces.into_iter().map(member).collect()))
}

/// All parameters of all members, and their SHA-256.
pub(super) fn table(pieces: &[Piece]) -> toml::Table {
    let members: toml::value::Array =
        pieces.iter().map(|piece| toml::Value::Table(piece.parameters.clone())).collect();
    let mut table = toml::Table::new();
    table.insert("members".into(), members.into());
    let text = toml::to_string(&table).unwrap_or_default();
    let mut digest = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    table.insert("digest".into(), digest.into());
    table
}

/// The suite, if `given` is empty or states its parameters as they are.
pub(super) fn parse(
    name: &'static str,
    pieces: Vec<Piece>,
    given: &toml::Table,
) -> Result<Attack, toml::de::Error> {
    let own = table(&pieces);
    for (key, value) in given {
        let known = own.get(key).ok_or_else(|| {
            toml::de::Error::custom(format!(
                "unknown field `{key}`: `{name}` is frozen; for other parameters list the attacks \
                 in a `worst-of`"
            ))
        })?;
        if known != value {
            return Err(toml::de::Error::custom(format!(
                "`{key}` differs from the parameters of `{name}`, which is frozen; for other \
                 parameters list the attacks in a `worst-of`"
            )));
        }
    }
    Ok(suite(name, pieces))
}
