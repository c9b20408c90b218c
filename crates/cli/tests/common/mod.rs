//! A folder of its own for each test, and the real binary in it.
#![allow(dead_code, reason = "each test file uses a part of it")]
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A small experiment that is right.
pub(crate) const EXPERIMENT: &str = r#"name = "e"
title = "E"
seed = 0

[data]
name = "digits"
train = 200
test = 20
validation = 0.1

[[model]]
name = "small"
architecture = { name = "mlp", hidden = [8] }
[model.recipe]
epochs = 1

[[threat]]
norm = "linf"
epsilons = [0.1, 0.2]
headline = 0.1

[[attack]]
name = "pgd"
steps = 2
step_size = 0.5

[[certify]]
name = "smoothing"
sigma = 0.25
estimation_draws = 50
radii = [0.1]
"#;

/// A file of `examples/pytorch`: a network, samples and answers that PyTorch made.
pub(crate) fn pytorch(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pytorch");
    fs::read(folder.join(name)).unwrap()
}

/// What one call of the binary gave.
pub(crate) struct Said {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// The same after a check that the call succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// A home, a cache and a working folder that nobody else uses.
pub(crate) struct World {
    root: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "work", "no-data"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Writes a file of the working folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The binary with `words`, not started yet.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(
        &self,
        words: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duress"));
        command
            .args(words)
            .current_dir(self.root.path().join("work"))
            .env("HOME", self.root.path().join("home"))
            .env("DURESS_DATA", self.root.path().join("no-data"))
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Calls the binary with the words of `line`, separated by spaces.
    pub(crate) fn duress(&self, line: &str) -> Said {
        self.words(line.split(' '))
    }

    pub(crate) fn words<S: AsRef<std::ffi::OsStr>>(
        &self,
        words: impl IntoIterator<Item = S>,
    ) -> Said {
        self.command(words).output().unwrap().into()
    }

    /// Every file and folder there is, with the size of the files.
    pub(crate) fn listing(&self) -> BTreeSet<(PathBuf, u64)> {
        let mut found = BTreeSet::new();
        walk(self.root.path(), &mut found);
        found
    }
}

fn walk(folder: &Path, found: &mut BTreeSet<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, about) = (entry.path(), entry.metadata().unwrap());
        if about.is_dir() {
            found.insert((path.clone(), 0));
            walk(&path, found);
        } else {
            found.insert((path, about.len()));
        }
    }
}
