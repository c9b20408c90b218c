//! The files of rows are read by others: each field they have is explained in the README.
use std::collections::BTreeSet;

use duress_core::{Norm, Stage};
use serde_json::Value;

use super::{Measured, SampleRow};
use crate::fixtures::{
    attack, broken, certified, detection, transfer, two_sided, undetected, watched, worst_case,
};

const README: &str = include_str!("../../README.md");

/// The keys of an object.
fn fields(value: &impl serde::Serialize) -> BTreeSet<String> {
    let Value::Object(map) = serde_json::to_value(value).unwrap() else { panic!("an object") };
    map.into_iter().map(|(key, _)| key).collect()
}

/// The field names in the tables of a section, from its heading to the next of its rank or above.
fn documented(heading: &str) -> BTreeSet<String> {
    let rank = |line: &str| line.chars().take_while(|&sign| sign == '#').count();
    let mut lines = README.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "no section `{heading}`");
    let section = lines.take_while(|line| !(1..=rank(heading)).contains(&rank(line)));
    let rows = section.filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name.to_owned()).collect()
}

/// Row fields are those of a measurement and of its kind; each kind has a table of its own.
#[test]
fn every_field_of_a_row_is_in_the_readme() {
    let mut attacked = attack("m", "pgd", 0.1, 30);
    if let Measured::Attack {
        surrogate,
        model_draws,
        unaware,
        stages,
        proved,
        abstained,
        mean_cost,
        ..
    } = &mut attacked.measured
    {
        *proved = 1;
        (*abstained, *mean_cost) = (Some(1), Some(0.5));
        *unaware = true;
        *surrogate = Some("n".into());
        *model_draws = Some(20);
        stages.push(Stage { label: "a".into(), given: 1, broken: 0 });
        assert_eq!(documented("#### `stages`"), fields(&stages[0]));
    }
    let mut defended = watched("m", 80, 70);
    if let Measured::Clean { gradient, abstained, mean_cost, watched: Some(watched), .. } =
        &mut defended.measured
    {
        (*abstained, *mean_cost) = (Some(1), Some(0.5));
        *gradient = Some("identity".into());
        let all = fields(watched).union(&fields(&watched.best)).cloned().collect();
        assert_eq!(documented("#### `watched`"), all);
    }
    let common = documented("### Every row");
    for (kind, row) in [
        ("clean", defended),
        ("attack", attacked),
        ("worst_case", worst_case("m", 0.1, true, 30)),
        ("certified", certified("m", Norm::L2, 0.001)),
        ("two_sided", two_sided("m", 0.1, [10, 30, 40, 20])),
        ("transfer", transfer("m", "n", 60, 30)),
        ("detection", detection("m", "pgd", 40)),
        ("undetected", undetected("m", "joint-pgd", 0.05, 30)),
    ] {
        let value = serde_json::to_value(&row.measured).unwrap();
        assert_eq!(value["kind"], kind);
        let mut of_kind = fields(&row.measured);
        of_kind.remove("kind");
        let mut shown = documented(&format!("### `kind`: `{kind}`"));
        for (of, part) in [("attack", "#### `stages`"), ("clean", "#### `watched`")] {
            if kind == of {
                let mut inner = documented(part);
                // A field of the row too.
                inner.remove("correct");
                shown = shown.difference(&inner).cloned().collect();
            }
        }
        assert_eq!(shown, of_kind, "{kind}");
        let all: BTreeSet<String> = common.union(&of_kind).cloned().collect();
        assert_eq!(all, fields(&row), "{kind}");
    }
}

#[test]
fn every_field_of_a_sample_is_in_the_readme() {
    let line = broken(&attack("m", "pgd", 0.1, 30), 3, Norm::L2, 0.1);
    let line = SampleRow { certified: Some(0.0), ..line };
    assert_eq!(documented("## `measurements.jsonl` and `samples.jsonl`"), fields(&line));
}
