//! `duress verify`: whether a property of a network holds.
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use duress_evaluation::certification::verify::{Options, Outcome, Verdict};
use duress_evaluation::certification::vnnlib::{Counterexample, read_instances};
use duress_evaluation::core::device;
use duress_evaluation::{Error, verify as check};

use super::{BadInput, Result};
use crate::arguments::Verify;
use crate::output;
use crate::progress::{interrupted, watch_interrupts};

pub(super) fn verify(arguments: &Verify) -> Result<()> {
    let Verify { model, property, instances, timeout, counterexample, out, device } = arguments;
    if !(timeout.is_finite() && *timeout >= 0.0) {
        let reason = format!("--timeout must be a number of seconds, got {timeout}");
        return Err(BadInput(reason).into());
    }
    let device = device::open(device).map_err(Error::from)?;
    let options = Options { timeout_seconds: *timeout, ..Options::default() };
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
            let Some(out) = out else {
                let reason = "--instances needs --out, the CSV file that results are added to";
                return Err(BadInput(reason.into()).into());
            };
            let check = |model: &Path, property: &Path, options: &Options| {
                Ok(check(model, property, options, &device)?)
            };
            all(instances, out, &options, &check)
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

/// Checks a property of a network.
type Check<'a> = dyn Fn(&Path, &Path, &Options) -> Result<Outcome> + 'a;

/// Every instance that has no line in the results yet.
fn all(list: &Path, out: &Path, options: &Options, check: &Check<'_>) -> Result<()> {
    let instances = read_instances(list).map_err(Error::property(list))?;
    watch_interrupts()?;
    let done = fs::read_to_string(out).unwrap_or_default();
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    for instance in &instances {
        let key = format!("{},{},", instance.network.display(), instance.property.display());
        let mut known = done.lines().filter_map(|line| line.strip_prefix(&key)?.split_once(','));
        if let Some((word, _)) = known.next_back() {
            *verdicts.entry(word.to_owned()).or_default() += 1;
            continue;
        }
        if interrupted() {
            anyhow::bail!("stopped; the same command goes on from here");
        }
        let seconds = options.timeout_seconds.min(instance.timeout.as_secs_f64());
        let own = Options { timeout_seconds: seconds, ..options.clone() };
        let outcome = check(&instance.network, &instance.property, &own)?;
        let line = format!("{key}{},{:.3}\n", outcome.verdict.word(), outcome.seconds);
        let file = OpenOptions::new().create(true).append(true).open(out);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.with_context(|| out.display().to_string())?;
        output::line(line.trim_end())?;
        *verdicts.entry(outcome.verdict.word().to_owned()).or_default() += 1;
    }
    let counts: Vec<String> =
        verdicts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    output::line(&format!("summary  {}", counts.join(", ")))
}
