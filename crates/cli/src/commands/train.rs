//! `duress train`: one model of an experiment, as a file.
use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use duress_evaluation::models::atomic;
use duress_evaluation::{Experiment, train_model};

use super::{Result, file_to_write};
use crate::arguments::Train;
use crate::output;
use crate::progress::{Screen, watch_interrupts};

pub(super) fn train(arguments: Train) -> Result<()> {
    let experiment = Experiment::load(&arguments.experiment)?;
    let out = &arguments.out;
    file_to_write(out, None)?;
    let passes = super::passes(&arguments.place)?;
    watch_interrupts()?;
    let screen = Screen::bare();
    let context = super::context(&arguments.place, &passes, &screen, (out.clone(), false))?;
    let trained = match train_model(&experiment, &arguments.model, &context) {
        Err(error) if error.is_cancelled() => {
            anyhow::bail!("stopped; the same command goes on from here")
        }
        other => other?,
    };
    copy(&trained.path, out).with_context(|| format!("writing {}", out.display()))?;
    drop(screen);
    output::line(&format!("model  {}", out.display()))?;
    match &trained.watched {
        Some(watched) => output::line(&format!("watched  {watched}")),
        None => Ok(()),
    }
}

/// The file appears whole or not at all.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut part = atomic::part(to)?;
    std::io::copy(&mut File::open(from)?, &mut part)?;
    part.as_file().sync_data()?;
    part.persist(to)?;
    Ok(())
}
