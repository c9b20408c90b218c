//! The table of attacks in the README of their crate, as `duress list` prints it.
use std::fs;

use anyhow::{Context, Result, bail};
use cargo_metadata::Metadata;

use crate::bench;
use crate::run::{line, metadata, stage};

/// The file with the table.
const FILE: &str = "crates/attacks/README.md";

/// The table lies between these lines.
const BEGIN: &str = "<!-- attacks: begin. Written by `cargo xtask tables`. -->\n";
const END: &str = "<!-- attacks: end -->\n";

/// Writes the table.
///
/// # Errors
/// If the program does not build, or the file has no place for the table.
pub(crate) fn run() -> Result<()> {
    stage("tables", || {
        let metadata = metadata()?;
        let table = listed(&metadata)?;
        let path = metadata.workspace_root.join(FILE);
        let old = fs::read_to_string(&path).with_context(|| path.to_string())?;
        let new = replaced(&old, &table).with_context(|| path.to_string())?;
        if new != old {
            fs::write(&path, new).with_context(|| path.to_string())?;
            println!("{FILE} has a new table");
        }
        Ok(())
    })
}

/// What the program prints.
fn listed(metadata: &Metadata) -> Result<String> {
    let mut command = bench::binary(metadata, None)?;
    command.args(["list", "attacks", "--markdown"]);
    let output = command.output().with_context(|| format!("cannot start `{}`", line(&command)))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{}; to repeat it: {}\n{told}", output.status, line(&command));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The text with another table between its markers.
fn replaced(text: &str, table: &str) -> Result<String> {
    let marks = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    match marks {
        Some((before, after)) => Ok(format!("{before}{BEGIN}{table}{END}{after}")),
        None => bail!("no lines `{}` and `{}`", BEGIN.trim_end(), END.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(replaced(&text, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert_eq!(replaced(&text, "old\n").unwrap(), text);
        let error = replaced(&format!("{END}{BEGIN}"), "").unwrap_err().to_string();
        assert!(error.contains("attacks: end"), "{error}");
    }
}
