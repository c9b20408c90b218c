//! `duress generate`: samples of a generative network, labelled by a model.
use duress_evaluation::core::Seed;
use duress_evaluation::defenses::generative::GanPlan;
use duress_evaluation::{
    Error, Experiment, GenerationPlan, GeneratorPlan, check_archive, check_sheet, generate_samples,
    write_generated, write_sheet,
};

use super::{Result, file_to_write};
use crate::arguments::Generate;
use crate::output;
use crate::progress::{Screen, watch_interrupts};

/// Pictures on a sheet.
const SHOWN: usize = 100;

pub(super) fn generate(arguments: &Generate) -> Result<()> {
    let Generate { out, sheet, .. } = arguments;
    let experiment = Experiment::load(&arguments.experiment)?;
    file_to_write(out, Some("npz"))?;
    if let Some(sheet) = sheet {
        file_to_write(sheet, Some("png"))?;
    }
    let generator = match &arguments.config {
        None => GeneratorPlan::Gan(GanPlan::default()),
        Some(path) => {
            let fault = |source| Error::Io { path: path.clone(), source };
            let text = std::fs::read_to_string(path).map_err(fault)?;
            let fault = |reason| Error::Experiment { path: path.clone(), reason };
            GeneratorPlan::parse(&text).map_err(fault)?
        }
    };
    let plan = GenerationPlan {
        generator,
        model: arguments.model.clone(),
        samples: arguments.samples as usize,
        least_confidence: arguments.least_confidence,
        seed: Seed(u64::from(arguments.seed)),
    };
    let passes = super::passes(&arguments.place)?;
    watch_interrupts()?;
    let screen = Screen::bare();
    let context = super::context(&arguments.place, &passes, &screen, (out.clone(), false))?;
    let writable = |domain: &_| {
        check_archive(out, domain, plan.samples)?;
        sheet.as_ref().map_or(Ok(()), |sheet| check_sheet(sheet, domain).map(|_| ()))
    };
    let (made, domain) = match generate_samples(&experiment, &plan, &context, writable) {
        Err(error) if error.is_cancelled() => {
            anyhow::bail!("stopped; the same command goes on from here")
        }
        other => other?,
    };
    if let Some(sheet) = sheet {
        let shown = made.labels.len().min(SHOWN) * domain.features();
        write_sheet(sheet, &made.rows[..shown], &domain)?;
    }
    write_generated(out, &made, &domain)?;
    drop(screen);
    let (taken, drawn) = (made.labels.len(), made.drawn);
    output::line(&format!("samples  {taken} of {drawn} drawn  {}", out.display()))?;
    if let Some(sheet) = sheet {
        output::line(&format!("sheet    {}", sheet.display()))?;
    }
    Ok(())
}
