//! The subcommands.
mod benchmark;
mod bound;
mod data;
mod evaluate;
mod export;
mod generate;
mod list;
mod measure;
mod predict;
mod report;
mod run;
mod subject;
mod train;
mod verify;

use std::path::Path;
use std::sync::Arc;

use duress_evaluation::core::{Passes, device};
use duress_evaluation::{Context, Observer};

use crate::arguments::{Arguments, Command, Place};
use crate::folders;
use crate::progress::interrupted;

pub(crate) use anyhow::Result;

/// Input that only the command line can judge.
#[derive(Debug)]
pub(crate) struct BadInput(pub(crate) String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// Runs a command to its end.
pub(crate) fn dispatch(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::List(arguments) => list::list(&arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Train(arguments) => train::train(arguments),
        Command::Generate(arguments) => generate::generate(&arguments),
        Command::Evaluate(arguments) => evaluate::evaluate(*arguments),
        Command::Bound(arguments) => bound::bound(*arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Predict(arguments) => predict::predict(*arguments),
        Command::Attack(arguments) => measure::attack(arguments),
        Command::Certify(arguments) => measure::certify(arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Data(arguments) => data::data(arguments),
    }
}

/// Checks that a file can come to lie at `path`, and that its name ends as it must.
fn file_to_write(path: &Path, ending: Option<&str>) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if path.is_dir() || parent.is_some_and(|parent| !parent.is_dir()) {
        let reason = format!("{}: give a file in a folder that exists", path.display());
        return Err(BadInput(reason).into());
    }
    match ending {
        Some(ending) if path.extension().is_none_or(|own| own != ending) => {
            let reason = format!("--out {}: give a name that ends in .{ending}", path.display());
            Err(BadInput(reason).into())
        }
        _ => Ok(()),
    }
}

/// Passes on the device the user named.
fn passes(place: &Place) -> Result<Passes> {
    let device = device::open(&place.device).map_err(duress_evaluation::Error::from)?;
    let passes = match place.threads {
        Some(threads) if device::is_cpu(&device) => {
            Passes::with_workers(&device, usize::from(threads))
        }
        _ => Passes::new(&device),
    };
    Ok(passes.map_err(duress_evaluation::Error::from)?)
}

/// The context of a run in `out`.
fn context<'a>(
    place: &Place,
    passes: &'a Passes,
    observer: &'a dyn Observer,
    (out, fresh): (std::path::PathBuf, bool),
) -> Result<Context<'a>> {
    Ok(Context {
        out,
        fresh,
        cache: folders::models(place.cache.clone())?,
        folders: folders::data(place.data_folder.clone()),
        device: place.device.clone(),
        passes,
        observer,
        command: command(),
        token: None,
        stop: Some(Arc::new(interrupted)),
        force: false,
    })
}

/// What was typed, quoted for a shell where needed.
fn command() -> String {
    let quote = |word: String| {
        let plain = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=' | ',' | ':')
        };
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let words = std::env::args_os().skip(1).map(|word| quote(word.to_string_lossy().into_owned()));
    std::iter::once("duress".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
