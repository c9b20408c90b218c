//! Files of JSON lines: read whole lines only, and replace files whole.
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use duress_models::atomic;
use serde::{Serialize, de::DeserializeOwned};

use crate::row::SCHEMA;
use crate::{Error, Result};

/// One JSON object a line.
pub(super) fn jsonl<T: Serialize>(lines: &[T]) -> Result<String> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    Ok(text)
}

/// The values of a file of JSON lines, none if there is no file.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut values = Vec::new();
    each_line(path, |_, value| {
        values.push(value);
        Ok(())
    })?;
    Ok(values)
}

/// Keeps the whole lines whose value is `wanted`, byte for byte; a file of such lines only is not
/// touched.
pub(super) fn keep<T: DeserializeOwned>(path: &Path, wanted: impl Fn(&T) -> bool) -> Result<()> {
    let Ok(before) = fs::metadata(path) else { return Ok(()) };
    let part = atomic::part(path).map_err(Error::io(path))?;
    let mut writer = BufWriter::new(part);
    let mut kept = 0;
    each_line(path, |line, value| {
        if wanted(&value) {
            kept += line.len() as u64;
            writer.write_all(line).map_err(Error::io(path))?;
        }
        Ok(())
    })?;
    if kept == before.len() {
        return Ok(());
    }
    let part = writer.into_inner().map_err(|error| Error::io(path)(error.into_error()))?;
    part.as_file().sync_data().map_err(Error::io(path))?;
    part.persist(path).map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}

/// Hands each whole line and its value to `visit`; a last line without its end was cut by a kill
/// and is left out.
fn each_line<T: DeserializeOwned>(
    path: &Path,
    mut visit: impl FnMut(&[u8], T) -> Result<()>,
) -> Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(Error::io(path))?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let value = parse(path, number, &line)?;
        visit(&line, value)?;
    }
    Ok(())
}

/// Reads the schema first, so that a line of a later version says so.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, line: usize, text: &[u8]) -> Result<T> {
    let fault = |reason: String| Error::Rows { path: path.to_owned(), line, reason };
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| fault(error.to_string()))?;
    if let Some(schema) = value.get("schema")
        && schema.as_u64() != Some(u64::from(SCHEMA))
    {
        return Err(fault(format!("schema {schema}; this version reads {SCHEMA}")));
    }
    serde_json::from_value(value).map_err(|error| fault(error.to_string()))
}

/// Writes a file beside its place, then renames it there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(atomic::write(path, &[bytes])?)
}
