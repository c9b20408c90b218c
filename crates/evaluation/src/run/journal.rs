//! The files of a run: appended to as it goes, consistent after a kill.
//!
//! The lines of the samples are written before their row: a row is the mark that its measurement
//! is complete. A restart drops samples without a row and a line that was cut short.
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use duress_core::{Domain, Norm};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contradiction::is_proof;
use super::lines::{jsonl, keep, parse, read_lines, write_whole};
use crate::row::{Measured, Row, SampleRow};
use crate::{Error, Result, hexadecimal};

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
    /// Held while this process writes to the run.
    _lock: Option<File>,
}

const IDENTITY: &str = "run.json";
const LOCK: &str = ".lock";
const ROWS: &str = "rows.jsonl";
const MEASUREMENTS: &str = "measurements.jsonl";
const SAMPLES: &str = "samples.jsonl";

impl Journal {
    /// Opens the run in `folder`, or begins it; `fresh` deletes what an earlier one left.
    pub(super) fn open(folder: &Path, identity: &Identity, fresh: bool) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let lock = lock(&folder.join(LOCK))?;
        let path = folder.join(IDENTITY);
        let exists = path.exists();
        if exists && fresh {
            clear(folder)?;
        }
        if !exists || fresh {
            write_whole(&path, serde_json::to_string_pretty(identity)?.as_bytes())?;
        }
        let stored = read_identity(folder)?;
        let outside = [digests(&stored)?, digests(identity)?];
        for (what, stored, now) in [
            ("experiment", &stored.experiment, &identity.experiment),
            ("text of the experiment", &stored.digest, &identity.digest),
            ("data", &stored.data_digest, &identity.data_digest),
            ("input space", &outside[0][0], &outside[1][0]),
            ("class names", &outside[0][1], &outside[1][1]),
            ("device", &stored.device, &identity.device),
            ("version", &stored.version, &identity.version),
        ] {
            if stored != now {
                return Err(Error::OtherRun {
                    path: folder.to_owned(),
                    what: what.into(),
                    stored: stored.clone(),
                    now: now.clone(),
                });
            }
        }
        let rows = folder.join(ROWS);
        keep(&rows, |_: &Row| true)?;
        let rows = read_rows(&rows)?;
        let keys: HashSet<String> = rows.iter().map(|row| row.key.clone()).collect();
        keep(&folder.join(MEASUREMENTS), |sample: &SampleRow| keys.contains(&sample.key))?;
        Ok(Self { folder: folder.to_owned(), identity: stored, rows, keys, _lock: Some(lock) })
    }

    /// Reads a run that is not to go on.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is none in `folder`; [`Error::Rows`] for lines that do not parse
    /// or contradict themselves.
    pub fn read(folder: &Path) -> Result<Self> {
        let identity = read_identity(folder)?;
        let rows = read_rows(&folder.join(ROWS))?;
        let keys = rows.iter().map(|row| row.key.clone()).collect();
        Ok(Self { folder: folder.to_owned(), identity, rows, keys, _lock: None })
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

    /// The lines of all measurements of samples so far.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Rows`].
    pub fn samples(&self) -> Result<Vec<SampleRow>> {
        read_lines(&self.folder.join(MEASUREMENTS))
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Whether the measurement `key` is complete.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The row of measurement `key`, if it is complete.
    pub(super) fn row(&self, key: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.key == key)
    }

    /// Adds a measurement.
    ///
    /// JSON has no NaN and no infinity: a row or a sample with one is an error, not a `null`.
    pub(super) fn append(&mut self, row: Row, samples: &[SampleRow]) -> Result<()> {
        if let Some(reason) = row.fault().or_else(|| samples.iter().find_map(SampleRow::fault)) {
            return Err(Error::Measurement { key: row.key, reason });
        }
        self.add(MEASUREMENTS, samples)?;
        self.add(ROWS, std::slice::from_ref(&row))?;
        self.keys.insert(row.key.clone());
        self.rows.push(row);
        Ok(())
    }

    /// Writes what the run found of each sample: the worst case at each radius, or, where nothing
    /// was attacked, the sample as it is.
    pub(super) fn write_samples(&self) -> Result<()> {
        let worst = |row: &&Row| matches!(row.measured, Measured::WorstCase { .. });
        let clean = |row: &&Row| matches!(row.measured, Measured::Clean { .. });
        let mut keys: HashSet<&str> =
            self.rows.iter().filter(worst).map(|row| row.key.as_str()).collect();
        if keys.is_empty() {
            keys = self.rows.iter().filter(clean).map(|row| row.key.as_str()).collect();
        }
        let all = self.samples()?;
        let proofs: HashSet<&str> =
            self.rows.iter().filter(|row| is_proof(row)).map(|row| row.key.as_str()).collect();
        let mut proved: HashMap<(String, Norm, u64), f64> = HashMap::new();
        for line in all.iter().filter(|line| proofs.contains(line.key.as_str())) {
            let radius = if line.robust { line.epsilon } else { 0.0 };
            let known = proved.entry((line.model.clone(), line.norm, line.index)).or_default();
            *known = known.max(radius);
        }
        let mut lines = all;
        lines.retain(|line| keys.contains(line.key.as_str()));
        for line in &mut lines {
            line.certified = proved.get(&(line.model.clone(), line.norm, line.index)).copied();
        }
        write_whole(&self.folder.join(SAMPLES), jsonl(&lines)?.as_bytes())
    }

    /// Deletes a run that has measured nothing yet, so that its folder is as it was.
    pub(super) fn discard_empty(self) -> Result<()> {
        if !self.rows.is_empty() {
            return Ok(());
        }
        clear(&self.folder)?;
        for name in [IDENTITY, LOCK] {
            let path = self.folder.join(name);
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
        // It stays where it holds files of others.
        let _ = fs::remove_dir(&self.folder);
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
}

/// SHA-256 of what is read beside the samples: files that describe them may change.
fn digests(identity: &Identity) -> Result<[String; 2]> {
    let digest = |text: String| hexadecimal(&Sha256::digest(text.as_bytes()));
    let space = digest(serde_json::to_string(&identity.domain)?);
    Ok([space, digest(serde_json::to_string(&identity.class_names)?)])
}

fn read_identity(folder: &Path) -> Result<Identity> {
    let path = folder.join(IDENTITY);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoRun { path: folder.to_owned() });
        }
        Err(error) => return Err(Error::io(&path)(error)),
    };
    parse(&path, 1, &text)
}

/// The whole rows of a file, each key once, their counts checked.
fn read_rows(path: &Path) -> Result<Vec<Row>> {
    let rows: Vec<Row> = read_lines(path)?;
    let mut keys = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let fault = |reason| Error::Rows { path: path.to_owned(), line: index + 1, reason };
        if let Some(reason) = row.fault() {
            return Err(fault(reason));
        }
        if !keys.insert(row.key.as_str()) {
            return Err(fault(format!("a second row `{}`", row.key)));
        }
    }
    Ok(rows)
}

/// The system gives the lock back when the process ends, however it ends.
fn lock(path: &Path) -> Result<File> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(Error::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
    }
}

/// Deletes what a run leaves in its folder, and nothing else. Its identity stays: a folder without
/// one is not known as a run.
fn clear(folder: &Path) -> Result<()> {
    let gone = |path: &Path, result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    };
    for name in [ROWS, MEASUREMENTS, SAMPLES, "report.html"] {
        let path = folder.join(name);
        gone(&path, fs::remove_file(&path))?;
    }
    for name in ["adversarial", "pictures", super::parts::PARTS] {
        let path = folder.join(name);
        gone(&path, fs::remove_dir_all(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
