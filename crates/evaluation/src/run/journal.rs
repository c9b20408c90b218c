//! The files of a run: appended to as it goes, consistent after a kill.
//!
//! The lines of the samples are written before their row: a row is the mark that its measurement
//! is complete. A restart drops samples without a row and a line that was cut short.
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use duress_core::Domain;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::row::{Row, SCHEMA, SampleRow};
use crate::{Error, Result};

/// What must be the same for a run to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Schema of the rows.
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// SHA-256 of its text.
    pub digest: String,
    /// SHA-256 of the test samples.
    pub data_digest: String,
    /// Name of the device.
    pub device: String,
    /// Version of duress.
    pub version: String,
    /// Title of the report.
    pub title: String,
    /// The command that started it.
    pub command: String,
    /// The input space.
    pub domain: Domain,
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// Names of the features of a table, else empty.
    pub feature_names: Vec<String>,
}

/// The rows of a run and the files they are in.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    identity: Identity,
    rows: Vec<Row>,
    keys: HashSet<String>,
}

const IDENTITY: &str = "run.json";
const ROWS: &str = "rows.jsonl";
const SAMPLES: &str = "samples.jsonl";

impl Journal {
    /// Opens the run in `folder`, or begins it.
    pub(super) fn open(folder: &Path, identity: &Identity) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join(IDENTITY);
        if path.exists() {
            let stored = read_identity(folder)?;
            for (what, stored, now) in [
                ("experiment", &stored.experiment, &identity.experiment),
                ("text of the experiment", &stored.digest, &identity.digest),
                ("data", &stored.data_digest, &identity.data_digest),
                ("device", &stored.device, &identity.device),
                ("version", &stored.version, &identity.version),
            ] {
                if stored != now {
                    return Err(Error::OtherRun {
                        path: folder.to_owned(),
                        what,
                        stored: stored.clone(),
                        now: now.clone(),
                    });
                }
            }
        } else {
            write_whole(&path, serde_json::to_string_pretty(identity)?.as_bytes())?;
        }
        let rows: Vec<Row> = read_lines(&folder.join(ROWS), true)?;
        let keys: HashSet<String> = rows.iter().map(|row| row.key.clone()).collect();
        let samples: Vec<SampleRow> = read_lines(&folder.join(SAMPLES), true)?;
        let journal = Self { folder: folder.to_owned(), identity: identity.clone(), rows, keys };
        journal.rewrite(ROWS, &journal.rows)?;
        let whole: Vec<_> =
            samples.into_iter().filter(|sample| journal.keys.contains(&sample.key)).collect();
        journal.rewrite(SAMPLES, &whole)?;
        Ok(journal)
    }

    /// Reads a run that is not to go on.
    ///
    /// # Errors
    /// [`Error::Io`] if there is none in `folder`; [`Error::Rows`] for lines that do not parse.
    pub fn read(folder: &Path) -> Result<Self> {
        let identity = read_identity(folder)?;
        let rows: Vec<Row> = read_lines(&folder.join(ROWS), true)?;
        let keys = rows.iter().map(|row| row.key.clone()).collect();
        Ok(Self { folder: folder.to_owned(), identity, rows, keys })
    }

    /// The folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What ran.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The rows so far.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The lines of the samples so far.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Rows`].
    pub fn samples(&self) -> Result<Vec<SampleRow>> {
        read_lines(&self.folder.join(SAMPLES), true)
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Whether the measurement `key` is complete.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Adds a measurement.
    pub(super) fn append(&mut self, row: Row, samples: &[SampleRow]) -> Result<()> {
        self.add(SAMPLES, samples)?;
        self.add(ROWS, std::slice::from_ref(&row))?;
        self.keys.insert(row.key.clone());
        self.rows.push(row);
        Ok(())
    }

    fn add<T: Serialize>(&self, name: &str, lines: &[T]) -> Result<()> {
        let path = self.folder.join(name);
        let text = jsonl(lines)?;
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        write().map_err(Error::io(&path))
    }

    fn rewrite<T: Serialize>(&self, name: &str, lines: &[T]) -> Result<()> {
        write_whole(&self.folder.join(name), jsonl(lines)?.as_bytes())
    }
}

fn jsonl<T: Serialize>(lines: &[T]) -> Result<String> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    Ok(text)
}

fn read_identity(folder: &Path) -> Result<Identity> {
    let path = folder.join(IDENTITY);
    let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let reason = |error: serde_json::Error| Error::Rows {
        path: path.clone(),
        line: error.line(),
        reason: error.to_string(),
    };
    serde_json::from_str(&text).map_err(reason)
}

/// The values of a file of JSON lines; a last line without its end is dropped if `cut`.
fn read_lines<T: DeserializeOwned>(path: &Path, cut: bool) -> Result<Vec<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(path)(error)),
    };
    let mut reader = BufReader::new(file);
    let mut values = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(Error::io(path))?;
        if line.is_empty() || (cut && line.last() != Some(&b'\n')) {
            break;
        }
        let fault = |reason: String| Error::Rows { path: path.to_owned(), line: number, reason };
        let value: serde_json::Value =
            serde_json::from_slice(&line).map_err(|error| fault(error.to_string()))?;
        if let Some(schema) = value.get("schema").and_then(serde_json::Value::as_u64)
            && schema != u64::from(SCHEMA)
        {
            return Err(fault(format!("schema {schema}; this version reads {SCHEMA}")));
        }
        values.push(serde_json::from_value(value).map_err(|error| fault(error.to_string()))?);
    }
    Ok(values)
}

/// Writes a file beside its place, then renames it there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_data()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(Error::io(path))
}
