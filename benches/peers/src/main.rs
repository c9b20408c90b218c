//! Runs one attack for the comparison with other toolkits and prints one line of JSON, or trains
//! the network that all of them attack.
//!
//! What was asked wrongly is told in one line and ends with exit code 2, any other failure with 1.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for other programs")]
mod arguments;
mod bounds;
mod clock;
mod export;
mod folder;
mod measure;
mod net;
mod networks;
mod pieces;
mod training;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use burn::prelude::Device;
use clap::Parser;
use duress_core::Seed;

use arguments::{Arguments, Assault, Bounds, Export, Networks, Steps, Work, one_line, usage};
use folder::Folder;
use measure::Plan;

const FAILURE: u8 = 1;
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return complain(&usage(&error), BAD_INPUT),
        Err(error) => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
    };
    let done = match arguments.work {
        Work::Attack(arguments) => match prepare(&arguments) {
            Ok((plan, folder)) => measure(&plan, &folder),
            Err(error) => return complain(&format!("{error:#}"), BAD_INPUT),
        },
        Work::Export(arguments) => export(arguments),
        Work::Networks(arguments) => networks(&arguments),
        Work::Bounds(arguments) => bounds(&arguments),
        Work::Pieces { folder } => pieces(&folder),
        Work::Train(arguments) => training(&arguments),
    };
    match done {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => complain(&format!("{error:#}"), code(&error)),
    }
}

fn complain(message: &str, code: u8) -> ExitCode {
    eprintln!("duress-peers: {}", one_line(message));
    ExitCode::from(code)
}

/// 2 for an attack that cannot be run as it was asked for.
fn code(error: &anyhow::Error) -> u8 {
    use duress_core::Error;
    let asked = error.chain().filter_map(|cause| cause.downcast_ref::<Error>()).any(|cause| {
        matches!(
            cause,
            Error::Access { .. }
                | Error::LossGoal { .. }
                | Error::NeedsRadius { .. }
                | Error::Parameter { .. }
                | Error::Reach { .. }
                | Error::UnsupportedNorm { .. }
        )
    });
    if asked { BAD_INPUT } else { FAILURE }
}

fn prepare(arguments: &Assault) -> Result<(Plan, Folder)> {
    let plan = Plan {
        attack: measure::attack(&arguments.attack, &arguments.config)?,
        norm: arguments.norm,
        epsilon: arguments.epsilon,
        nearest: arguments.nearest,
        samples: arguments.samples,
        threads: arguments.threads,
        repeat: (arguments.least_seconds, arguments.repeat),
        seed: Seed(arguments.seed),
    };
    // What is not a pass runs on rayon's own threads.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads);
    threads.build_global().context("--threads")?;
    Ok((plan, Folder::read(&arguments.folder, &Device::flex())?))
}

fn measure(plan: &Plan, folder: &Folder) -> Result<String> {
    Ok(serde_json::to_string(&plan.measure(folder)?)?)
}

fn export(arguments: Export) -> Result<String> {
    let Export { folder, training, data } = arguments;
    let data = data.or_else(|| std::env::var_os("DURESS_DATA").map(Into::into));
    let written = export::export(&folder, training, data)?;
    let export::Written { name, right, images } = written;
    Ok(format!("{}: {name}, {right} of {images} images right", folder.display()))
}

fn networks(arguments: &Networks) -> Result<String> {
    let Networks { files, out, batch, threads, seconds } = arguments;
    rayon::ThreadPoolBuilder::new().num_threads(*threads).build_global().context("threads")?;
    let line = |file: &PathBuf| -> Result<String> {
        Ok(serde_json::to_string(&networks::measure(file, *batch, *seconds, *threads, out)?)?)
    };
    Ok(files.iter().map(line).collect::<Result<Vec<_>>>()?.join("\n"))
}

fn bounds(arguments: &Bounds) -> Result<String> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads);
    threads.build_global().context("threads")?;
    Ok(serde_json::to_string(&bounds::measure(arguments)?)?)
}

fn training(arguments: &Steps) -> Result<String> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads);
    threads.build_global().context("--threads")?;
    let line = |speed: &training::Speed| -> Result<String> { Ok(serde_json::to_string(speed)?) };
    let speeds = training::speeds(arguments.batch, arguments.threads, arguments.seconds)?;
    Ok(speeds.iter().map(line).collect::<Result<Vec<_>>>()?.join("\n"))
}

fn pieces(folder: &Path) -> Result<String> {
    // Nothing may run beside what is timed.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().context("threads")?;
    let folder = Folder::read(folder, &Device::flex())?;
    let mut lines =
        vec!["| piece | forward, us | with gradient, us |".to_owned(), "|---|---|---|".to_owned()];
    for piece in pieces::pieces(&folder)? {
        let forward = piece.forward.map_or_else(String::new, |forward| format!("{forward:.1}"));
        lines.push(format!("| {} | {forward} | {:.1} |", piece.name, piece.gradient));
    }
    Ok(lines.join("\n"))
}
