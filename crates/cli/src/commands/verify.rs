//! `duress verify`: whether a property of a network holds.
use std::path::Path;

use duress_evaluation::certification::verify::{Options, Outcome, Verdict};
use duress_evaluation::certification::vnnlib::Counterexample;
use duress_evaluation::core::device;
use duress_evaluation::{Error, verify as check};

use super::{BadInput, Result, benchmark};
use crate::arguments::Verify;
use crate::output;

pub(super) fn verify(arguments: &Verify) -> Result<()> {
    let Verify { model, property, instances, timeout, counterexample, .. } = arguments;
    if !(timeout.is_finite() && *timeout >= 0.0) {
        let reason = format!("--timeout must be a number of seconds, got {timeout}");
        return Err(BadInput(reason).into());
    }
    let device = device::open(&arguments.device).map_err(Error::from)?;
    let complete = arguments.complete.into();
    let options = Options { timeout_seconds: *timeout, complete, ..Options::default() };
    match (model, property, instances) {
        (Some(model), Some(property), None) => {
            let outcome = check(model, property, &options, &device)?;
            output::line(outcome.verdict.word())?;
            if let Some(found) = text(&outcome)? {
                output::line(&found.to_string())?;
                if let Some(path) = counterexample {
                    found.write(path).map_err(Error::property(path))?;
                }
            }
            let Outcome { boxes, seconds, .. } = outcome;
            output::remark(&format!("{seconds:.1} s, {boxes} boxes"));
            Ok(())
        }
        (None, None, Some(instances)) => {
            let Some(out) = &arguments.out else {
                let reason = "--instances needs --out, the CSV file that results are added to";
                return Err(BadInput(reason.into()).into());
            };
            let check = |model: &Path, property: &Path, options: &Options| {
                Ok(check(model, property, options, &device)?)
            };
            let files =
                benchmark::Files { instances, out, reference: arguments.reference.as_deref() };
            benchmark::run(&files, &options, &check)
        }
        _ => {
            let reason = "give --model and --property, or --instances and --out";
            Err(BadInput(reason.into()).into())
        }
    }
}

fn text(outcome: &Outcome) -> Result<Option<Counterexample>> {
    match &outcome.verdict {
        Verdict::Violated { inputs, outputs } => {
            let found = Counterexample::new(inputs.clone(), outputs.clone());
            Ok(Some(found?))
        }
        _ => Ok(None),
    }
}
