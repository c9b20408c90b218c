//! Shares and seconds of several methods over a list of models: how they grow together.
use duress_metrics::Proportion;

use super::{
    Error, Result,
    axis::{Axis, MARGIN},
    drawing::{Align, Drawing, Stroke, TextStyle, shorten, text_width},
    error::check,
    line_chart::marker,
    palette::{GRID, INK, MUTED},
};

/// What one method found about one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// The share, in the left panel.
    pub share: Proportion,
    /// Seconds, in the right panel, on a scale of decades.
    pub seconds: f64,
}

/// The dots of one method.
#[derive(Clone, Debug)]
pub struct Dots {
    /// Name in the legend.
    pub name: String,
    /// One for each model; `None` where there is none.
    pub dots: Vec<Option<Dot>>,
}

/// Two panels with a line for each model: shares in percent, and seconds.
#[derive(Clone, Debug)]
pub struct DotPlot {
    /// Title above the panels.
    pub title: String,
    /// Name of the left axis, such as `Certified (%)`.
    pub share_label: String,
    /// Name of the right axis, such as `Seconds a sample`.
    pub seconds_label: String,
    /// Names of the models, from top to bottom.
    pub models: Vec<String>,
    /// The methods.
    pub series: Vec<Dots>,
}

impl DotPlot {
    /// Lays the plot out.
    ///
    /// # Errors
    /// [`Error::Empty`] without models, series, a dot, or samples behind one; [`Error::Value`] for
    /// seconds that are not finite and positive, or a series that is not as long as the models.
    pub fn draw(&self) -> Result<Drawing> {
        let (least, most) = self.check()?;
        let description = format!("{}: {}, {}.", self.title, self.share_label, self.seconds_label);
        let mut drawing = Drawing::new(WIDTH, 0.0, description);
        let title = TextStyle::new(16.0, INK).bold();
        let bottom = drawing.paragraph((MARGIN, MARGIN), WIDTH - 2.0 * MARGIN, &self.title, title);
        let (top, label) = (bottom + 34.0, TextStyle::new(13.0, INK));
        let floor = top + ROW * self.models.len() as f64;
        let shares = Axis::percent((LEFT, MIDDLE - GAP));
        let decades = Axis::decades((least, most), (MIDDLE, WIDTH - 30.0));
        for (axis, name) in [(&shares, &self.share_label), (&decades, &self.seconds_label)] {
            let (left, right) = axis.pixels();
            let name = shorten(name, right - left + 20.0, label);
            drawing.text((left, top - 16.0), Align::Left, &name, label);
            for (value, text) in axis.ticks() {
                let place = axis.at(*value);
                drawing.line((place, top), (place, floor), Stroke::solid(GRID, 1.0));
                let small = TextStyle::new(12.0, MUTED);
                drawing.text((place, floor + 14.0), Align::Centre, text, small);
            }
        }
        for (index, name) in self.models.iter().enumerate() {
            let middle = top + ROW * (index as f64 + 0.5);
            let name = shorten(name, LEFT - MARGIN - 16.0, label);
            drawing.text((LEFT - 12.0, middle), Align::Right, &name, label);
            for axis in [&shares, &decades] {
                let (left, right) = axis.pixels();
                drawing.line((left, middle), (right, middle), Stroke::solid(GRID, 1.0));
            }
            for (number, series) in self.series.iter().enumerate() {
                let Some(Dot { share, seconds }) = series.dots[index] else { continue };
                // Equal values lie side by side, not on top of each other.
                let spread = number as f64 - 0.5 * (self.series.len() as f64 - 1.0);
                let height = middle + spread * (ROW - 10.0) / self.series.len() as f64;
                let rate = share.rate().unwrap_or_default();
                marker(&mut drawing, (shares.at(100.0 * rate), height), number);
                marker(&mut drawing, (decades.at(seconds.log10()), height), number);
            }
        }
        let bottom = self.legend(&mut drawing, floor + 40.0);
        drawing.size.1 = bottom + MARGIN;
        Ok(drawing)
    }

    fn legend(&self, drawing: &mut Drawing, top: f64) -> f64 {
        let style = TextStyle::new(13.0, INK);
        let (mut left, mut middle) = (MARGIN, top);
        for (index, series) in self.series.iter().enumerate() {
            let name = shorten(&series.name, WIDTH - 2.0 * MARGIN - 20.0, style);
            let width = 16.0 + text_width(&name, style);
            if left > MARGIN && left + width > WIDTH - MARGIN {
                (left, middle) = (MARGIN, middle + 21.0);
            }
            marker(drawing, (left + 5.0, middle), index);
            drawing.text((left + 16.0, middle), Align::Left, &name, style);
            left += width + 22.0;
        }
        middle + 12.0
    }

    /// The decades that hold all seconds.
    fn check(&self) -> Result<(f64, f64)> {
        let empty = |what| Err(Error::Empty { figure: FIGURE, what });
        if self.models.is_empty() {
            return empty("models");
        }
        if self.series.is_empty() {
            return empty("series");
        }
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for series in &self.series {
            let (count, models) = (series.dots.len(), self.models.len());
            check(count == models, FIGURE, "dots in a series", "one a model", count as f64)?;
            for dot in series.dots.iter().flatten() {
                if dot.share.total() == 0 {
                    return empty("sample behind a dot");
                }
                let valid = dot.seconds.is_finite() && dot.seconds > 0.0;
                check(valid, FIGURE, "a time", "finite and above 0 s", dot.seconds)?;
                least = least.min(dot.seconds);
                most = most.max(dot.seconds);
            }
        }
        if least > most {
            return empty("dot");
        }
        let (low, high) = (least.log10().floor(), most.log10().ceil());
        Ok((low, if high > low { high } else { low + 1.0 }))
    }
}

const FIGURE: &str = "dot plot";
const WIDTH: f64 = 660.0;
/// Height of a model's line.
const ROW: f64 = 30.0;
/// Left ends of the panels.
const LEFT: f64 = 210.0;
const MIDDLE: f64 = 460.0;
/// Paper between the panels.
const GAP: f64 = 48.0;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::drawing::{Shape, tests::assert_legible};

    pub(in crate::report) fn plot(models: usize, series: usize) -> DotPlot {
        let dot = |model: usize, method: usize| Dot {
            share: Proportion::new((90 / (model + 1)) as u64, 100).unwrap(),
            seconds: 10.0_f64.powi(method as i32 - 3) * (1.0 + model as f64),
        };
        let dots = |method| (0..models).map(|model| Some(dot(model, method))).collect();
        let methods = (0..series).map(|at| Dots { name: format!("method {at}"), dots: dots(at) });
        DotPlot {
            title: "What is certified and what it costs, linf 0.05".into(),
            share_label: "Certified (%)".into(),
            seconds_label: "Seconds a sample".into(),
            models: (0..models).map(|model| format!("network {model}")).collect(),
            series: methods.collect(),
        }
    }

    #[test]
    fn plots_are_legible_whatever_their_size() {
        for (models, series) in [(1, 1), (3, 2), (12, 5)] {
            let drawing = plot(models, series).draw().unwrap();
            assert_legible(&drawing);
            assert!(drawing.svg().is_ok() && drawing.png().is_ok());
        }
        let mut long = plot(3, 4);
        let name = "a name that goes on and on and on and on ".repeat(5);
        (long.title, long.share_label, long.seconds_label) =
            (name.clone(), name.clone(), name.clone());
        (long.models[1], long.series[1].name) = (name.clone(), name);
        long.series[2].dots[0] = None;
        assert_legible(&long.draw().unwrap());
    }

    /// 1 s and 10 s are the ends of a decade; half of 100 % is in the middle of the left panel.
    #[test]
    fn dots_stand_where_their_values_are() {
        let half = Proportion::new(1, 2).unwrap();
        let dots = [1.0, 10.0].map(|seconds| Some(Dot { share: half, seconds })).to_vec();
        let mut plot = plot(2, 1);
        plot.series[0].dots = dots;
        let drawing = plot.draw().unwrap();
        let circles = drawing.shapes.iter().filter_map(|shape| match shape {
            Shape::Circle { centre, .. } => Some(centre.0),
            _ => None,
        });
        let places: Vec<f64> = circles.collect();
        let middle = 0.5 * (LEFT + MIDDLE - GAP);
        // The last is the legend's.
        assert_eq!(places, [middle, MIDDLE, middle, WIDTH - 30.0, MARGIN + 5.0]);
    }

    #[test]
    fn nothing_to_draw_and_times_that_are_none_are_errors() {
        assert!(matches!(plot(0, 1).draw(), Err(Error::Empty { what: "models", .. })));
        assert!(matches!(plot(1, 0).draw(), Err(Error::Empty { what: "series", .. })));
        let mut none = plot(2, 1);
        none.series[0].dots = vec![None, None];
        assert!(matches!(none.draw(), Err(Error::Empty { what: "dot", .. })));
        none.series[0].dots.pop();
        assert!(matches!(none.draw(), Err(Error::Value { .. })));
        let mut frozen = plot(1, 1);
        frozen.series[0].dots[0].as_mut().unwrap().seconds = 0.0;
        assert!(matches!(frozen.draw(), Err(Error::Value { .. })));
    }
}
