//! What detectors flag, and who gets past them.
use duress_core::Norm;
use duress_metrics::{Interval, Proportion};

use super::comparison::short;
use crate::report::{Cell, Table};
use crate::row::{Measured, Row};
use crate::run::WORST_CASE;

/// Rates in percent, as in `1 %`.
fn percent(rate: f64) -> String {
    format!("{} %", (1e6 * rate).round() / 1e4)
}

fn threat(norm: Norm, epsilon: f64) -> String {
    format!("{norm} {}", short(epsilon))
}

/// The detectors against attacks that know nothing of them: a line a detector and attack.
pub(super) fn oblivious(rows: &[Row]) -> Option<Table> {
    let mut lines = Vec::new();
    let mut columns: Vec<f64> = Vec::new();
    let rates = rows.iter().filter_map(|row| match &row.measured {
        Measured::Detection { rates, .. } => Some(rates),
        _ => None,
    });
    for rate in rates.flatten() {
        if !columns.contains(rate) {
            columns.push(*rate);
        }
    }
    columns.sort_unstable_by(f64::total_cmp);
    for row in rows {
        let Measured::Detection {
            detector,
            attack,
            seen,
            norm,
            epsilon,
            adversarial,
            auc,
            auc_lower,
            auc_upper,
            rates,
            flagged_adversarial,
            clean_correct,
            flagged_clean,
            ..
        } = &row.measured
        else {
            continue;
        };
        let area = match (auc, auc_lower, auc_upper) {
            (Some(auc), Some(lower), Some(upper)) => Cell {
                text: format!("{:.2} %", 100.0 * auc),
                interval: Some(Interval { lower: *lower, upper: *upper }.to_string()),
                bar: Some(*auc),
            },
            _ => Cell::text("–"),
        };
        let name = Cell {
            text: detector.clone(),
            interval: Some(format!("{} · {}", row.model, threat(*norm, *epsilon))),
            bar: None,
        };
        let known = Cell {
            text: attack.clone(),
            interval: Some(format!(
                "{adversarial} samples{}",
                if *seen { " · fitted on" } else { "" }
            )),
            bar: None,
        };
        let mut line = vec![name, known, area];
        for column in &columns {
            let Some(place) = rates.iter().position(|rate| rate.to_bits() == column.to_bits())
            else {
                line.push(Cell::text("–"));
                continue;
            };
            let share = |part, whole| Proportion::new(part, whole).unwrap_or_default();
            let mut cell = Cell::rate(share(flagged_adversarial[place], *adversarial));
            if let Some(rate) = share(flagged_clean[place], *clean_correct).rate() {
                let interval = cell.interval.unwrap_or_default();
                cell.interval = Some(format!("{interval} · clean {:.1} %", 100.0 * rate));
            }
            line.push(cell);
        }
        lines.push(line);
    }
    let titles = columns.iter().map(|rate| format!("flagged at {}", percent(*rate)));
    let columns = ["detector", "attack", "AUC"].map(str::to_owned).into_iter().chain(titles);
    (!lines.is_empty()).then(|| Table {
        caption: "Attacks that know nothing of the detector. AUC: of the points that an attack \
                  broke against the clean samples they were made of (brackets: 95 %, Newcombe's \
                  method 5). Flagged: the share of those points above a threshold that flags at \
                  most so many clean validation samples (brackets: 95 % Wilson), and the share of \
                  clean test samples above it."
            .into(),
        columns: columns.collect(),
        rows: lines,
    })
}

/// The detectors against attacks on model and detector together: a line a detector and rate.
pub(super) fn adaptive(rows: &[Row]) -> Option<Table> {
    let mut attacks: Vec<&str> = Vec::new();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in rows {
        let Measured::Undetected {
            detector,
            attack,
            norm,
            epsilon,
            rate,
            clean_passed,
            wrong_passed,
            evaded,
            ..
        } = &row.measured
        else {
            continue;
        };
        if !attacks.contains(&attack.as_str()) && attack != WORST_CASE {
            attacks.push(attack);
        }
        let threat = threat(*norm, *epsilon);
        let of = (row.model.as_str(), detector.as_str(), threat, rate.to_bits());
        let undetected = (attack.as_str(), wrong_passed + evaded);
        match lines.iter_mut().find(|line| line.of == of) {
            Some(line) => line.undetected.push(undetected),
            None => lines.push(Line {
                of,
                samples: row.samples,
                passed: *clean_passed,
                undetected: vec![undetected],
            }),
        }
    }
    if lines.is_empty() {
        return None;
    }
    attacks.push(WORST_CASE);
    let rows = lines.into_iter().map(|line| {
        let (model, detector, threat, rate) = line.of;
        let interval = Some(format!("{model} · {threat}"));
        let name = Cell { text: detector.to_owned(), interval, bar: None };
        let share = |count| Cell::rate(Proportion::new(count, line.samples).unwrap_or_default());
        let of = |attack: &&str| {
            let found = line.undetected.iter().find(|(name, _)| name == attack);
            found.map_or_else(|| Cell::text("–"), |(_, count)| share(*count))
        };
        let head = [name, Cell::text(percent(f64::from_bits(rate))), share(line.passed)];
        head.into_iter().chain(attacks.iter().map(of)).collect()
    });
    let rows = rows.collect();
    let columns = ["detector", "false positives", "right and passed, clean"]
        .into_iter()
        .chain(attacks.iter().copied())
        .map(str::to_owned);
    Some(Table {
        caption: "Attacks on model and detector together: the share of test samples that end \
                  misclassified and undetected, judged by a fresh pass of both. Worst case: by any \
                  of the attacks. Brackets: 95 % Wilson intervals."
            .into(),
        columns: columns.collect(),
        rows,
    })
}

/// What became of the samples behind one detector at one rate.
struct Line<'a> {
    /// Model, detector, threat and the bits of the rate.
    of: (&'a str, &'a str, String, u64),
    samples: u64,
    /// Samples that are right and pass without an attack.
    passed: u64,
    /// Samples that are wrong and pass, by attack.
    undetected: Vec<(&'a str, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{clean, detection, undetected};

    fn texts(table: &Table) -> Vec<Vec<&str>> {
        table.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect()).collect()
    }

    #[test]
    fn a_line_a_detector_and_attack_with_area_and_rates() {
        let rows = [clean("m", 90), detection("m", "pgd", 40), detection("m", "fgm", 0)];
        let table = oblivious(&rows).unwrap();
        let columns = ["detector", "attack", "AUC", "flagged at 1 %", "flagged at 5 %"];
        assert_eq!(table.columns, columns);
        let expected =
            [["lid", "pgd", "75.00 %", "25.00 %", "50.00 %"], ["lid", "fgm", "–", "–", "–"]];
        assert_eq!(texts(&table), expected);
        assert_eq!(table.rows[0][2].interval.as_deref(), Some("[60.00, 90.00]"));
        assert!(table.rows[0][4].interval.as_deref().unwrap().ends_with("clean 5.6 %"));
        assert_eq!(table.rows[0][1].interval.as_deref(), Some("40 samples · fitted on"));
        assert!(oblivious(&rows[..1]).is_none() && adaptive(&rows).is_none());
    }

    #[test]
    fn a_line_a_rate_and_a_column_an_attack_with_the_worst_case_last() {
        let rows = [
            undetected("m", "joint-pgd", 0.01, 30),
            undetected("m", "selective-pgd", 0.01, 50),
            undetected("m", "worst-case", 0.01, 60),
            undetected("m", "worst-case", 0.05, 20),
        ];
        let table = adaptive(&rows).unwrap();
        assert_eq!(table.columns[3..], ["joint-pgd", "selective-pgd", "worst-case"]);
        let expected = [
            ["lid", "1 %", "85.00 %", "32.00 %", "52.00 %", "62.00 %"],
            ["lid", "5 %", "85.00 %", "–", "–", "22.00 %"],
        ];
        assert_eq!(texts(&table), expected);
    }
}
