//! A user's own model and data: from flags and a card to the tables of an experiment.
use std::path::{Path, PathBuf};

use duress_evaluation::remote::Secret;
use toml::{Table, Value};

use super::{BadInput, Result};
use crate::arguments::{Model, Samples, Service};

/// What a model is.
pub(super) enum Kind {
    /// A network of an ONNX file.
    Network,
    /// A model of `duress train`, or weights whose layers the card names.
    Trained,
    /// A service or a program.
    Service,
}

/// The tables of an experiment that say what is attacked.
pub(super) struct Subject {
    /// Name of the model.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it answers with labels only.
    pub(super) labels_only: bool,
    pub(super) model: Table,
    pub(super) data: Table,
    pub(super) notes: Vec<String>,
}

impl Subject {
    /// The tables that flags and card give.
    pub(super) fn new(model: &Model, service: &Service, samples: &Samples) -> Result<Self> {
        let mut notes = Vec::new();
        let (kind, name, mut table) = place(&model.model)?;
        let mut card = card(model, &mut notes)?;
        let mut data = card.remove("data").map_or_else(|| Ok(Table::new()), as_table("data"))?;
        if let Kind::Service = kind {
            for key in ["http", "command", "settings"] {
                if let Some(own) = card.remove(key) {
                    merge(&mut table, key, as_table(key)(own)?);
                }
            }
            with_service(&mut table, model, service)?;
        } else {
            check_no_service(service)?;
        }
        if let Kind::Trained = kind {
            for key in ["architecture", "normalization", "keys"] {
                if let Some(own) = card.remove(key) {
                    table.insert(key.into(), own);
                }
            }
            let ours = model.model.to_lowercase().ends_with(".safetensors");
            if !ours && !table.contains_key("architecture") {
                return Err(BadInput(format!(
                    "{}: weights say nothing of the layers: export the model with \
                     torch.onnx.export and give the .onnx file, or give a --card with the \
                     `architecture`",
                    model.model
                ))
                .into());
            }
        }
        if let Kind::Network = kind {
            for key in ["input", "input_name", "output_name"] {
                if let Some(own) = card.remove(key) {
                    table.insert(key.into(), own);
                }
            }
            with_input(&mut table, model);
        } else {
            check_no_input(model, &kind)?;
        }
        if let Some(key) = card.keys().next() {
            let reason = format!("the model card has `{key}`, which is nothing for this model");
            return Err(BadInput(reason).into());
        }
        with_samples(&mut data, samples)?;
        table.insert("name".into(), text(&name));
        let answers = |table: &Table| {
            let settings = table.get("settings").and_then(Value::as_table);
            settings.and_then(|own| own.get("output")).and_then(Value::as_str) == Some("labels")
        };
        let labels_only = answers(&table);
        Ok(Self { name, kind, labels_only, model: table, data, notes })
    }
}

/// The bearer token, from where the user keeps it.
pub(super) fn token(service: &Service) -> Result<Option<Secret>> {
    let given = match (&service.token_file, &service.token_env) {
        (Some(path), _) => {
            let read = std::fs::read_to_string(path);
            Some(read.map_err(|error| BadInput(format!("{}: {error}", path.display())))?)
        }
        (None, Some(name)) => {
            let set = std::env::var(name);
            Some(set.map_err(|_| BadInput(format!("--token-env: `{name}` is not set")))?)
        }
        (None, None) => None,
    };
    let secret = given.map(|token| Secret::new(token.trim())).transpose();
    Ok(secret.map_err(|error| BadInput(error.to_string()))?)
}

/// What a model is, its name, and the table that says where it is.
fn place(given: &str) -> Result<(Kind, String, Table)> {
    let one = |key: &str, value: Value| Table::from_iter([(key.to_owned(), value)]);
    if given.starts_with("http://") || given.starts_with("https://") {
        let table = one("http", Value::Table(one("url", text(given))));
        return Ok((Kind::Service, "service".into(), table));
    }
    if let Some(command) = given.strip_prefix("cmd:") {
        let table = one("command", Value::Table(one("command", text(command))));
        return Ok((Kind::Service, "program".into(), table));
    }
    let path = Path::new(given);
    let ending = path.extension().map(|kind| kind.to_string_lossy().to_lowercase());
    let kind = match ending.as_deref() {
        Some("onnx") => Kind::Network,
        Some("safetensors" | "pt" | "pth" | "bpk") => Kind::Trained,
        _ => {
            return Err(BadInput(format!(
                "--model {given}: expected a file that ends in .onnx, .safetensors, .pt, .pth or .bpk, \
                 an address \
                 that begins with http:// or https://, or a program as cmd:\"...\""
            ))
            .into());
        }
    };
    if !path.is_file() {
        return Err(BadInput(format!("--model {given}: there is no such file")).into());
    }
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
    Ok((kind, stem, one("file", text(given))))
}

/// The model card: the given one, or the one that lies beside the model.
fn card(model: &Model, notes: &mut Vec<String>) -> Result<Table> {
    let path = if let Some(path) = &model.card {
        path.clone()
    } else {
        let beside = Path::new(&model.model).with_extension("toml");
        if !Path::new(&model.model).is_file() || !beside.is_file() {
            return Ok(Table::new());
        }
        notes.push(format!("model card {}", beside.display()));
        beside
    };
    let fault = |reason: String| BadInput(format!("{}: {reason}", path.display()));
    let read = std::fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?;
    let parsed: std::result::Result<Table, _> = read.parse();
    Ok(parsed.map_err(|error| fault(crate::output::one_line(error.message())))?)
}

fn as_table(key: &str) -> impl Fn(Value) -> Result<Table> {
    let key = key.to_owned();
    move |value| match value {
        Value::Table(table) => Ok(table),
        other => {
            Err(BadInput(format!("the model card's `{key}` must be a table, got {other}")).into())
        }
    }
}

/// Puts the keys of `more` into the table `key`.
fn merge(table: &mut Table, key: &str, more: Table) {
    let own = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(own) = own {
        for (key, value) in more {
            own.entry(key).or_insert(value);
        }
    }
}

fn set(table: &mut Table, key: &str, field: &str, value: Option<Value>) {
    if let Some(value) = value {
        let own = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(own) = own {
            own.insert(field.into(), value);
        }
    }
}

fn with_input(table: &mut Table, model: &Model) {
    let floats = |values: &[f64]| {
        (!values.is_empty()).then(|| Value::Array(values.iter().map(|&one| one.into()).collect()))
    };
    set(table, "input", "layout", model.layout.as_deref().map(text));
    set(table, "input", "scale", model.scale.map(Value::Float));
    set(table, "input", "mean", floats(&model.mean));
    set(table, "input", "std", floats(&model.std));
    for (key, name) in [("input_name", &model.input_name), ("output_name", &model.output_name)] {
        if let Some(name) = name {
            table.insert(key.into(), text(name));
        }
    }
}

/// Flags about a network's input mean nothing to other models.
fn check_no_input(model: &Model, kind: &Kind) -> Result<()> {
    let service = matches!(kind, Kind::Service);
    let given = [
        ("--layout", model.layout.is_some() && !service),
        ("--scale", model.scale.is_some() && !service),
        ("--mean", !model.mean.is_empty() && !service),
        ("--input-name", model.input_name.is_some() && !service),
        ("--output-name", model.output_name.is_some() && !service),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(BadInput(format!("{flag} is for an .onnx file: this model knows its input")).into())
        }
        None => Ok(()),
    }
}

fn check_no_service(service: &Service) -> Result<()> {
    let given = [
        ("--protocol", service.protocol.is_some()),
        ("--answers", service.answers.is_some()),
        ("--sample-shape", !service.sample_shape.is_empty()),
        ("--token-file", service.token_file.is_some()),
        ("--token-env", service.token_env.is_some()),
        ("--requests-per-second", service.requests_per_second.is_some()),
        ("--rows-per-request", service.rows_per_request.is_some()),
        ("--timeout", service.timeout.is_some()),
        ("--retries", service.retries.is_some()),
        ("--one-batch", service.one_batch),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(BadInput(format!("{flag} is for a service: http://... or cmd:\"...\"")).into())
        }
        None => Ok(()),
    }
}

fn with_service(table: &mut Table, model: &Model, service: &Service) -> Result<()> {
    let http = table.contains_key("http");
    let key = if http { "http" } else { "command" };
    let integer = |value: usize| Value::Integer(value as i64);
    let wrong = |flag: &str, what: &str| Err(BadInput(format!("{flag} is for {what}")).into());
    if http {
        if service.one_batch {
            return wrong("--one-batch", "a program: cmd:\"...\"");
        }
        set(table, key, "protocol", service.protocol.as_deref().map(text));
        set(table, key, "input", model.input_name.as_deref().map(text));
        set(table, key, "output", model.output_name.as_deref().map(text));
    } else {
        if service.protocol.is_some() {
            return wrong("--protocol", "a service: http://...");
        }
        if service.token_file.is_some() || service.token_env.is_some() {
            return wrong("a token", "a service: http://...");
        }
        if service.one_batch {
            set(table, key, "one_batch", Some(Value::Boolean(true)));
        }
    }
    set(table, key, "timeout_seconds", service.timeout.map(Value::Float));
    set(table, "settings", "output", service.answers.as_deref().map(text));
    set(table, "settings", "requests_per_second", service.requests_per_second.map(Value::Float));
    set(table, "settings", "rows_per_request", service.rows_per_request.map(integer));
    if let Some(retries) = service.retries {
        let retry = Table::from_iter([("retries".into(), Value::Integer(i64::from(retries)))]);
        set(table, "settings", "retry", Some(Value::Table(retry)));
    }
    let mut sample = Table::new();
    if !service.sample_shape.is_empty() {
        let sides = service.sample_shape.iter().map(|&side| integer(side)).collect();
        sample.insert("shape".into(), Value::Array(sides));
    }
    if model.layout.as_deref() == Some("nhwc") {
        sample.insert("channels_last".into(), Value::Boolean(true));
    }
    let mut units = None;
    if !model.mean.is_empty() {
        let floats = |values: &[f64]| Value::Array(values.iter().map(|&one| one.into()).collect());
        units = Some(Table::from_iter([
            ("kind".into(), text("standardized")),
            ("mean".into(), floats(&model.mean)),
            ("std".into(), floats(&model.std)),
        ]));
    }
    if let Some(scale) = model.scale {
        match scale {
            scale if model.mean.is_empty() => {
                let list = |value: f64| Value::Array(vec![Value::Float(value)]);
                units = Some(Table::from_iter([
                    ("kind".into(), text("scaled")),
                    ("scale".into(), list(scale)),
                    ("offset".into(), list(0.0)),
                ]));
            }
            _ => return wrong("--scale together with --mean", "an .onnx file"),
        }
    }
    if let Some(units) = units {
        sample.insert("units".into(), Value::Table(units));
    }
    if !sample.is_empty() {
        set(table, "settings", "sample", Some(Value::Table(sample)));
    }
    Ok(())
}

fn with_samples(data: &mut Table, samples: &Samples) -> Result<()> {
    let path = Path::new(&samples.data);
    let known = duress_evaluation::datasets::find(&samples.data).is_ok();
    if path.exists() || !known {
        if !path.exists() {
            let names: Vec<_> =
                duress_evaluation::datasets::DATASETS.iter().map(|entry| entry.name).collect();
            return Err(BadInput(format!(
                "--data {}: there is no such file or folder, and no data set of that name; \
                 known: {}",
                samples.data,
                names.join(", ")
            ))
            .into());
        }
        data.insert("path".into(), text(&samples.data));
    } else {
        // Whatever a card says of files is not about a known set.
        data.clear();
        data.insert("name".into(), text(&samples.data));
        if let Some(limit) = samples.limit {
            data.insert("test".into(), Value::Integer(i64::from(limit)));
        }
    }
    let file = |path: &Option<PathBuf>| path.as_deref().map(|path| text(&path.to_string_lossy()));
    let word = |word: &Option<String>| word.as_deref().map(text);
    let list = |values: Vec<Value>| (!values.is_empty()).then_some(Value::Array(values));
    let integers =
        |values: &[usize]| values.iter().map(|&one| Value::Integer(one as i64)).collect();
    let given = [
        ("labels", file(&samples.labels)),
        ("keys", list(samples.keys.iter().map(|key| text(key)).collect())),
        ("part", word(&samples.part)),
        ("format", word(&samples.data_format)),
        ("kind", word(&samples.data_kind)),
        ("arrangement", word(&samples.data_layout)),
        ("shape", list(integers(&samples.data_shape))),
        ("units", word(&samples.units)),
        (
            "bounds",
            list(samples.bounds.iter().map(|&bound| Value::Float(f64::from(bound))).collect()),
        ),
        ("schema", file(&samples.schema)),
        ("label_column", word(&samples.label_column)),
        ("label_pattern", word(&samples.label_pattern)),
        ("label_offset", samples.label_offset.map(Value::Integer)),
        ("classes", file(&samples.classes)),
        (
            "resize",
            list(samples.resize.iter().map(|&side| Value::Integer(i64::from(side))).collect()),
        ),
        ("channels", samples.channels.map(|channels| Value::Integer(channels as i64))),
    ];
    for (key, value) in given {
        if let Some(value) = value {
            if !data.contains_key("path") {
                let reason = format!(
                    "--{} is for files, and `{}` is a known data set",
                    flag(key),
                    samples.data
                );
                return Err(BadInput(reason).into());
            }
            data.insert(key.into(), value);
        }
    }
    if let (Some(limit), true) = (samples.limit, data.contains_key("path")) {
        data.insert("test".into(), Value::Integer(i64::from(limit)));
    }
    Ok(())
}

/// The flag of a key of the data.
fn flag(key: &str) -> String {
    match key {
        "format" | "kind" | "shape" => format!("data-{key}"),
        "arrangement" => "data-layout".into(),
        _ => key.replace('_', "-"),
    }
}

pub(super) fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}
