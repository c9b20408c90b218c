//! The duress command line: the only place that picks a device, reads the environment or prints.
mod arguments;
mod commands;
mod folders;
mod output;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;
use duress_evaluation::Error;

use crate::arguments::Arguments;

/// The user's input is at fault.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            output::remark(&usage(&error));
            return ExitCode::from(BAD_INPUT);
        }
        // `--help` and `--version`; whether anybody reads them is not our concern.
        Err(error) => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
    };
    match commands::dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(code(&error))
        }
    }
}

/// What was typed wrong, in one line.
fn usage(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message = text.split("\n\nUsage:").next().unwrap_or_default();
    let message = message.split("\n\nFor more information").next().unwrap_or_default();
    format!("{}; see `duress --help`", output::one_line(message))
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
