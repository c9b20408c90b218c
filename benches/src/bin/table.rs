//! Prints the tables of `benches/README.md` from what criterion measured.
//!
//! `cargo run -p duress-benches --bin table [-- FOLDER]`; the folder is criterion's, by default
//! `target/criterion` below the target folder of the build.
#![allow(clippy::print_stdout, reason = "a program that prints tables")]
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Ratios with a goal: the benchmark's name, the goal, and whether more is better.
const GOALS: &[(&str, f64, bool)] =
    &[("workers-pgd-linf", 1.6, true), ("pgd-linf-over-gradient", 1.1, false)];

/// One benchmark: elements an iteration (if counted), and the median with its confidence interval
/// in nanoseconds or, for ratios, as measured.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figure {
    elements: Option<f64>,
    median: f64,
    interval: [f64; 2],
}

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map_or_else(default_folder, |path| Ok(path.into()))?;
    let mut groups: BTreeMap<String, BTreeMap<String, Figure>> = BTreeMap::new();
    collect(&folder, &mut groups)?;
    if groups.is_empty() {
        bail!("no estimates in {}: run the benches first", folder.display());
    }
    for (group, figures) in &groups {
        print!("{}", table(group, figures));
    }
    Ok(())
}

/// `criterion` in the folder that holds this program's profile folder.
fn default_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("where this program is")?;
    let target = program.ancestors().nth(2).context("the program is in no target folder")?;
    Ok(target.join("criterion"))
}

/// Reads every `new/benchmark.json` with the `estimates.json` beside it.
fn collect(folder: &Path, groups: &mut BTreeMap<String, BTreeMap<String, Figure>>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "new") {
            let (about, estimates) =
                (read(&path.join("benchmark.json"))?, read(&path.join("estimates.json"))?);
            let (group, name, figure) = parse(&about, &estimates)
                .with_context(|| format!("{} is not as criterion writes it", path.display()))?;
            groups.entry(group).or_default().insert(name, figure);
        } else {
            collect(&path, groups)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

fn parse(about: &Value, estimates: &Value) -> Option<(String, String, Figure)> {
    let text = |key: &str| about.get(key).and_then(Value::as_str);
    let group = text("group_id")?.to_owned();
    let name: Vec<&str> = [text("function_id"), text("value_str")].into_iter().flatten().collect();
    let median = estimates.get("median")?;
    let interval = median.get("confidence_interval")?;
    let figure = Figure {
        elements: about.get("throughput").and_then(|it| it.get("Elements")?.as_f64()),
        median: median.get("point_estimate")?.as_f64()?,
        interval: [interval.get("lower_bound")?.as_f64()?, interval.get("upper_bound")?.as_f64()?],
    };
    Some((group, name.join(" "), figure))
}

fn table(group: &str, figures: &BTreeMap<String, Figure>) -> String {
    let ratios = group.starts_with("ratio-");
    let head = if ratios {
        "| ratio | median | 95 % interval | goal |\n|---|---|---|---|\n"
    } else {
        "| benchmark | ms | 95 % interval | per second |\n|---|---|---|---|\n"
    };
    let rows = figures.iter().map(
        |(name, figure)| {
            if ratios { ratio(name, *figure) } else { time(name, *figure) }
        },
    );
    format!("### {group}\n\n{head}{}\n", rows.collect::<String>())
}

fn ratio(name: &str, Figure { median, interval: [low, high], .. }: Figure) -> String {
    let goal =
        GOALS.iter().find(|(of, ..)| *of == name).map_or(String::new(), |(_, goal, more)| {
            let (sign, met) =
                if *more { ("≥", median >= *goal) } else { ("≤", median <= *goal) };
            format!("{sign} {goal:.2}: {}", if met { "met" } else { "missed" })
        });
    format!("| {name} | {median:.2} | {low:.2} to {high:.2} | {goal} |\n")
}

fn time(name: &str, Figure { elements, median, interval: [low, high] }: Figure) -> String {
    let [millis, low, high] = [median, low, high].map(|nanos| nanos / 1e6);
    let rate = elements.map_or(String::new(), |count| format!("{:.0}", count / median * 1e9));
    format!("| {name} | {millis:.2} | {low:.2} to {high:.2} | {rate} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn estimates(median: f64) -> Value {
        let interval = json!({ "lower_bound": median * 0.5, "upper_bound": median * 2.0 });
        json!({ "median": { "point_estimate": median, "confidence_interval": interval } })
    }

    #[test]
    fn a_time_becomes_milliseconds_and_elements_a_second() {
        let about = json!({
            "group_id": "passes-small_cnn", "function_id": "forward", "value_str": "128",
            "throughput": { "Elements": 128 },
        });
        let (group, name, figure) = parse(&about, &estimates(4e6)).unwrap();
        let got = table(&group, &BTreeMap::from([(name, figure)]));
        assert!(got.ends_with("| forward 128 | 4.00 | 2.00 to 8.00 | 32000 |\n\n"), "{got}");
    }

    #[test]
    fn a_ratio_says_whether_its_goal_is_met() {
        let about = |name| json!({ "group_id": "ratio-resnet8", "function_id": name });
        for (name, median, verdict) in [
            ("pgd-linf-over-gradient", 1.05, "≤ 1.10: met"),
            ("pgd-linf-over-gradient", 1.2, "≤ 1.10: missed"),
            ("workers-pgd-linf", 1.7, "≥ 1.60: met"),
            ("workers-pgd-linf", 1.5, "≥ 1.60: missed"),
        ] {
            let (group, name, figure) = parse(&about(name), &estimates(median)).unwrap();
            assert!(table(&group, &BTreeMap::from([(name, figure)])).contains(verdict));
        }
    }

    #[test]
    fn what_criterion_did_not_write_is_not_a_figure() {
        assert_eq!(parse(&json!({ "group_id": "a" }), &json!({})), None);
    }
}
