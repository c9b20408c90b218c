//! The rules of the house that no compiler checks.
use std::fmt;

use anyhow::{Result, bail};
use cargo_metadata::Metadata;

mod code;
mod edges;
mod sources;
mod tables;

/// A rule that does not hold somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// File or package.
    place: String,
    /// Line of the file, from 1; 0 for the whole of it.
    line: usize,
    /// What is wrong, and what would be right.
    message: String,
}

impl Fault {
    fn new(place: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.into(), line, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.message),
            line => write!(f, "{}:{line}: {}", self.place, self.message),
        }
    }
}

/// Checks all rules.
///
/// # Errors
/// The number of faults, after printing each.
pub(crate) fn run(metadata: &Metadata) -> Result<()> {
    let files = sources::read(metadata)?;
    let mut faults = edges::check(&metadata.packages);
    faults.extend(files.iter().flat_map(sources::check));
    faults.extend(tables::check(&files));
    for fault in &faults {
        println!("{fault}");
    }
    match faults.len() {
        0 => Ok(()),
        count => bail!("{count} of the rules above do not hold"),
    }
}
