//! The charts of a report.
use duress_core::Norm;
use duress_metrics::{AccuracyCurve, CurvePoint, Proportion, certified, certified_steps};

use super::certifiers::{Certified, certified as certified_rows};
use super::comparison::{Comparison, short};
use crate::report::{
    Dot, DotPlot, Dots, Drawing, HeatMap, Interpolation, LineChart, Model, RadiusUnit, Scatter,
    Series,
};
use crate::row::Measured;
use crate::{Journal, Result, Row};

/// A chart with what stands under it.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) drawing: Drawing,
    pub(super) caption: String,
}

pub(super) fn all(journal: &Journal, models: &[Comparison]) -> Result<Vec<Figure>> {
    let rows = journal.rows();
    let mut figures = Vec::new();
    for norm in Norm::ALL {
        figures.extend(robust_curves(rows, models, norm)?);
    }
    for norm in Norm::ALL {
        figures.extend(certified_curves(journal, models, norm)?);
    }
    for norm in Norm::ALL {
        figures.extend(certification_costs(rows, norm)?);
    }
    figures.extend(trade_off(models)?);
    for norm in Norm::ALL {
        figures.extend(transfer(rows, models, norm)?);
    }
    Ok(figures)
}

fn robust_curves(rows: &[Row], models: &[Comparison], norm: Norm) -> Result<Option<Figure>> {
    let mut series = Vec::new();
    let mut over_255 = true;
    for model in models {
        let start = CurvePoint { radius: 0.0, accuracy: model.clean };
        let mut points = vec![start];
        for row in rows.iter().filter(|row| row.model == model.model) {
            if let Measured::WorstCase { norm: own, epsilon, robust_correct, .. } = &row.measured
                && *own == norm
                && *epsilon > 0.0
            {
                let accuracy = Proportion::new(*robust_correct, row.samples)?;
                over_255 &= short(*epsilon).ends_with("/255");
                points.push(CurvePoint { radius: *epsilon, accuracy });
            }
        }
        if points.len() > 1 {
            series.push(Series { name: model.model.clone(), curve: AccuracyCurve { points } });
        }
    }
    if series.is_empty() {
        return Ok(None);
    }
    let chart = LineChart {
        title: format!("Robust accuracy against the {norm} radius"),
        accuracy_label: "Correct in the worst case over attacks (%)".into(),
        radius_label: format!("ε ({norm}, units of the raw input)"),
        unit: if over_255 { RadiusUnit::Over255 } else { RadiusUnit::Decimal },
        interpolation: Interpolation::Linear,
        series,
    };
    Ok(Some(Figure {
        name: format!("robust-accuracy-{norm}"),
        drawing: chart.draw()?,
        caption: "Each point is the share of test samples that no attack broke at that radius or \
                  a smaller one: an upper bound of the true robust accuracy."
            .into(),
    }))
}

fn certified_curves(
    journal: &Journal,
    models: &[Comparison],
    norm: Norm,
) -> Result<Option<Figure>> {
    let mut series = Vec::new();
    let samples = journal.samples()?;
    for row in journal.rows() {
        let Measured::Certified { norm: own, certifier, .. } = &row.measured else { continue };
        if *own != norm {
            continue;
        }
        let certificates: Vec<Option<f64>> = samples
            .iter()
            .filter(|sample| sample.key == row.key)
            .map(|sample| sample.clean_correct.then_some(sample.epsilon))
            .collect();
        let radii = certified_steps(&certificates)?;
        let curve = certified(&certificates, &radii)?;
        let known = models.iter().any(|model| model.model == row.model);
        if known && !certificates.is_empty() {
            series.push(Series { name: format!("{}, {certifier}", row.model), curve });
        }
    }
    if series.is_empty() {
        return Ok(None);
    }
    let chart = LineChart {
        title: format!("Certified accuracy against the {norm} radius"),
        accuracy_label: "Correct and certified at this radius or more (%)".into(),
        radius_label: format!("radius ({norm}, units of the raw input)"),
        unit: RadiusUnit::Decimal,
        interpolation: Interpolation::Step,
        series,
    };
    Ok(Some(Figure {
        name: format!("certified-accuracy-{norm}"),
        drawing: chart.draw()?,
        caption: "A lower bound: no perturbation shorter than the radius changes the prediction \
                  of the certified classifier, with the failure probability in rows.jsonl. \
                  Abstaining counts as wrong."
            .into(),
    }))
}

/// Fewest models between which a growth can be seen.
const GROWTH: usize = 3;

/// What each certifier certifies and costs from model to model, at the largest radius that all were
/// asked for.
fn certification_costs(rows: &[Row], norm: Norm) -> Result<Option<Figure>> {
    let found: Vec<Certified> =
        certified_rows(rows).into_iter().filter(|c| c.norm == norm).collect();
    let (mut models, mut certifiers) = (Vec::new(), Vec::new());
    for one in &found {
        if !models.contains(&one.model) {
            models.push(one.model.clone());
        }
        if !certifiers.contains(&one.certifier) {
            certifiers.push(one.certifier.clone());
        }
    }
    let of = |model: &str, certifier: &str, radius: f64| {
        let same = |one: &&Certified| one.model == model && one.certifier == certifier;
        found.iter().filter(same).find(|one| one.radius.to_bits() == radius.to_bits())
    };
    let asked =
        |radius: f64| found.iter().all(|one| of(&one.model, &one.certifier, radius).is_some());
    let radii = found.iter().map(|one| one.radius).filter(|&radius| asked(radius));
    let Some(radius) = radii.reduce(f64::max).filter(|_| models.len() >= GROWTH) else {
        return Ok(None);
    };
    let dot = |model: &String, certifier: &str| {
        let one = of(model, certifier, radius)?;
        (one.seconds > 0.0).then_some(Dot { share: one.certified, seconds: one.seconds })
    };
    let series = certifiers.iter().map(|certifier| Dots {
        name: certifier.clone(),
        dots: models.iter().map(|model| dot(model, certifier)).collect(),
    });
    let sizes = models.iter().map(|model| {
        let size =
            rows.iter().filter(|row| row.model == *model).find_map(|row| match row.measured {
                Measured::Clean { parameters, .. } => Some(parameters),
                _ => None,
            });
        size.map_or_else(|| model.clone(), |size| format!("{model} ({size})"))
    });
    let plot = DotPlot {
        title: format!("Certified at {norm} {} and what it costs", short(radius)),
        share_label: "Certified (%)".into(),
        seconds_label: "Time a sample".into(),
        models: sizes.collect(),
        series: series.collect(),
    };
    Ok(Some(Figure {
        name: format!("certification-costs-{norm}"),
        drawing: plot.draw()?,
        caption: "In brackets the number of trained parameters. The time is that of all radii the \
                  certifier was asked for."
            .into(),
    }))
}

fn trade_off(models: &[Comparison]) -> Result<Option<Figure>> {
    let points: Vec<Model> = models
        .iter()
        .filter_map(|model| {
            Some(Model {
                name: model.model.clone(),
                clean: model.clean,
                robust: model.robust.first()?.accuracy,
                cost: model.training_seconds,
            })
        })
        .collect();
    let Some(column) = models.iter().find_map(|model| model.robust.first()) else {
        return Ok(None);
    };
    let chart = Scatter {
        title: "Clean against robust accuracy".into(),
        clean_label: "Clean accuracy (%)".into(),
        robust_label: format!("Robust accuracy at {} (%)", column.title()),
        cost_label: "training time (seconds)".into(),
        models: points,
    };
    Ok(Some(Figure {
        name: "trade-off".into(),
        drawing: chart.draw()?,
        caption: "What robustness costs. Wrapped models and ensembles train nothing of their own."
            .into(),
    }))
}

fn transfer(rows: &[Row], models: &[Comparison], norm: Norm) -> Result<Option<Figure>> {
    let names: Vec<String> = models.iter().map(|model| model.model.clone()).collect();
    let empty = Proportion::new(0, 0)?;
    let mut cells = vec![vec![empty; names.len()]; names.len()];
    let mut made: Option<(String, f64)> = None;
    let place = |name: &str| names.iter().position(|known| known == name);
    for row in rows {
        if let Measured::Transfer { target, attack, norm: own, epsilon, both_correct, fooled } =
            &row.measured
            && *own == norm
            && let (Some(source), Some(target)) = (place(&row.model), place(target))
        {
            cells[source][target] = Proportion::new(*fooled, *both_correct)?;
            made = Some((attack.clone(), *epsilon));
        }
    }
    let Some((attack, epsilon)) = made else { return Ok(None) };
    // The diagonal is the attack on its own model.
    for row in rows {
        if let Measured::Attack {
            attack: own,
            norm: n,
            epsilon: e,
            clean_correct,
            robust_correct,
            ..
        } = &row.measured
            && *own == attack
            && *n == norm
            && e.to_bits() == epsilon.to_bits()
            && let Some(index) = place(&row.model)
        {
            cells[index][index] = Proportion::new(clean_correct - robust_correct, *clean_correct)?;
        }
    }
    let chart = HeatMap {
        title: format!("Transfer of {attack} at {norm} {}", short(epsilon)),
        row_label: "model the examples were made on".into(),
        column_label: "model they are given to".into(),
        value_label: "share that it gets wrong, of the samples both classify correctly (%)".into(),
        rows: names.clone(),
        columns: names,
        cells,
    };
    Ok(Some(Figure {
        name: format!("transfer-{norm}"),
        drawing: chart.draw()?,
        caption: "On the diagonal the attack on the model itself.".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::certified as certificates;

    #[test]
    fn costs_are_drawn_from_three_models_on() {
        let rows = |count: usize| -> Vec<Row> {
            (0..count).map(|at| certificates(&format!("m{at}"), Norm::Linf, 0.0)).collect()
        };
        assert!(certification_costs(&rows(2), Norm::Linf).unwrap().is_none());
        assert!(certification_costs(&rows(3), Norm::L2).unwrap().is_none());
        let figure = certification_costs(&rows(3), Norm::Linf).unwrap().unwrap();
        assert_eq!(figure.name, "certification-costs-linf");
        // The largest radius of the rows.
        let text = figure.drawing.svg().unwrap();
        assert!(text.contains("linf 0.2") && text.contains("m2"), "{text}");
    }
}
