//! Accuracy against the radius: lines for measured radii, steps for certificates.
use duress_metrics::{AccuracyCurve, Confidence};

use super::{
    Error, RadiusUnit, Result,
    axis::{Axis, MARGIN, frame},
    drawing::{Align, Drawing, Point, Shape, Stroke, TextStyle, text_width},
    error::check,
    palette::{Colour, INK, MUTED, PAPER, SERIES},
};

/// How accuracy runs between the points of a curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// Straight lines and a marker at each measured radius.
    #[default]
    Linear,
    /// What a certificate guarantees: up to each radius, the accuracy at that radius.
    Step,
}

/// One named curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Accuracy at rising radii.
    pub curve: AccuracyCurve,
}

/// Accuracy in percent against the radius, with 95 % Wilson bands.
///
/// Series differ in colour, dash and marker, so that they stay apart in grey print.
#[derive(Clone, Debug)]
pub struct LineChart {
    /// Title above the chart.
    pub title: String,
    /// Name of the vertical axis, such as `Robust accuracy (%)`.
    pub accuracy_label: String,
    /// Name of the horizontal axis, with norm and unit, such as `ε (L∞, pixel range 0 to 1)`.
    pub radius_label: String,
    /// How radii are written.
    pub unit: RadiusUnit,
    /// How points are joined.
    pub interpolation: Interpolation,
    /// The curves.
    pub series: Vec<Series>,
}

impl LineChart {
    /// Lays the chart out.
    ///
    /// # Errors
    /// [`Error::Empty`] without series, or for a series without points or without samples;
    /// [`Error::Value`] for a radius that is negative, not finite or below the one before it.
    pub fn draw(&self) -> Result<Drawing> {
        let largest = self.check()?;
        let description =
            format!("{}: {} against {}.", self.title, self.accuracy_label, self.radius_label);
        let mut drawing = Drawing::new(WIDTH, 0.0, description);
        let title = TextStyle::new(16.0, INK).bold();
        let bottom = drawing.paragraph((MARGIN, MARGIN), WIDTH - 2.0 * MARGIN, &self.title, title);
        let (top, floor) = (bottom + 40.0, bottom + 40.0 + HEIGHT);
        let x = Axis::radius(largest, self.unit, (50.0, WIDTH - 30.0));
        let y = Axis::percent((floor, top));
        frame(&mut drawing, &x, &y, (&self.radius_label, &self.accuracy_label));
        // All bands below all lines.
        for (index, series) in self.series.iter().enumerate() {
            self.band(&mut drawing, series, index, (&x, &y));
        }
        for (index, series) in self.series.iter().enumerate() {
            self.curve(&mut drawing, series, index, (&x, &y));
        }
        let mut bottom = self.legend(&mut drawing, floor + 58.0);
        let note = "Shaded: 95 % Wilson intervals.";
        bottom = drawing.paragraph((MARGIN, bottom), WIDTH, note, TextStyle::new(11.0, MUTED));
        drawing.size.1 = bottom + MARGIN;
        Ok(drawing)
    }

    /// The largest radius.
    fn check(&self) -> Result<f64> {
        let empty = |what| Err(Error::Empty { figure: FIGURE, what });
        if self.series.is_empty() {
            return empty("series");
        }
        let mut largest = 0.0_f64;
        for Series { curve, .. } in &self.series {
            if curve.points.is_empty() {
                return empty("point in a series");
            }
            let mut last = 0.0;
            for point in &curve.points {
                if point.accuracy.total() == 0 {
                    return empty("sample behind a point");
                }
                let valid = point.radius.is_finite() && point.radius >= last;
                check(valid, FIGURE, "a radius", "finite, at least 0 and ascending", point.radius)?;
                last = point.radius;
            }
            largest = largest.max(last);
        }
        Ok(largest)
    }

    /// The line through `heights`, one in percent for each point of a curve.
    fn trace(&self, series: &Series, heights: &[f64], (x, y): (&Axis, &Axis)) -> Vec<Point> {
        let radii = series.curve.points.iter().map(|point| point.radius);
        let mut line: Vec<Point> = Vec::new();
        for (radius, &height) in radii.zip(heights) {
            if let (Interpolation::Step, Some(&(previous, _))) = (self.interpolation, line.last()) {
                line.push((previous, y.at(height)));
            }
            line.push((x.at(radius), y.at(height)));
        }
        line
    }

    fn band(&self, drawing: &mut Drawing, series: &Series, index: usize, axes: (&Axis, &Axis)) {
        let intervals =
            series.curve.points.iter().filter_map(|point| point.accuracy.wilson(Confidence::P95));
        let (lower, upper): (Vec<f64>, Vec<f64>) =
            intervals.map(|interval| (100.0 * interval.lower, 100.0 * interval.upper)).unzip();
        let mut points = self.trace(series, &lower, axes);
        points.extend(self.trace(series, &upper, axes).into_iter().rev());
        let fill = SERIES[index % SERIES.len()].with_alpha(0.16);
        drawing.shapes.push(Shape::Area { points, fill });
    }

    fn curve(&self, drawing: &mut Drawing, series: &Series, index: usize, axes: (&Axis, &Axis)) {
        let rates = series.curve.points.iter().filter_map(|point| point.accuracy.rate());
        let heights: Vec<f64> = rates.map(|rate| 100.0 * rate).collect();
        let points = self.trace(series, &heights, axes);
        if self.interpolation == Interpolation::Linear {
            drawing.shapes.push(Shape::Path { points: points.clone(), stroke: stroke(index) });
            for point in points {
                marker(drawing, point, index);
            }
        } else {
            drawing.shapes.push(Shape::Path { points, stroke: stroke(index) });
        }
    }

    /// Entries in rows as wide as the chart; returns the bottom of the last row.
    fn legend(&self, drawing: &mut Drawing, top: f64) -> f64 {
        let style = TextStyle::new(13.0, INK);
        let (mut left, mut middle) = (MARGIN, top + 8.0);
        for (index, series) in self.series.iter().enumerate() {
            let longest = WIDTH - 2.0 * MARGIN - SAMPLE - 8.0;
            let name = super::drawing::shorten(&series.name, longest, style);
            let width = SAMPLE + 8.0 + text_width(&name, style) + 22.0;
            if left > MARGIN && left + width - 22.0 > WIDTH - MARGIN {
                (left, middle) = (MARGIN, middle + 21.0);
            }
            drawing.line((left, middle), (left + SAMPLE, middle), stroke(index));
            if self.interpolation == Interpolation::Linear {
                marker(drawing, (left + 0.5 * SAMPLE, middle), index);
            }
            drawing.text((left + SAMPLE + 8.0, middle), Align::Left, &name, style);
            left += width;
        }
        middle + 18.0
    }
}

/// Colour and dash of a series.
pub(super) fn stroke(index: usize) -> Stroke {
    const DASHES: [&[f64]; 4] = [&[], &[8.0, 4.0], &[2.0, 3.0], &[9.0, 3.0, 2.0, 3.0]];
    Stroke { colour: SERIES[index % SERIES.len()], width: 2.0, dash: DASHES[index % DASHES.len()] }
}

/// One of five shapes around a point.
pub(super) fn marker(drawing: &mut Drawing, (x, y): Point, index: usize) {
    let colour: Colour = SERIES[index % SERIES.len()];
    let corners: &[(f64, f64)] = match index % 5 {
        0 => {
            let (radius, stroke) = (4.0, Stroke::solid(PAPER, 1.0));
            drawing.shapes.push(Shape::Circle {
                centre: (x, y),
                radius,
                fill: Some(colour),
                stroke,
            });
            return;
        }
        1 => &[(-3.7, -3.7), (3.7, -3.7), (3.7, 3.7), (-3.7, 3.7)],
        2 => &[(0.0, -5.0), (4.6, 3.6), (-4.6, 3.6)],
        3 => &[(0.0, -5.2), (5.2, 0.0), (0.0, 5.2), (-5.2, 0.0)],
        _ => &[(0.0, 5.0), (4.6, -3.6), (-4.6, -3.6)],
    };
    let points = corners.iter().map(|corner| (x + corner.0, y + corner.1)).collect();
    drawing.shapes.push(Shape::Area { points, fill: colour });
}

const FIGURE: &str = "line chart";
const WIDTH: f64 = 660.0;
const HEIGHT: f64 = 280.0;
/// Length of the line in the legend.
pub(super) const SAMPLE: f64 = 34.0;

#[cfg(test)]
pub(super) mod tests {
    use duress_metrics::{certified, certified_steps, robust};

    use super::*;
    use crate::report::drawing::tests::assert_legible;

    pub(in crate::report) fn chart(series: usize, interpolation: Interpolation) -> LineChart {
        let radii: Vec<f64> = (0..=8).map(|step| f64::from(step) / 255.0).collect();
        let curve = |model: usize| {
            let spread = 0.002 + 0.004 * model as f64;
            let distances: Vec<f64> =
                (0..400).map(|index| spread * f64::from(index % 97) / 20.0).collect();
            if interpolation == Interpolation::Linear {
                return robust(&distances, &radii).unwrap();
            }
            let held: Vec<_> = distances.iter().map(|&d| (d > 0.002).then_some(d * 10.0)).collect();
            certified(&held, &certified_steps(&held).unwrap()).unwrap()
        };
        let name = |index| format!("model {index} with a longer name");
        let series = (0..series).map(|index| Series { name: name(index), curve: curve(index) });
        LineChart {
            title: "Robust accuracy of every model against the radius of the attack".into(),
            accuracy_label: "Robust accuracy (%)".into(),
            radius_label: "ε (L∞, pixel range 0 to 1)".into(),
            unit: if interpolation == Interpolation::Linear {
                RadiusUnit::Over255
            } else {
                RadiusUnit::Decimal
            },
            interpolation,
            series: series.collect(),
        }
    }

    #[test]
    fn texts_neither_touch_nor_leave_the_paper() {
        for series in [1, 2, 7] {
            for interpolation in [Interpolation::Linear, Interpolation::Step] {
                assert_legible(&chart(series, interpolation).draw().unwrap());
            }
        }
    }

    #[test]
    fn a_single_point_at_radius_zero_is_drawn() {
        for interpolation in [Interpolation::Linear, Interpolation::Step] {
            let mut chart = chart(2, interpolation);
            chart.series.iter_mut().for_each(|series| series.curve.points.truncate(1));
            let drawing = chart.draw().unwrap();
            assert_legible(&drawing);
            assert!(drawing.png().is_ok() && drawing.svg().is_ok());
        }
    }

    #[test]
    fn long_names_stay_on_the_paper() {
        let mut chart = chart(3, Interpolation::Linear);
        let long = "an axis or a model whose name goes on and on and on and on ".repeat(4);
        chart.title = long.clone();
        chart.accuracy_label = long.clone();
        chart.radius_label = long.clone();
        chart.series[1].name = long;
        assert_legible(&chart.draw().unwrap());
    }

    /// Up to a radius, the accuracy at that radius: the line falls right after the last point.
    #[test]
    fn a_step_never_claims_more_than_the_certificate() {
        let curve = certified(&[Some(1.0), Some(2.0)], &[0.0, 1.0, 2.0]).unwrap();
        let mut chart = chart(1, Interpolation::Step);
        chart.series[0].curve = curve;
        let (x, y) = (Axis::new((0.0, 2.0), (0.0, 2.0), 2), Axis::percent((100.0, 0.0)));
        let line = chart.trace(&chart.series[0], &[100.0, 100.0, 50.0], (&x, &y));
        assert_eq!(line, [(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (1.0, 50.0), (2.0, 50.0)]);
    }

    #[test]
    fn nothing_to_draw_and_a_radius_out_of_order_are_errors() {
        let mut chart = chart(2, Interpolation::Linear);
        chart.series[1].curve.points.swap(0, 3);
        assert!(matches!(chart.draw(), Err(Error::Value { .. })));
        chart.series[1].curve.points.clear();
        assert!(matches!(chart.draw(), Err(Error::Empty { what: "point in a series", .. })));
        chart.series.clear();
        assert!(matches!(chart.draw(), Err(Error::Empty { what: "series", .. })));
    }
}
