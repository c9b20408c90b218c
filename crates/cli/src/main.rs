//! The duress command line: the only place that picks a device, reads the environment or prints.
mod arguments;
mod commands;
mod folders;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;
use duress_evaluation::Error;

use crate::arguments::Arguments;

/// The user's input is at fault.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(code(&error))
        }
    }
}

/// 2 for bad input, 1 for everything else.
fn code(error: &anyhow::Error) -> u8 {
    let input = error.chain().any(|cause| {
        cause.downcast_ref::<Error>().is_some_and(Error::is_bad_input)
            || cause.is::<duress_evaluation::datasets::Error>()
            || cause.is::<commands::BadInput>()
    });
    if input { BAD_INPUT } else { 1 }
}
