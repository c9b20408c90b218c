//! The files of a run: appended to as it goes, consistent after a kill.
//!
//! The lines of the samples are written before their row: a row is the mark that its measurement
//! is complete. A restart drops samples without a row and a line that was cut short.
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, BufWriter, Write};
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
    /// Held while this process writes to the run.
    _lock: Option<File>,
}

const IDENTITY: &str = "run.json";
const LOCK: &str = ".lock";
const ROWS: &str = "rows.jsonl";
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
        keep(&folder.join(SAMPLES), |sample: &SampleRow| keys.contains(&sample.key))?;
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

    /// The lines of the samples so far.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Rows`].
    pub fn samples(&self) -> Result<Vec<SampleRow>> {
        read_lines(&self.folder.join(SAMPLES))
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

/// The values of a file of JSON lines, none if there is no file.
fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut values = Vec::new();
    each_line(path, |_, value| {
        values.push(value);
        Ok(())
    })?;
    Ok(values)
}

/// Keeps the whole lines whose value is `wanted`, byte for byte; a file of such lines only is not
/// touched.
fn keep<T: DeserializeOwned>(path: &Path, wanted: impl Fn(&T) -> bool) -> Result<()> {
    let Ok(before) = fs::metadata(path) else { return Ok(()) };
    let folder = path.parent().unwrap_or(Path::new("."));
    let part = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder))?;
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
fn parse<T: DeserializeOwned>(path: &Path, line: usize, text: &[u8]) -> Result<T> {
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
    for name in [ROWS, SAMPLES, "report.html"] {
        let path = folder.join(name);
        gone(&path, fs::remove_file(&path))?;
    }
    for name in ["adversarial", "pictures"] {
        let path = folder.join(name);
        gone(&path, fs::remove_dir_all(&path))?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use duress_core::Norm;

    use super::*;
    use crate::fixtures::{attack, clean, identity, sample};

    fn open(folder: &Path) -> Result<Journal> {
        Journal::open(folder, &identity(), false)
    }

    /// A run with two measurements of two samples each, closed.
    fn two_rows(folder: &Path) -> [Row; 2] {
        let mut journal = open(folder).unwrap();
        let rows = [clean("m", 90), attack("m", "pgd", 0.1, 30)];
        for row in &rows {
            let lines = [0, 1].map(|index| sample(row, index, Norm::Linf, 0.1));
            journal.append(row.clone(), &lines).unwrap();
        }
        rows
    }

    fn text(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    fn add(folder: &Path, name: &str, more: &str) {
        let before = text(folder, name);
        fs::write(folder.join(name), before + more).unwrap();
    }

    #[test]
    fn a_run_goes_on_where_it_ended_and_its_bytes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let rows = two_rows(folder.path());
        let before = [ROWS, SAMPLES].map(|name| text(folder.path(), name));
        let journal = open(folder.path()).unwrap();
        assert_eq!(journal.rows(), rows);
        assert!(journal.has("m/clean") && !journal.has("m/else"));
        assert_eq!(journal.row("m/pgd/linf/0.1"), Some(&rows[1]));
        assert_eq!(journal.samples().unwrap().len(), 4);
        assert_eq!([ROWS, SAMPLES].map(|name| text(folder.path(), name)), before);
    }

    #[test]
    fn a_line_that_was_cut_is_dropped_with_the_samples_of_its_row() {
        for cut in [1, 30, 200] {
            let folder = tempfile::tempdir().unwrap();
            let rows = two_rows(folder.path());
            let whole = text(folder.path(), ROWS);
            fs::write(folder.path().join(ROWS), &whole[..whole.len() - cut]).unwrap();
            // A report of it reads the whole lines and changes nothing.
            assert_eq!(Journal::read(folder.path()).unwrap().rows(), &rows[..1]);
            assert_eq!(text(folder.path(), ROWS).len(), whole.len() - cut);
            let journal = open(folder.path()).unwrap();
            assert_eq!(journal.rows(), &rows[..1]);
            let samples = journal.samples().unwrap();
            assert_eq!(samples.len(), 2);
            assert!(samples.iter().all(|sample| sample.key == "m/clean"));
            assert_eq!(text(folder.path(), ROWS).lines().count(), 1);
        }
    }

    #[test]
    fn samples_without_a_row_are_dropped_wherever_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        two_rows(folder.path());
        let whole = text(folder.path(), SAMPLES);
        let orphan = whole.lines().next().unwrap().replace("m/clean", "m/gone");
        let text_with = format!("{orphan}\n{whole}{orphan}\n{}", &orphan[..50]);
        fs::write(folder.path().join(SAMPLES), text_with).unwrap();
        open(folder.path()).unwrap();
        assert_eq!(text(folder.path(), SAMPLES), whole);
    }

    #[test]
    fn another_run_is_refused_and_the_difference_is_named() {
        let folder = tempfile::tempdir().unwrap();
        two_rows(folder.path());
        let other = |change: fn(&mut Identity)| {
            let mut identity = identity();
            change(&mut identity);
            Journal::open(folder.path(), &identity, false).map(|_| ()).map_err(|e| e.to_string())
        };
        let changes: [(fn(&mut Identity), &str); 5] = [
            (|identity| identity.experiment = "f".into(), "experiment was e, now f"),
            (|identity| identity.digest = "ab".into(), "text of the experiment was aa, now ab"),
            (|identity| identity.data_digest = "cc".into(), "data was bb, now cc"),
            (|identity| identity.device = "cuda".into(), "device was flex, now cuda"),
            (|identity| identity.version = "1".into(), "version was 0, now 1"),
        ];
        for (change, expected) in changes {
            let message = other(change).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        // How it was called is no part of what it is.
        assert_eq!(other(|identity| identity.command = "duress run f.toml".into()), Ok(()));
    }

    #[test]
    fn a_fresh_run_deletes_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        two_rows(folder.path());
        fs::create_dir(folder.path().join("pictures")).unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let other = Identity { digest: "ab".into(), ..identity() };
        let journal = Journal::open(folder.path(), &other, true).unwrap();
        assert!(journal.rows().is_empty() && journal.samples().unwrap().is_empty());
        assert_eq!(journal.identity(), &other);
        assert!(!folder.path().join("pictures").exists());
        assert_eq!(text(folder.path(), "notes.txt"), "mine");
        // A folder that is no run keeps everything.
        let foreign = tempfile::tempdir().unwrap();
        fs::create_dir(foreign.path().join("pictures")).unwrap();
        Journal::open(foreign.path(), &other, true).unwrap();
        assert!(foreign.path().join("pictures").exists());
    }

    #[test]
    fn one_process_at_a_time_writes_to_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap();
        assert!(matches!(open(folder.path()), Err(Error::Busy { .. })));
        assert!(Journal::read(folder.path()).is_ok());
        drop(first);
        assert!(open(folder.path()).is_ok());
    }

    #[test]
    fn a_number_that_is_none_is_an_error_and_never_a_null() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path()).unwrap();
        let row = attack("m", "pgd", f64::INFINITY, 30);
        let error = journal.append(row, &[]).unwrap_err();
        assert!(error.to_string().contains("`epsilon` is inf"), "{error}");
        assert!(!error.is_bad_input());
        let row = clean("m", 90);
        let mut line = sample(&row, 4, Norm::L2, 0.1);
        line.confidence = Some(f32::NAN);
        let error = journal.append(row, &[line]).unwrap_err().to_string();
        assert_eq!(
            error,
            "measurement `m/clean`: sample 4: `confidence` is NaN, not a finite number"
        );
        assert!(!folder.path().join(ROWS).exists() && !folder.path().join(SAMPLES).exists());
    }

    #[test]
    fn lines_that_cannot_be_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Journal::read(folder.path()), Err(Error::NoRun { .. })));
        let rows = two_rows(folder.path());
        let whole = text(folder.path(), ROWS);
        let message = |more: &str| {
            add(folder.path(), ROWS, more);
            let message = Journal::read(folder.path()).map(|_| ()).unwrap_err().to_string();
            assert!(open(folder.path()).is_err());
            fs::write(folder.path().join(ROWS), &whole).unwrap();
            message
        };
        assert!(message("{\n").contains("rows.jsonl, line 3"));
        assert!(message("{}\n").contains("line 3: missing field"));
        assert!(message("{\"schema\":2}\n").contains("schema 2; this version reads 1"));
        assert!(message(&whole).contains("line 3: a second row `m/clean`"));
        let wrong = Row { samples: 10, key: "x".into(), ..rows[0].clone() };
        let wrong = serde_json::to_string(&wrong).unwrap() + "\n";
        let expected = "line 3: `correct` is 90, more than `samples`, 10";
        assert!(message(&wrong).contains(expected));
    }
}
