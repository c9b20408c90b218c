//! The fast part: format, clippy, tidy.
use anyhow::Result;

use crate::run::{call, cargo, metadata, stage};

/// Runs every check that needs no test.
///
/// # Errors
/// The first stage that fails.
pub(crate) fn run() -> Result<()> {
    let metadata = metadata()?;
    stage("format", || call(&mut cargo(&metadata, ["fmt", "--all", "--check"])))?;
    tidy()?;
    stage("clippy", || {
        let arguments =
            ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        call(&mut cargo(&metadata, arguments))
    })
}

/// Checks the rules of the house.
///
/// # Errors
/// The number of faults; they are printed one a line.
pub(crate) fn tidy() -> Result<()> {
    stage("tidy", || crate::tidy::run(&metadata()?))
}
