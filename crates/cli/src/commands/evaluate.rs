//! `duress evaluate`: a verdict on the user's own model and data.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use duress_evaluation::certification::{CERTIFIERS, find};
use duress_evaluation::core::Norm;
use duress_evaluation::metrics::Proportion;
use duress_evaluation::{
    Journal, Measured, Row, Summary, percent, run as run_experiment, short, write_examples,
    write_report,
};
use toml::{Table, Value};

use super::measure::{attacks, named, threat};
use super::subject::{Kind, Subject, text, token};
use super::{BadInput, Result, run};
use crate::arguments::{Evaluate, Question};
use crate::output;
use crate::progress::{Screen, watch_interrupts};

pub(super) fn evaluate(arguments: Evaluate) -> Result<()> {
    let Evaluate { model, samples, service, question, target, place } = arguments;
    if let Some(share) = question.fail_under
        && !(0.0..=1.0).contains(&share)
    {
        let reason = format!("--fail-under must be a share from 0 to 1, such as 0.4, got {share}");
        return Err(BadInput(reason).into());
    }
    let subject = Subject::new(&model, &service, &samples)?;
    for note in &subject.notes {
        output::remark(note);
    }
    let experiment = experiment(&subject, &question, &samples.data)?;
    let experiment = run::parse(&toml::to_string(&experiment)?, Path::new(&model.model))?;
    let passes = super::passes(&place)?;
    watch_interrupts()?;
    let screen = if target.json { Screen::new(&experiment, true) } else { Screen::bare() };
    let runs = PathBuf::from("duress-runs");
    let own = || runs.join(run::folder_name(&experiment, &place));
    let out = target.out.clone().unwrap_or_else(own);
    let mut context = super::context(&place, &passes, &screen, (out.clone(), target.fresh))?;
    context.token = token(&service)?;
    context.force = question.force;
    let summary = match run_experiment(&experiment, &context) {
        Err(error) if error.is_cancelled() => {
            drop(screen);
            anyhow::bail!("stopped; the same command goes on from here");
        }
        other => other?,
    };
    let journal = Journal::read(&out)?;
    let page = write_report(&journal)?;
    let examples = write_examples(&journal)?;
    drop(screen);
    if !target.json {
        verdict(&summary)?;
        for (what, name) in [("samples", "samples.jsonl"), ("rows", "rows.jsonl")] {
            output::line(&format!("{what:<9}{}", out.join(name).display()))?;
        }
        if let Some(examples) = examples {
            output::line(&format!("examples {}", examples.display()))?;
        }
        output::line(&format!("report   {}", page.display()))?;
    }
    match (question.fail_under, robust(&summary.rows)) {
        (Some(least), Some(robust)) if robust.rate().is_none_or(|rate| rate < least) => {
            anyhow::bail!("robust accuracy {} is under {least}", percent(robust))
        }
        _ => Ok(()),
    }
}

/// The experiment that the flags describe.
fn experiment(subject: &Subject, question: &Question, data: &str) -> Result<Table> {
    let mut attacks = attacks(&question.suite, question.config.as_deref())?;
    if attacks.is_empty() {
        let strongest = strongest(subject, question.norm);
        output::remark(&format!(
            "attack: {} (--suite or --config for others)",
            strongest.join(", ")
        ));
        attacks.extend(strongest.iter().map(|name| named(name)));
    }
    if let Some(budget) = question.budget {
        for attack in attacks.iter_mut().filter_map(Value::as_table_mut) {
            attack.entry("budget").or_insert(Value::Integer(budget as i64));
        }
    }
    let certifiers = certifiers(question)?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = subject.name.chars().map(plain).collect();
    let mut experiment = Table::from_iter([
        ("name".into(), text(&format!("evaluate-{name}"))),
        ("title".into(), text(&format!("{} on {data}", subject.name))),
        ("seed".into(), Value::Integer(i64::from(question.seed))),
        ("data".into(), Value::Table(subject.data.clone())),
        ("model".into(), Value::Array(vec![Value::Table(subject.model.clone())])),
        ("threat".into(), threat(question.norm, question.epsilon.clone())),
        ("attack".into(), Value::Array(attacks)),
    ]);
    if !certifiers.is_empty() {
        experiment.insert("certify".into(), Value::Array(certifiers));
    }
    if question.skip_certified {
        experiment.insert("skip_certified".into(), Value::Boolean(true));
    }
    Ok(experiment)
}

/// The `[[certify]]` tables: their balls are those of the threat.
fn certifiers(question: &Question) -> Result<Vec<Value>> {
    let norm = question.norm;
    let Question { certify, certify_config, epsilon, certify_samples, .. } = question;
    let mut tables = super::measure::certifiers(certify, certify_config.as_deref(), epsilon)?;
    for table in tables.iter_mut().filter_map(Value::as_table_mut) {
        let name = table.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(samples) = certify_samples {
            table.entry("samples").or_insert(Value::Integer(i64::from(*samples)));
        }
        // An unknown name is refused where experiments are read.
        let Some(entry) = find(&name) else { continue };
        if (entry.defaults)().contains_key("norm") {
            table.entry("norm").or_insert(text(&norm.to_string()));
        } else if entry.norm != norm {
            let other: Vec<&str> = CERTIFIERS
                .iter()
                .filter(|other| other.norm == norm || (other.defaults)().contains_key("norm"))
                .map(|other| other.name)
                .collect();
            return Err(BadInput(format!(
                "--certify {name} certifies {} balls and the threat is {norm}; for {norm} there \
                 are: {}",
                entry.norm,
                other.join(", ")
            ))
            .into());
        }
    }
    Ok(tables)
}

/// The strongest attacks for what the model answers.
fn strongest(subject: &Subject, norm: Norm) -> Vec<&'static str> {
    match (&subject.kind, subject.labels_only, norm) {
        (Kind::Service, true, Norm::L0) => vec!["pointwise"],
        (Kind::Service, true, Norm::Linf) => vec!["rays", "hop-skip-jump"],
        (Kind::Service, true, _) => vec!["hop-skip-jump"],
        (Kind::Service, false, Norm::L0) => vec!["sparse-rs"],
        (Kind::Service, false, _) => vec!["square"],
        (_, _, Norm::L0) => vec!["sigma-zero", "sparse-rs"],
        _ => vec!["autoattack-standard"],
    }
}

/// Prints what was found.
fn verdict(summary: &Summary) -> Result<()> {
    for row in &summary.rows {
        match &row.measured {
            Measured::Clean { correct, .. } => {
                let accuracy = Proportion::new(*correct, row.samples)?;
                output::line(&format!(
                    "clean    {}  of {} samples",
                    percent(accuracy),
                    row.samples
                ))?;
            }
            Measured::WorstCase { norm, epsilon, robust_correct, broken_by, .. } => {
                let accuracy = Proportion::new(*robust_correct, row.samples)?;
                output::line(&format!(
                    "robust   {}  {norm} {}",
                    percent(accuracy),
                    short(*epsilon)
                ))?;
                output::line(&format!("broken   {}", shares(broken_by, row.samples)))?;
            }
            Measured::Certified { certifier, norm, radii, certified_correct, .. } => {
                for (radius, count) in radii.iter().zip(certified_correct) {
                    let accuracy = percent(Proportion::new(*count, row.samples)?);
                    let (samples, radius) = (row.samples, short(*radius));
                    output::line(&format!(
                        "proved   {accuracy}  {norm} {radius} by {certifier}, of {samples} samples"
                    ))?;
                }
            }
            Measured::TwoSided { certifier, norm, epsilon, open, .. } => {
                let gap = percent(Proportion::new(*open, row.samples)?);
                let radius = short(*epsilon);
                output::line(&format!(
                    "open     {gap}  {norm} {radius}: neither broken nor proved by {certifier}"
                ))?;
            }
            _ => {}
        }
    }
    let (mut seconds, mut forwards, mut backwards) = (0.0, 0, 0);
    for row in summary.rows.iter().filter(|row| matches!(row.measured, Measured::Attack { .. })) {
        seconds += row.seconds;
        forwards += row.forwards;
        backwards += row.backwards;
    }
    output::line(&format!("cost     {seconds:.1} s, {forwards} queries, {backwards} gradients"))?;
    for check in &summary.checks {
        output::line(&format!("check    {}", check.text))?;
    }
    Ok(())
}

/// Which attack broke which share.
fn shares(broken_by: &BTreeMap<String, u64>, samples: u64) -> String {
    if broken_by.is_empty() {
        return "none".into();
    }
    let mut parts: Vec<(&String, u64)> =
        broken_by.iter().map(|(name, count)| (name, *count)).collect();
    parts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let part = |(name, count): &(&String, u64)| {
        format!("{name} {count} ({:.1} %)", 100.0 * *count as f64 / samples as f64)
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// Robust accuracy at the headline radius.
fn robust(rows: &[Row]) -> Option<Proportion> {
    rows.iter().find_map(|row| match row.measured {
        Measured::WorstCase { headline: true, robust_correct, .. } => {
            Proportion::new(robust_correct, row.samples).ok()
        }
        _ => None,
    })
}
