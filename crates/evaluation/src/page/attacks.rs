//! What each attack did at the headline radius, and what the members of suites did.
use duress_core::Norm;
use duress_metrics::Proportion;

use super::comparison::short;
use crate::report::{Cell, Table};
use crate::row::{Measured, Row};

/// One table a threat: a line an attack, a column a model.
pub(super) fn tables(rows: &[Row]) -> Vec<(String, Table)> {
    headlines(rows).into_iter().map(|(norm, radius)| table(rows, norm, radius)).collect()
}

/// The norms with the radius of the comparison table, in the order of the rows.
fn headlines(rows: &[Row]) -> Vec<(Norm, f64)> {
    let mut found: Vec<(Norm, f64)> = Vec::new();
    for row in rows {
        if let Measured::WorstCase { norm, epsilon, headline: true, .. } = row.measured
            && !found.iter().any(|(known, _)| *known == norm)
        {
            found.push((norm, epsilon));
        }
    }
    found
}

/// An attack and, of a transfer attack, its surrogate.
type Named<'a> = (&'a str, Option<&'a str>);

fn table(rows: &[Row], norm: Norm, radius: f64) -> (String, Table) {
    let of_threat = || rows.iter().filter(|row| at(row, norm, radius).is_some());
    let mut models: Vec<&str> = Vec::new();
    let mut attacks: Vec<Named<'_>> = Vec::new();
    for row in of_threat() {
        if !models.contains(&row.model.as_str()) {
            models.push(&row.model);
        }
        if let Some(attack) = at(row, norm, radius)
            && !attacks.contains(&attack)
        {
            attacks.push(attack);
        }
    }
    let lines = attacks.iter().map(|attack| {
        let own = || of_threat().filter(|row| at(row, norm, radius) == Some(*attack));
        let name = Cell {
            text: attack.0.to_owned(),
            interval: attack.1.map(|surrogate| format!("made on {surrogate}")),
            bar: None,
        };
        let results = models
            .iter()
            .map(|model| own().find(|row| row.model == **model).map_or_else(dash, result));
        let passes: u64 = own().map(|row| row.forwards + row.backwards).sum();
        let samples: u64 = own().map(|row| row.samples).sum();
        let passes = passes as f64 / samples.max(1) as f64;
        std::iter::once(name).chain(results).chain([Cell::text(format!("{passes:.0}"))]).collect()
    });
    let columns = std::iter::once("attack")
        .chain(models.iter().copied())
        .chain(["passes a sample"])
        .map(str::to_owned);
    let table = Table {
        caption: "Correct samples that the attack by itself did not break. Small print: 95 % \
                  Wilson interval, and the median distance of the points it found (for a search \
                  of the nearest point also of those outside the ball). A dash: not run, as on an \
                  attack's own surrogate."
            .into(),
        columns: columns.collect(),
        rows: lines.collect(),
    };
    (format!("Each attack at {norm} {}", short(radius)), table)
}

/// The attack of a row of this threat and radius.
fn at(row: &Row, norm: Norm, radius: f64) -> Option<Named<'_>> {
    match &row.measured {
        Measured::Attack { attack, surrogate, norm: own, epsilon, .. }
            if *own == norm && epsilon.to_bits() == radius.to_bits() =>
        {
            Some((attack, surrogate.as_deref()))
        }
        _ => None,
    }
}

fn dash() -> Cell {
    Cell::text("–")
}

fn result(row: &Row) -> Cell {
    let Measured::Attack { robust_correct, median_distance, .. } = &row.measured else {
        return dash();
    };
    let mut cell = Cell::rate(Proportion::new(*robust_correct, row.samples).unwrap_or_default());
    if let Some(distance) = median_distance {
        let interval = cell.interval.unwrap_or_default();
        cell.interval = Some(format!("{interval} · median {}", significant(*distance)));
    }
    cell
}

/// Three significant digits.
fn significant(value: f64) -> String {
    let whole = value.abs().max(f64::MIN_POSITIVE).log10().floor();
    let decimals = (2.0 - whole).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// The members of suites: what each was given and broke, at the headline radii.
pub(super) fn stages(rows: &[Row]) -> Option<Table> {
    let headlines = headlines(rows);
    let mut lines = Vec::new();
    for row in rows {
        let Measured::Attack { norm, epsilon, stages, .. } = &row.measured else { continue };
        let headline = headlines.iter().any(|(n, e)| n == norm && e.to_bits() == epsilon.to_bits());
        if !headline {
            continue;
        }
        lines.extend(stages.iter().map(|stage| {
            vec![
                Cell::text(&stage.label),
                Cell::text(&row.model),
                Cell::text(format!("{norm} {}", short(*epsilon))),
                Cell::text(stage.given.to_string()),
                Cell::text(stage.broken.to_string()),
            ]
        }));
    }
    let columns = ["member", "model", "threat", "given", "broken"].map(str::to_owned);
    (!lines.is_empty()).then(|| Table {
        caption: "A suite runs its members in this order, each on the samples that those before \
                  it left: given, samples it attacked; broken, those of them it broke."
            .into(),
        columns: columns.to_vec(),
        rows: lines,
    })
}

#[cfg(test)]
mod tests {
    use duress_core::Stage;

    use super::*;
    use crate::fixtures::{attack, clean, worst_case};

    fn texts(table: &Table) -> Vec<Vec<&str>> {
        table.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect()).collect()
    }

    #[test]
    fn a_line_an_attack_and_a_column_a_model_at_the_headline() {
        let mut handed = attack("b", "mi-fgsm", 0.1, 80);
        if let Measured::Attack { surrogate, .. } = &mut handed.measured {
            *surrogate = Some("a".into());
        }
        let rows = [
            clean("a", 90),
            attack("a", "pgd", 0.1, 50),
            attack("a", "pgd", 0.2, 5),
            worst_case("a", 0.1, true, 45),
            worst_case("a", 0.2, false, 5),
            attack("b", "pgd", 0.1, 60),
            handed,
            worst_case("b", 0.1, true, 60),
        ];
        let found = tables(&rows);
        let [(title, table)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(title, "Each attack at linf 0.1");
        assert_eq!(table.columns, ["attack", "a", "b", "passes a sample"]);
        assert_eq!(
            texts(table),
            [["pgd", "50.00 %", "60.00 %", "11"], ["mi-fgsm", "–", "80.00 %", "11"]]
        );
        assert_eq!(table.rows[1][0].interval.as_deref(), Some("made on a"));
        let small = table.rows[0][1].interval.as_deref();
        assert_eq!(small, Some("[40.38, 59.62] · median 0.1"));
        assert!(stages(&rows).is_none() && tables(&rows[..1]).is_empty());
    }

    #[test]
    fn members_of_a_suite_stand_with_what_they_were_given_and_broke() {
        let mut suite = attack("a", "worst-of", 0.1, 40);
        if let Measured::Attack { stages, .. } = &mut suite.measured {
            let stage = |label: &str, given, broken| Stage { label: label.into(), given, broken };
            *stages = vec![stage("worst-of/fgm", 90, 30), stage("worst-of/pgd", 60, 20)];
        }
        let rows = [suite, worst_case("a", 0.1, true, 40)];
        let table = stages(&rows).unwrap();
        let expected = [
            ["worst-of/fgm", "a", "linf 0.1", "90", "30"],
            ["worst-of/pgd", "a", "linf 0.1", "60", "20"],
        ];
        assert_eq!(texts(&table), expected);
    }

    #[test]
    fn distances_have_three_digits() {
        let texts = [0.123_456, 2.0, 12.345, 123.45, 0.000_123_4, 0.0].map(significant);
        assert_eq!(texts, ["0.123", "2", "12.3", "123", "0.000123", "0"]);
    }
}
