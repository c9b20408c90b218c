//! `duress bound`: certified lower bounds of margins beside what an attack reaches.
use std::path::Path;

use duress_evaluation::datasets::{Input, npy};
use duress_evaluation::{Around, Bounded, bound as bounds};
use toml::{Table, Value};

use super::subject::{Subject, text};
use super::{BadInput, Result, run};
use crate::arguments::{Bound, Service};
use crate::output;
use crate::progress::{Screen, watch_interrupts};

pub(super) fn bound(arguments: Bound) -> Result<()> {
    let Bound { model, samples, norm, epsilon, lower, upper, method, json, place } = arguments;
    let around = match (norm, epsilon, &lower, &upper) {
        (Some(norm), Some(epsilon), None, None) => Around::Ball { norm, radius: epsilon.get() },
        (None, None, Some(lower), Some(upper)) => {
            Around::Boxes { lower: array(lower)?, upper: array(upper)? }
        }
        _ => {
            let reason = "give --norm and --epsilon for balls, or --lower and --upper for boxes";
            return Err(BadInput(reason.into()).into());
        }
    };
    let subject = Subject::new(&model, &Service::default(), &samples)?;
    for note in &subject.notes {
        output::remark(note);
    }
    let experiment = Table::from_iter([
        ("name".into(), text("bound")),
        ("data".into(), Value::Table(subject.data)),
        ("model".into(), Value::Array(vec![Value::Table(subject.model)])),
    ]);
    let experiment = run::parse(&toml::to_string(&experiment)?, Path::new(&model.model))?;
    let passes = super::passes(&place)?;
    watch_interrupts()?;
    let screen = Screen::bare();
    let context = super::context(&place, &passes, &screen, ("bound".into(), false))?;
    let (mut count, mut certified, mut broken, mut seconds) = (0_u64, 0_u64, 0_u64, 0.0);
    let result = bounds(&experiment, &context, &around, method.into(), |bounded| {
        count += 1;
        certified += u64::from(bounded.certified);
        broken += u64::from(least(bounded) <= 0.0);
        seconds += bounded.seconds;
        if json {
            // Whoever reads it sees each sample as it is done.
            let line = serde_json::to_string(bounded)?;
            output::line(&line).map_err(|error| duress_evaluation::Error::Io {
                path: "standard output".into(),
                source: std::io::Error::other(error),
            })?;
        }
        Ok(())
    });
    match result {
        Err(error) if error.is_cancelled() => anyhow::bail!("stopped after {count} samples"),
        other => other?,
    }
    drop(screen);
    if !json {
        output::line(&format!("certified {certified} of {count} samples"))?;
        output::line(&format!("broken    {broken}"))?;
        output::line(&format!("unknown   {}", count - certified - broken))?;
        output::line(&format!("cost      {seconds:.1} s of bounds"))?;
    }
    Ok(())
}

/// The least margin that the attack reached over the other classes.
fn least(bounded: &Bounded) -> f64 {
    let others = bounded.upper.iter().enumerate().filter(|(class, _)| *class != bounded.label);
    others.map(|(_, &margin)| margin).fold(f64::INFINITY, f64::min)
}

fn array(path: &Path) -> Result<Vec<f32>> {
    Ok(npy::read(Input::open(path)?)?.floats())
}
