//! Text to columns: numbers parsed, categories numbered in the order they come.
use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::schema::{Column, Kind, OnMissing, Schema};
use crate::{Error, Input, Result, input::translate};

/// A file, column by column. Memory stays within a small multiple of the text.
pub(super) struct Table {
    /// What errors call the file.
    pub(super) file: String,
    /// Rows that were kept.
    pub(super) rows: usize,
    /// Cells of each column of the schema; nothing for ignored columns.
    pub(super) cells: Vec<Cells>,
}

pub(super) enum Cells {
    Ignored,
    /// NaN stands for a missing number; a number of the file is finite.
    Numbers(Vec<f32>),
    /// Index into `texts`; `MISSING` for a missing value.
    Texts {
        texts: Vec<String>,
        indices: Vec<u32>,
        index_of: HashMap<String, u32>,
    },
}

pub(super) const MISSING: u32 = u32::MAX;

pub(super) fn table(schema: &Schema, mut input: Input<'_>) -> Result<Table> {
    let file = input.name().to_owned();
    let mut cells: Vec<_> = schema.columns.iter().map(empty).collect();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .delimiter(schema.delimiter as u8)
        .from_reader(&mut input);
    let (mut record, mut rows, mut header) = (ByteRecord::new(), 0, schema.header);
    while reader.read_byte_record(&mut record).map_err(|error| from_csv(&file, error))? {
        let line = format!("line {}", record.position().map_or(0, csv::Position::line));
        if record.len() != schema.columns.len() {
            let expected = format!("{} values", schema.columns.len());
            return Err(Error::format(file, line, expected, record.len().to_string()));
        }
        if std::mem::take(&mut header) {
            check_header(schema, &record, &file, &line)?;
        } else if push_row(schema, &record, &mut cells, &file, &line)? {
            rows += 1;
        }
    }
    if rows == 0 {
        return Err(Error::Empty { file });
    }
    Ok(Table { file, rows, cells })
}

fn empty(column: &Column) -> Cells {
    match column.kind {
        Kind::Ignore => Cells::Ignored,
        Kind::Number => Cells::Numbers(Vec::new()),
        Kind::Category | Kind::Label => {
            Cells::Texts { texts: Vec::new(), indices: Vec::new(), index_of: HashMap::new() }
        }
    }
}

fn check_header(schema: &Schema, record: &ByteRecord, file: &str, line: &str) -> Result<()> {
    for (column, name) in schema.columns.iter().zip(record) {
        if column.name.as_bytes() != name {
            let got = format!("`{}`", String::from_utf8_lossy(name));
            return Err(Error::format(file, line, format!("column name `{}`", column.name), got));
        }
    }
    Ok(())
}

/// Whether the row was kept.
fn push_row(
    schema: &Schema,
    record: &ByteRecord,
    cells: &mut [Cells],
    file: &str,
    line: &str,
) -> Result<bool> {
    let is_missing =
        |value: &[u8]| schema.missing.as_ref().is_some_and(|marker| marker.as_bytes() == value);
    for (column, value) in schema.columns.iter().zip(record) {
        if column.kind == Kind::Ignore || !is_missing(value) {
            continue;
        }
        match (schema.on_missing, column.kind) {
            (OnMissing::DropRow, _) => return Ok(false),
            (OnMissing::Fill, Kind::Number | Kind::Category) => {}
            _ => {
                let expected = "a value (choose `on_missing` to drop or fill)";
                let at = format!("{line}, column `{}`", column.name);
                return Err(Error::format(file, at, expected, "a missing value"));
            }
        }
    }
    for ((column, value), cells) in schema.columns.iter().zip(record).zip(cells) {
        let at = || format!("{line}, column `{}`", column.name);
        let missing = is_missing(value);
        let text = || {
            str::from_utf8(value).map_err(|_| {
                let got = String::from_utf8_lossy(value).into_owned();
                Error::format(file, at(), "UTF-8 text", got)
            })
        };
        match cells {
            Cells::Ignored => {}
            Cells::Numbers(numbers) if missing => numbers.push(f32::NAN),
            Cells::Numbers(numbers) => {
                let number = text()?.parse().ok().filter(|number: &f32| number.is_finite());
                let number = number.ok_or_else(|| {
                    let got = format!("`{}`", String::from_utf8_lossy(value));
                    Error::format(file, at(), "a finite number", got)
                })?;
                numbers.push(number);
            }
            Cells::Texts { indices, .. } if missing => indices.push(MISSING),
            Cells::Texts { texts, indices, index_of } => {
                let text = text()?;
                let known = index_of.get(text).copied();
                let index = known.unwrap_or(texts.len() as u32);
                if index == MISSING {
                    return Err(Error::format(file, at(), "fewer than 2^32 values", "more"));
                }
                if known.is_none() {
                    texts.push(text.to_owned());
                    index_of.insert(text.to_owned(), index);
                }
                indices.push(index);
            }
        }
    }
    Ok(true)
}

fn from_csv(file: &str, error: csv::Error) -> Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => translate(file, "content", error),
        _ => Error::format(file, "content", "comma-separated values", text),
    }
}
