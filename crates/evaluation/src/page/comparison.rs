//! One line a model: clean, robust, certified, cost.
use std::fmt::Write as _;

use duress_core::Norm;
use duress_metrics::{Confidence, Proportion};

use crate::report::{Cell, Table};
use crate::row::{Measured, Row};
use crate::run::is_search;

/// Accuracy under one threat, or certified at one radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius.
    pub radius: f64,
    /// The certifier; `None` for accuracy under attacks.
    pub by: Option<String>,
    /// Samples that are correct there.
    pub accuracy: Proportion,
}

impl Column {
    /// Norm and radius, as in `linf 0.1`, and the certifier, as in `l2 0.5 by smoothing`.
    #[must_use]
    pub fn title(&self) -> String {
        let place = format!("{} {}", self.norm, short(self.radius));
        self.by.as_ref().map_or(place.clone(), |by| certified_by(&place, by))
    }
}

/// The title of what `certifier` certifies at `place`.
#[must_use]
pub fn certified_by(place: &str, certifier: &str) -> String {
    format!("{place} by {certifier}")
}

/// What a run found about one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the model.
    pub model: String,
    /// Name of its defence.
    pub defense: String,
    /// Accuracy without an adversary.
    pub clean: Proportion,
    /// What the strongest attack leaves that knows nothing of the defence, at the headline of each
    /// threat: how a defence looks, not how it is.
    pub unaware: Vec<Column>,
    /// Worst case over attacks, at the headline of each threat.
    pub robust: Vec<Column>,
    /// Certified accuracy at each radius.
    pub certified: Vec<Column>,
    /// Seconds of the training.
    pub training_seconds: f64,
    /// Seconds of all attacks.
    pub attack_seconds: f64,
    /// Forward and backward passes of all attacks, for each sample.
    pub passes: f64,
}

pub(super) fn of(rows: &[Row]) -> Vec<Comparison> {
    let mut models: Vec<Comparison> = Vec::new();
    let mut counted: Vec<(&str, &str, Norm)> = Vec::new();
    for row in rows {
        let share = |count: u64| Proportion::new(count, row.samples).unwrap_or_default();
        if let Measured::Clean { correct, defense, training_seconds, .. } = &row.measured {
            models.push(Comparison {
                model: row.model.clone(),
                defense: defense.clone(),
                clean: share(*correct),
                unaware: Vec::new(),
                robust: Vec::new(),
                certified: Vec::new(),
                training_seconds: *training_seconds,
                attack_seconds: 0.0,
                passes: 0.0,
            });
        }
        let Some(model) = models.iter_mut().find(|model| model.model == row.model) else {
            continue;
        };
        match &row.measured {
            Measured::Attack { attack, algorithm, norm, .. } => {
                let search = (row.model.as_str(), attack.as_str(), *norm);
                if counted.contains(&search) {
                    continue;
                }
                if answers_for_all_radii(algorithm) {
                    counted.push(search);
                }
                model.attack_seconds += row.seconds;
                model.passes += (row.forwards + row.backwards) as f64 / row.samples.max(1) as f64;
            }
            Measured::WorstCase { norm, epsilon, headline: true, robust_correct, .. } => {
                let accuracy = share(*robust_correct);
                let (norm, radius) = (*norm, *epsilon);
                model.unaware.extend(unaware(rows, row, norm, radius));
                model.robust.push(Column { norm, radius, by: None, accuracy });
            }
            Measured::Certified { certifier, norm, radii, certified_correct, .. } => {
                for (&radius, &count) in radii.iter().zip(certified_correct) {
                    let accuracy = share(count);
                    let (norm, by) = (*norm, Some(certifier.clone()));
                    model.certified.push(Column { norm, radius, by, accuracy });
                }
            }
            _ => {}
        }
    }
    models
}

/// The strongest of the attacks on the model of `worst` that know nothing of its defence.
fn unaware(rows: &[Row], worst: &Row, norm: Norm, radius: f64) -> Option<Column> {
    let left =
        rows.iter().filter(|row| row.model == worst.model).filter_map(|row| match &row.measured {
            Measured::Attack { unaware: true, norm: own, epsilon, robust_correct, .. }
                if *own == norm && epsilon.to_bits() == radius.to_bits() =>
            {
                Proportion::new(*robust_correct, row.samples).ok()
            }
            _ => None,
        });
    let accuracy = left.min_by_key(|share| share.successes())?;
    Some(Column { norm, radius, by: None, accuracy })
}

/// Whether each row of the attack states the cost of one search for all of them.
fn answers_for_all_radii(algorithm: &str) -> bool {
    let attack =
        duress_attacks::find(algorithm).and_then(|entry| (entry.parse)(toml::Table::new()).ok());
    attack.is_some_and(|attack| is_search(&attack))
}

/// The table of the report.
pub(super) fn table(models: &[Comparison]) -> Table {
    let unaware = titles(models, |model| &model.unaware);
    let robust = titles(models, |model| &model.robust);
    let certified = titles(models, |model| &model.certified);
    let mut columns = vec!["model".to_string(), "defence".into(), "clean".into()];
    columns.extend(unaware.iter().map(|title| format!("under unaware attacks, {title}")));
    columns.extend(robust.iter().map(|title| format!("robust, {title}")));
    columns.extend(certified.iter().map(|title| format!("certified, {title}")));
    columns.extend(["training, s".into(), "passes a sample".into()]);
    let rows = models.iter().map(|model| {
        let mut cells =
            vec![Cell::text(&model.model), Cell::text(&model.defense), Cell::rate(model.clean)];
        for (titles, own) in
            [(&unaware, &model.unaware), (&robust, &model.robust), (&certified, &model.certified)]
        {
            cells.extend(titles.iter().map(|title| find(own, title)));
        }
        cells.push(Cell::text(format!("{:.1}", model.training_seconds)));
        cells.push(Cell::text(format!("{:.0}", model.passes)));
        cells
    });
    Table {
        caption: "Robust: correct in the worst case over all attacks, sample by sample. \
                  Under unaware attacks: how a defence looks to who does not know of it. \
                  Certified: correct, and no perturbation of that length can change it. Small \
                  print: 95 % Wilson intervals. Passes: forward and backward passes of all \
                  attacks."
            .into(),
        columns,
        rows: rows.collect(),
    }
}

fn titles(models: &[Comparison], columns: impl Fn(&Comparison) -> &[Column]) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for column in models.iter().flat_map(columns) {
        if !titles.contains(&column.title()) {
            titles.push(column.title());
        }
    }
    titles
}

fn find(columns: &[Column], title: &str) -> Cell {
    let own = columns.iter().find(|column| column.title() == title);
    own.map_or_else(|| Cell::text("–"), |column| Cell::rate(column.accuracy))
}

/// A rate with its 95 % Wilson interval, as in `71.3 % [66.4, 75.8]`.
#[must_use]
pub fn percent(accuracy: Proportion) -> String {
    let Some(rate) = accuracy.rate() else { return "–".into() };
    let mut text = format!("{:.1} %", 100.0 * rate);
    if let Some(interval) = accuracy.wilson(Confidence::P95) {
        let (low, high) = (100.0 * interval.lower, 100.0 * interval.upper);
        let _ = write!(text, " [{low:.1}, {high:.1}]");
    }
    text
}

/// A radius as people write it: `k/255` where it is one and the decimals would be long.
#[must_use]
pub fn short(radius: f64) -> String {
    let (decimals, steps) = (format!("{radius}"), radius * 255.0);
    if decimals.len() > 6 && (steps - steps.round()).abs() < 1e-9 && steps.round() >= 1.0 {
        return format!("{}/255", steps.round());
    }
    decimals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{attack, certified, clean, worst_case};

    #[test]
    fn a_model_has_a_line_with_its_headline_and_its_cost() {
        let rows = [
            clean("a", 90),
            attack("a", "pgd", 0.1, 50),
            attack("a", "fgm", 0.1, 60),
            worst_case("a", 0.1, true, 45),
            worst_case("a", 0.2, false, 5),
            certified("a", Norm::L2, 0.001),
            clean("b", 80),
        ];
        let lines = of(&rows);
        let [a, b] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((a.clean.successes(), b.clean.successes()), (90, 80));
        let column = |norm, radius, by: Option<&str>, count| Column {
            norm,
            radius,
            by: by.map(str::to_owned),
            accuracy: Proportion::new(count, 100).unwrap(),
        };
        assert_eq!(a.robust, [column(Norm::Linf, 0.1, None, 45)]);
        let by = Some("proof");
        let certified = [column(Norm::L2, 0.1, by, 50), column(Norm::L2, 0.2, by, 40)];
        assert_eq!(a.certified, certified);
        assert_eq!(a.certified[0].title(), "l2 0.1 by proof");
        // Two attacks of half a second, 100 forward and 1,000 backward passes on 100 samples.
        assert!((a.attack_seconds - 1.0).abs() < 1e-12 && (a.passes - 22.0).abs() < 1e-12);
        assert!((a.training_seconds - 2.0).abs() < 1e-12);
        assert!(b.robust.is_empty() && b.certified.is_empty());
        assert_eq!(a.robust[0].title(), "linf 0.1");
    }

    #[test]
    fn a_search_of_the_nearest_point_costs_once_for_all_radii() {
        let rows = [
            clean("a", 90),
            attack("a", "ddn", 0.1, 50),
            attack("a", "ddn", 0.2, 40),
            attack("a", "pgd", 0.1, 50),
            attack("a", "pgd", 0.2, 40),
        ];
        let passes = of(&rows)[0].passes;
        assert!((passes - 3.0 * 11.0).abs() < 1e-12, "{passes}");
    }

    #[test]
    fn a_rate_stands_with_its_wilson_interval() {
        let percent = |of, all| percent(Proportion::new(of, all).unwrap());
        assert_eq!(percent(50, 100), "50.0 % [40.4, 59.6]");
        assert_eq!(percent(0, 10), "0.0 % [0.0, 27.8]");
        assert_eq!(percent(1000, 1000), "100.0 % [99.6, 100.0]");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn a_radius_is_a_fraction_of_255_only_where_decimals_would_be_long() {
        let texts = [0.0, 0.1, 0.2, 0.4, 1.0, 8.0 / 255.0, 0.5 / 255.0, 10.0].map(short);
        let expected = ["0", "0.1", "0.2", "0.4", "1", "8/255", "0.00196078431372549", "10"];
        assert_eq!(texts, expected);
    }
}
