//! `duress verify --instances`: all properties of a list, what came of them, and a cactus plot.
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use duress_evaluation::Error;
use duress_evaluation::certification::verify::{Options, Outcome};
use duress_evaluation::certification::vnnlib::{Instance, KnownVerdicts, read_instances};
use duress_evaluation::models::atomic;
use duress_evaluation::report::{Cactus, Solved};

use super::{BadInput, Result};
use crate::output;
use crate::progress::{interrupted, watch_interrupts};

/// Checks a property of a network.
pub(super) type Check<'a> = dyn Fn(&Path, &Path, &Options) -> Result<Outcome> + 'a;

/// What is read and written.
pub(super) struct Files<'a> {
    pub(super) instances: &'a Path,
    /// Results, added to.
    pub(super) out: &'a Path,
    /// Verdicts to compare with.
    pub(super) reference: Option<&'a Path>,
}

/// The word for an instance that could not be checked.
const ERROR: &str = "error";

/// What came of one instance.
struct Answer {
    word: String,
    seconds: f64,
}

/// Checks every instance that has no line in the results yet, or one that says that it could not be
/// checked.
pub(super) fn run(files: &Files<'_>, options: &Options, check: &Check<'_>) -> Result<()> {
    let Files { instances: list, out, reference } = files;
    let instances = read_instances(list).map_err(Error::property(list))?;
    let reference = reference
        .map(|path| KnownVerdicts::read(path).map_err(Error::property(path)))
        .transpose()?;
    if [".svg", ".png"].iter().any(|end| out.to_string_lossy().ends_with(end)) {
        let reason = format!("--out {}: give a CSV file; the plot is put beside it", out.display());
        return Err(BadInput(reason).into());
    }
    watch_interrupts()?;
    let done = fs::read_to_string(out).unwrap_or_default();
    let mut results: Vec<Answer> = Vec::with_capacity(instances.len());
    let (mut failed, mut wrong) = (0, 0);
    for instance in &instances {
        let key = format!("{},{},", instance.network.display(), instance.property.display());
        let mut known = done.lines().filter_map(|line| line.strip_prefix(&key)?.split_once(','));
        let result = match known.next_back().filter(|(word, _)| *word != ERROR) {
            Some((word, seconds)) => {
                Answer { word: word.into(), seconds: seconds.parse().unwrap_or(0.0) }
            }
            None if interrupted() => {
                anyhow::bail!("stopped; the same command goes on from here");
            }
            None => {
                let result = one(instance, options, check);
                let line = format!("{key}{},{:.3}\n", result.word, result.seconds);
                let file = OpenOptions::new().create(true).append(true).open(out);
                let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
                written.with_context(|| out.display().to_string())?;
                output::line(line.trim_end())?;
                result
            }
        };
        failed += u64::from(result.word == ERROR);
        let expected = reference.as_ref().and_then(|reference| {
            let holds = reference.holds(&instance.network, &instance.property)?;
            Some(if holds { "unsat" } else { "sat" })
        });
        if let Some(expected) = expected
            && matches!(result.word.as_str(), "sat" | "unsat")
            && result.word != expected
        {
            wrong += 1;
            output::remark(&format!("{key}{}, but the reference says {expected}", result.word));
        }
        results.push(result);
    }
    summary(&results, reference.is_some().then_some(wrong))?;
    plot(&results, list, out)?;
    if wrong > 0 {
        anyhow::bail!("{wrong} verdicts contradict the reference");
    }
    if failed > 0 {
        anyhow::bail!(
            "{failed} of {} instances could not be checked; the same command tries them again",
            instances.len()
        );
    }
    Ok(())
}

fn one(instance: &Instance, options: &Options, check: &Check<'_>) -> Answer {
    let seconds = options.timeout_seconds.min(instance.timeout.as_secs_f64());
    let own = Options { timeout_seconds: seconds, ..options.clone() };
    match check(&instance.network, &instance.property, &own) {
        Ok(outcome) => Answer { word: outcome.verdict.word().into(), seconds: outcome.seconds },
        Err(error) => {
            output::complain(&error);
            Answer { word: ERROR.into(), seconds: 0.0 }
        }
    }
}

/// A line a verdict, and one with all of them.
fn summary(results: &[Answer], wrong: Option<u64>) -> Result<()> {
    let mut verdicts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for result in results {
        verdicts.entry(&result.word).or_default().push(result.seconds);
    }
    let mut counts = Vec::new();
    for (word, mut seconds) in verdicts {
        seconds.sort_by(f64::total_cmp);
        let (median, longest) = (seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
        let count = seconds.len();
        output::line(&format!("{word}  {count}, median {median:.1} s, longest {longest:.1} s"))?;
        counts.push(format!("{word} {count}"));
    }
    counts.extend(wrong.map(|wrong| format!("wrong {wrong}")));
    output::line(&format!("summary  {}", counts.join(", ")))
}

/// How many instances were solved in how many seconds, beside the results.
fn plot(results: &[Answer], list: &Path, out: &Path) -> Result<()> {
    let of = |words: &[&str]| -> Vec<f64> {
        let solved = results.iter().filter(|result| words.contains(&result.word.as_str()));
        solved.map(|result| result.seconds).collect()
    };
    let solved = |name: &str, words: &[&str]| Solved { name: name.into(), seconds: of(words) };
    let series = [
        solved("all", &["sat", "unsat"]),
        solved("unsat: the property holds", &["unsat"]),
        solved("sat: a counterexample", &["sat"]),
    ];
    let series: Vec<Solved> =
        series.into_iter().filter(|series| !series.seconds.is_empty()).collect();
    if series.is_empty() {
        return Ok(());
    }
    let title = list.file_name().unwrap_or_default().to_string_lossy();
    let cactus = Cactus { title: format!("Solved of {title}"), instances: results.len(), series };
    let drawing = cactus.draw()?;
    for (ending, bytes) in [("svg", drawing.svg()?.into_bytes()), ("png", drawing.png()?)] {
        let path = out.with_extension(ending);
        atomic::write(&path, &[&bytes]).map_err(Error::from)?;
    }
    Ok(())
}
