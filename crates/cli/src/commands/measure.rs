//! `duress attack` and `duress certify`: an experiment with one model, from flags.
use std::path::Path;

use duress_evaluation::Error;
use duress_evaluation::core::{Epsilon, Norm};
use toml::{Table, Value};

use super::run::{execute, parse};
use super::subject::text;
use super::{BadInput, Result};
use crate::arguments::{Attack, Certify, Subject};

pub(super) fn attack(arguments: Attack) -> Result<()> {
    let attacks = attacks(&arguments.attacks, arguments.config.as_deref())?;
    if attacks.is_empty() {
        return Err(BadInput("give --attack NAME or --config FILE".into()).into());
    }
    let threat = threat(arguments.norm, arguments.epsilon);
    let more = [("threat".to_owned(), threat), ("attack".to_owned(), Value::Array(attacks))];
    measure(arguments.subject, "attack", more)
}

pub(super) fn certify(arguments: Certify) -> Result<()> {
    let (names, radii) = (&arguments.certifiers, &arguments.radii);
    let mut certifiers = certifiers(names, arguments.config.as_deref(), radii)?;
    if certifiers.is_empty() {
        certifiers = self::certifiers(&["smoothing".to_owned()], None, radii)?;
    }
    measure(arguments.subject, "certify", [("certify".to_owned(), Value::Array(certifiers))])
}

/// The `[[attack]]` tables: attacks by name with their defaults, then those of a file.
pub(super) fn attacks(names: &[String], config: Option<&Path>) -> Result<Vec<Value>> {
    let mut attacks: Vec<Value> = names.iter().map(|name| named(name)).collect();
    if let Some(path) = config {
        attacks.extend(tables(path, "attack")?);
    }
    Ok(attacks)
}

/// The `[[certify]]` tables: certifiers by name with their defaults, then those of a file.
pub(super) fn certifiers(
    names: &[String],
    config: Option<&Path>,
    radii: &[Epsilon],
) -> Result<Vec<Value>> {
    let mut certifiers: Vec<Value> = names.iter().map(|name| named(name)).collect();
    if let Some(path) = config {
        certifiers.extend(tables(path, "certify")?);
    }
    let radii = ascending(radii.to_vec());
    for certifier in certifiers.iter_mut().filter_map(Value::as_table_mut) {
        certifier.insert("radii".into(), Value::Array(radii.clone()));
    }
    Ok(certifiers)
}

/// A table with nothing but a name.
pub(super) fn named(name: &str) -> Value {
    Value::Table(Table::from_iter([("name".into(), text(name))]))
}

/// The one `[[threat]]`: the largest radius is that of the verdict.
pub(super) fn threat(norm: Norm, radii: Vec<Epsilon>) -> Value {
    let radii = ascending(radii);
    let headline = radii.last().cloned().unwrap_or(Value::Float(0.0));
    let threat = Table::from_iter([
        ("norm".into(), text(&norm.to_string())),
        ("epsilons".into(), Value::Array(radii)),
        ("headline".into(), headline),
    ]);
    Value::Array(vec![Value::Table(threat)])
}

/// The radii in ascending order, each once.
fn ascending(mut radii: Vec<Epsilon>) -> Vec<Value> {
    radii.sort_by(|a, b| a.get().total_cmp(&b.get()));
    radii.dedup();
    radii.into_iter().map(|radius| Value::Float(radius.get())).collect()
}

fn measure(
    subject: Subject,
    what: &str,
    more: impl IntoIterator<Item = (String, Value)>,
) -> Result<()> {
    let stem = subject.model.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_else(|| "model".into());
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .collect();
    let mut data = Table::from_iter([("name".into(), text(&subject.data))]);
    if let Some(limit) = subject.limit {
        data.insert("test".into(), Value::Integer(i64::from(limit)));
    }
    let Some(file) = subject.model.to_str() else {
        let reason = format!("{}: the path of a model must be Unicode", subject.model.display());
        return Err(BadInput(reason).into());
    };
    let model = Table::from_iter([("name".into(), text(&stem)), ("file".into(), text(file))]);
    let mut experiment = Table::from_iter([
        ("name".into(), text(&format!("{what}-{plain}"))),
        ("title".into(), text(&format!("{what}: {stem} on {}", subject.data))),
        ("seed".into(), Value::Integer(i64::from(subject.seed))),
        ("data".into(), Value::Table(data)),
        ("model".into(), Value::Array(vec![Value::Table(model)])),
    ]);
    experiment.extend(more);
    let experiment = parse(&toml::to_string(&experiment)?, &subject.model)?;
    execute(&experiment, &subject.place, &subject.target, Path::new("duress-runs"))
}

/// The tables `[[kind]]` of a file, which holds nothing else.
fn tables(path: &Path, kind: &str) -> Result<Vec<Value>> {
    let fault = |reason: String| Error::Experiment { path: path.to_owned(), reason };
    let read = std::fs::read_to_string(path);
    let content = read.map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let mut file: Table = content.parse().map_err(|error: toml::de::Error| {
        fault(error.message().split_whitespace().collect::<Vec<_>>().join(" "))
    })?;
    let own = file.remove(kind);
    if let Some(key) = file.keys().next() {
        return Err(fault(format!("unknown key `{key}`; expected [[{kind}]] tables")).into());
    }
    match own {
        Some(Value::Array(tables)) if !tables.is_empty() => Ok(tables),
        _ => Err(fault(format!("expected at least one [[{kind}]] table")).into()),
    }
}
