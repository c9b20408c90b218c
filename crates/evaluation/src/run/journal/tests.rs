//! What a run leaves after a kill, and what it refuses.
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
    let before = [ROWS, MEASUREMENTS].map(|name| text(folder.path(), name));
    let journal = open(folder.path()).unwrap();
    assert_eq!(journal.rows(), rows);
    assert!(journal.has("m/clean") && !journal.has("m/else"));
    assert_eq!(journal.row("m/pgd/linf/0.1"), Some(&rows[1]));
    assert_eq!(journal.samples().unwrap().len(), 4);
    assert_eq!([ROWS, MEASUREMENTS].map(|name| text(folder.path(), name)), before);
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
    let whole = text(folder.path(), MEASUREMENTS);
    let orphan = whole.lines().next().unwrap().replace("m/clean", "m/gone");
    let text_with = format!("{orphan}\n{whole}{orphan}\n{}", &orphan[..50]);
    fs::write(folder.path().join(MEASUREMENTS), text_with).unwrap();
    open(folder.path()).unwrap();
    assert_eq!(text(folder.path(), MEASUREMENTS), whole);
}

type Change = fn(&mut Identity);

#[test]
fn another_run_is_refused_and_the_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    two_rows(folder.path());
    let other = |change: Change| {
        let mut identity = identity();
        change(&mut identity);
        Journal::open(folder.path(), &identity, false).map(|_| ()).map_err(|e| e.to_string())
    };
    let changes: [(Change, &str); 5] = [
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
    assert_eq!(error, "measurement `m/clean`: sample 4: `confidence` is NaN, not a finite number");
    assert!(!folder.path().join(ROWS).exists() && !folder.path().join(MEASUREMENTS).exists());
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
