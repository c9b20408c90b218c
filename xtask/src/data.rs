//! Data sets, by the command line of the workspace.
use std::process::ExitCode;

use anyhow::Result;

use crate::bench::binary;
use crate::run::{forward, metadata};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What `duress data` takes: `list`, or `fetch NAME...`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "list")]
    arguments: Vec<String>,
}

/// Hands over to `duress data`.
///
/// # Errors
/// If the command line cannot be built or started.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut command = binary(&metadata()?, None)?;
    forward(command.arg("data").args(&arguments.arguments))
}
