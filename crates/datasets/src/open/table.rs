//! CSV files, with a schema or with one that is told from the first line.
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};
use duress_core::Layout;

use super::arrays::{flat, planes_first};
use super::labels::Labels;
use super::raw::{Numbers, Raw};
use super::{Kind, Options, detect::beside};
use crate::csv_table::{self, Column, Kind as Holds, OnMissing, Schema};
use crate::npz::Arrangement;
use crate::{Error, Input, Result};

pub(super) fn csv(path: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Raw> {
    let file = path.display().to_string();
    let (schema, described) = match schema_file(path, options, notes) {
        Some(schema) => (read_schema(&schema)?, true),
        None => (infer(path, options, notes)?, false),
    };
    let open_classes = schema.classes.is_empty();
    let set = csv_table::dataset(&schema, Input::open(path)?).map_err(|error| match error {
        Error::Format { file, at, expected, got } if !described => {
            let schema = default_schema(path);
            let schema = schema.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let expected = format!(
                "{expected} (a schema, `{schema}` beside it, describes categories and missing values)"
            );
            Error::Format { file, at, expected, got }
        }
        error => error,
    })?;
    let features = set.features();
    let kind =
        options.kind.unwrap_or(if options.shape.is_some() { Kind::Image } else { Kind::Table });
    let layout = match kind {
        Kind::Table => Layout::Table { features },
        Kind::Waveform => Layout::Waveform { channels: 1, samples: features },
        Kind::Image => flat(&file, features, options)?,
    };
    let mut values = set.values().to_vec();
    if let (Layout::Image { channels, .. }, Some(Arrangement::ChannelsLast)) =
        (layout, options.arrangement)
    {
        values = planes_first(&values, features, channels);
    } else if options.arrangement.is_some() && kind != Kind::Image {
        let expected = "left out: rows of a CSV file have no axes, unless `shape` is given";
        return Err(Error::parameter("arrangement", expected, "a value"));
    }
    let is_table = kind == Kind::Table;
    let whole = values.iter().all(|value| value.fract() == 0.0);
    Ok(Raw {
        file,
        layout,
        numbers: if whole { Numbers::Integers } else { Numbers::Floats },
        labels: Labels::Names {
            indices: set.labels().to_vec(),
            names: set.class_names().to_vec(),
            numeric: open_classes && !described,
        },
        domain: (is_table && described).then(|| set.domain().clone()),
        feature_names: if is_table { set.feature_names().to_vec() } else { Vec::new() },
        values,
        ids: None,
    })
}

/// The given schema, or the one beside the file.
fn schema_file(path: &Path, options: &Options, notes: &mut Vec<String>) -> Option<PathBuf> {
    if let Some(given) = &options.schema {
        return Some(beside(path, given));
    }
    let found = Some(default_schema(path)).filter(|schema| schema.is_file())?;
    notes.push(format!("columns as described in {}", found.display()));
    Some(found)
}

/// `table.toml` for `table.csv` and `table.csv.gz`.
fn default_schema(path: &Path) -> PathBuf {
    let packed = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
    let plain = if packed { path.with_extension("") } else { path.to_owned() };
    plain.with_extension("toml")
}

fn read_schema(path: &Path) -> Result<Schema> {
    let mut input = Input::open(path)?.with_limit(SCHEMA_LIMIT);
    let text = String::from_utf8(input.rest()?);
    let wrong = |got: String| Error::format(input.name(), "schema", "a table description", got);
    let text = text.map_err(|error| wrong(error.to_string()))?;
    Schema::parse(&text).map_err(|error| match error {
        Error::Parameter { field: "schema", got, .. } => wrong(got),
        Error::Parameter { field, expected, got } => {
            Error::format(input.name(), format!("`{field}`"), expected, got)
        }
        error => error,
    })
}

/// A schema of number columns and one label, from the first line.
fn infer(path: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Schema> {
    let (delimiter, first) = first_record(path)?;
    let file = path.display().to_string();
    let cells: Vec<String> = first.iter().map(|cell| cell.trim().to_owned()).collect();
    if cells.len() < 2 {
        let expected = "at least two columns, separated by a comma, semicolon, tab or bar";
        return Err(Error::format(file, "line 1", expected, format!("`{}`", cells.join(""))));
    }
    let is_label = |cell: &String| match &options.label_column {
        Some(name) => cell == name,
        None => LABELS.contains(&&*cell.to_lowercase()),
    };
    let header =
        cells.iter().any(is_label) || !cells.iter().any(|cell| cell.parse::<f32>().is_ok());
    let candidates: Vec<usize> = (0..cells.len()).filter(|&at| is_label(&cells[at])).collect();
    let label = match (&candidates[..], &options.label_column) {
        ([at], _) => *at,
        ([], None) => cells.len() - 1,
        ([], Some(name)) => {
            let expected = format!("a column `{name}` (from `label_column`)");
            return Err(Error::format(file, "line 1", expected, cells.join(", ")));
        }
        (several, _) => {
            let names: Vec<_> = several.iter().map(|&at| format!("`{}`", cells[at])).collect();
            let expected = "one label column (give `label_column`)";
            return Err(Error::format(file, "line 1", expected, names.join(", ")));
        }
    };
    let name = |at: usize| if header { cells[at].clone() } else { format!("column_{}", at + 1) };
    let column = |at| Column {
        name: name(at),
        kind: if at == label { Holds::Label } else { Holds::Number },
        count: 1,
        immutable: false,
        values: Vec::new(),
        range: None,
        fill: None,
    };
    let place =
        if header { format!("column `{}`", cells[label]) } else { "the last column".into() };
    notes.push(format!(
        "{}; {place} is the label, the other {} columns are numbers: give a `schema` for anything else",
        if header { "the first line names the columns" } else { "no header" },
        cells.len() - 1
    ));
    let counter = |&at: &usize| at != label && COUNTERS.contains(&&*cells[at].to_lowercase());
    if let Some(at) = (0..cells.len()).find(counter).filter(|_| header) {
        notes.push(format!(
            "column `{}` is a feature as well; it looks like a number of the row: leave it out in a \
             `schema`, with `kind = \"ignore\"`",
            cells[at]
        ));
    }
    Schema {
        name: file,
        header,
        delimiter,
        missing: None,
        on_missing: OnMissing::Error,
        category_limit: MOST_CLASSES,
        columns: (0..cells.len()).map(column).collect(),
        classes: Vec::new(),
    }
    .checked()
}

/// The delimiter and the cells of the first line.
fn first_record(path: &Path) -> Result<(char, StringRecord)> {
    let mut input = Input::open(path)?;
    let mut head = vec![0; 1 << 20];
    let read = input.fill(&mut head, "first line")?;
    let line = head[..read].split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let line = line.ok_or_else(|| Error::Empty { file: input.name().into() })?;
    let count = |delimiter: char| line.split(|&byte| byte == delimiter as u8).count();
    // The first of those that come most often: `max_by_key` takes the last.
    let delimiter = ['|', '\t', ';', ','].into_iter().max_by_key(|&one| count(one)).unwrap_or(',');
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .delimiter(delimiter as u8)
        .from_reader(line);
    let mut record = StringRecord::new();
    reader
        .read_record(&mut record)
        .map_err(|error| Error::format(input.name(), "line 1", "UTF-8 text", error.to_string()))?;
    Ok((delimiter, record))
}

const LABELS: [&str; 4] = ["label", "class", "target", "y"];
const COUNTERS: [&str; 4] = ["", "id", "index", "unnamed: 0"];
const MOST_CLASSES: usize = 1024;
const SCHEMA_LIMIT: u64 = 16 << 20;
