//! Clean against robust accuracy, one point a model: what robustness costs.
use duress_metrics::{Confidence, Proportion};

use super::{
    Error, Result,
    axis::{Axis, MARGIN, frame, round_step, step_text},
    drawing::{Align, Drawing, Point, Shape, Stroke, TextStyle, shorten},
    error::check,
    labels::Labels,
    palette::{INK, MUTED, SERIES},
};

/// One point of a [`Scatter`].
#[derive(Clone, Debug)]
pub struct Model {
    /// Name beside the point.
    pub name: String,
    /// Accuracy without an attack.
    pub clean: Proportion,
    /// Accuracy in the worst case over attacks.
    pub robust: Proportion,
    /// What the area of the point stands for, at least 0, in the unit of
    /// [`Scatter::cost_label`].
    pub cost: f64,
}

/// Clean and robust accuracy of models; the best trade-offs are filled and joined.
#[derive(Clone, Debug)]
pub struct Scatter {
    /// Title above the chart.
    pub title: String,
    /// Name of the horizontal axis, such as `Clean accuracy (%)`.
    pub clean_label: String,
    /// Name of the vertical axis, with norm and radius.
    pub robust_label: String,
    /// What the point area shows, with its unit, such as `training time (hours)`.
    pub cost_label: String,
    /// The models.
    pub models: Vec<Model>,
}

impl Scatter {
    /// Lays the chart out: axes span the models, whiskers are 95 % Wilson intervals.
    ///
    /// # Errors
    /// [`Error::Empty`] without models or for a model without samples; [`Error::Value`] for a
    /// cost that is negative or not finite.
    pub fn draw(&self) -> Result<Drawing> {
        let points = self.points()?;
        let description =
            format!("{}: {} against {}.", self.title, self.robust_label, self.clean_label);
        let mut drawing = Drawing::new(WIDTH, 0.0, description);
        let title = TextStyle::new(16.0, INK).bold();
        let bottom = drawing.paragraph((MARGIN, MARGIN), WIDTH - 2.0 * MARGIN, &self.title, title);
        let (top, floor) = (bottom + 40.0, bottom + 40.0 + HEIGHT);
        let x = Axis::new(span(points.iter().map(|point| point.clean)), (50.0, WIDTH - 30.0), 6);
        let y = Axis::new(span(points.iter().map(|point| point.robust)), (floor, top), 5);
        frame(&mut drawing, &x, &y, (&self.clean_label, &self.robust_label));

        let place = |point: &Percent| (x.at(point.clean[1]), y.at(point.robust[1]));
        let best = front(&points);
        let line: Vec<Point> = best.iter().map(|&index| place(&points[index])).collect();
        let mut labels = Labels::new([50.0, top, WIDTH - 6.0, floor]);
        labels.avoid_line(&line);
        let stroke = Stroke { colour: MUTED, width: 1.5, dash: &[4.0, 4.0] };
        drawing.shapes.push(Shape::Path { points: line, stroke });
        let dearest = self.models.iter().map(|model| model.cost).fold(0.0, f64::max);
        for (index, point) in points.iter().enumerate() {
            let ((left, middle), thin) = (place(point), Stroke::solid(MUTED.with_alpha(0.6), 1.0));
            let [west, east] = [point.clean[0], point.clean[2]].map(|rate| x.at(rate));
            let [south, north] = [point.robust[0], point.robust[2]].map(|rate| y.at(rate));
            drawing.line((west, middle), (east, middle), thin);
            drawing.line((left, south), (left, north), thin);
            labels.avoid([west, middle - 1.0, east, middle + 1.0]);
            labels.avoid([left - 1.0, north, left + 1.0, south]);
            let radius = radius(self.models[index].cost, dearest);
            let colour = SERIES[0];
            let fill = best.contains(&index).then(|| colour.with_alpha(0.75));
            let stroke = Stroke::solid(colour, 2.0);
            let centre = (left, middle);
            drawing.shapes.push(Shape::Circle { centre, radius, fill, stroke });
            labels.avoid([left - radius, middle - radius, left + radius, middle + radius]);
        }
        for (point, model) in points.iter().zip(&self.models) {
            let radius = radius(model.cost, dearest);
            labels.place(&mut drawing, &model.name, place(point), radius);
        }
        let bottom = self.legend(&mut drawing, floor + 58.0, dearest, labels.omitted());
        drawing.size.1 = bottom + MARGIN;
        Ok(drawing)
    }

    fn points(&self) -> Result<Vec<Percent>> {
        if self.models.is_empty() {
            return Err(Error::Empty { figure: FIGURE, what: "model" });
        }
        let percent = |proportion: Proportion| {
            let interval = proportion.wilson(Confidence::P95)?;
            let rates = [interval.lower, proportion.rate()?, interval.upper];
            Some(rates.map(|rate| 100.0 * rate))
        };
        let model = |model: &Model| {
            let valid = model.cost.is_finite() && model.cost >= 0.0;
            check(valid, FIGURE, "a cost", "finite and at least 0", model.cost)?;
            percent(model.clean)
                .zip(percent(model.robust))
                .map(|(clean, robust)| Percent { clean, robust })
                .ok_or(Error::Empty { figure: FIGURE, what: "sample behind a model" })
        };
        self.models.iter().map(model).collect()
    }

    /// What sizes, filling and whiskers mean; returns the bottom.
    fn legend(&self, drawing: &mut Drawing, top: f64, dearest: f64, omitted: usize) -> f64 {
        let note = TextStyle::new(11.0, MUTED);
        let mut bottom = top;
        if dearest > 0.0 {
            // A size to compare with: a round number that the dearest model reaches.
            let round = round_step(dearest);
            let shown = if round > dearest { round_step(dearest / 2.5) } else { round };
            let (reach, centre) = (radius(shown, dearest), top + MAX_RADIUS);
            let stroke = Stroke::solid(SERIES[0], 2.0);
            let at = (MARGIN + MAX_RADIUS, centre);
            drawing.shapes.push(Shape::Circle { centre: at, radius: reach, fill: None, stroke });
            let style = TextStyle::new(13.0, INK);
            let text =
                format!("{}: the area of this circle is {}", self.cost_label, step_text(shown));
            let left = MARGIN + 2.0 * MAX_RADIUS + 8.0;
            let text = shorten(&text, WIDTH - left - MARGIN, style);
            drawing.text((left, centre), Align::Left, &text, style);
            bottom = centre + MAX_RADIUS + 6.0;
        }
        let left_out = match omitted {
            0 => String::new(),
            some => format!(" Names left out for want of room: {some}."),
        };
        let text = format!(
            "Filled and joined: no other model is better in one and as good in the other. \
             Whiskers: 95 % Wilson intervals.{left_out}"
        );
        drawing.paragraph((MARGIN, bottom), WIDTH - 2.0 * MARGIN, &text, note)
    }
}

/// Lower end, rate and upper end in percent.
struct Percent {
    clean: [f64; 3],
    robust: [f64; 3],
}

/// Models that no other model beats in one accuracy without losing the other, by clean accuracy.
fn front(points: &[Percent]) -> Vec<usize> {
    let dominated = |one: &Percent| {
        points.iter().any(|other| {
            let (clean, robust) = (other.clean[1] - one.clean[1], other.robust[1] - one.robust[1]);
            clean >= 0.0 && robust >= 0.0 && clean + robust > 0.0
        })
    };
    let mut best: Vec<usize> =
        (0..points.len()).filter(|&index| !dominated(&points[index])).collect();
    best.sort_by(|&one, &other| points[one].clean[1].total_cmp(&points[other].clean[1]));
    best
}

/// The range of an axis in percent: all whiskers and a margin, rounded to whole ticks.
fn span(values: impl Iterator<Item = [f64; 3]>) -> (f64, f64) {
    let (low, high) = values.fold((100.0_f64, 0.0_f64), |(low, high), [lower, _, upper]| {
        (low.min(lower), high.max(upper))
    });
    let step = round_step(((high - low) / 5.0).max(1.0));
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    (low.max(0.0), high.min(100.0).max(low + step))
}

/// Area proportional to the cost, within what stays visible.
fn radius(cost: f64, dearest: f64) -> f64 {
    if dearest > 0.0 { (MAX_RADIUS * (cost / dearest).sqrt()).max(3.5) } else { 6.0 }
}

const FIGURE: &str = "scatter chart";
const WIDTH: f64 = 660.0;
const HEIGHT: f64 = 300.0;
const MAX_RADIUS: f64 = 14.0;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::drawing::tests::assert_legible;

    pub(in crate::report) fn model(name: &str, clean: u64, robust: u64, cost: f64) -> Model {
        let of = |successes| Proportion::new(successes, 1000).unwrap();
        Model { name: name.into(), clean: of(clean), robust: of(robust), cost }
    }

    pub(in crate::report) fn scatter(models: Vec<Model>) -> Scatter {
        Scatter {
            title: "What robustness costs".into(),
            clean_label: "Clean accuracy (%)".into(),
            robust_label: "Worst-case accuracy (%) at L∞ 8/255".into(),
            cost_label: "training time (hours)".into(),
            models,
        }
    }

    #[test]
    fn the_front_holds_the_models_that_nobody_beats_in_both() {
        let models = vec![
            model("a", 950, 0, 1.0),
            model("b", 850, 500, 1.0),
            model("c", 840, 490, 1.0),
            model("d", 800, 560, 1.0),
            model("e", 850, 500, 1.0),
        ];
        assert_eq!(front(&scatter(models).points().unwrap()), [3, 1, 4, 0]);
    }

    #[test]
    fn crowded_names_neither_touch_nor_leave_the_paper() {
        let names = ["standard", "pgd", "trades", "mart", "awp", "free", "fast", "smoothing"];
        let models = names.iter().enumerate().map(|(index, name)| {
            model(name, 850 + index as u64, 480 + 2 * index as u64, index as f64)
        });
        let drawing = scatter(models.collect()).draw().unwrap();
        assert_legible(&drawing);
        for name in names {
            let is_name = |s: &Shape| matches!(s, Shape::Text(text) if text.content == name);
            assert!(drawing.shapes.iter().any(is_name), "{name} is missing");
        }
        assert_legible(&scatter(vec![model("alone", 1000, 1000, 0.0)]).draw().unwrap());
    }

    /// Four times the cost, four times the area.
    #[test]
    fn the_area_of_a_point_is_its_cost() {
        assert!((radius(4.0, 4.0) - 2.0 * radius(1.0, 4.0)).abs() < 1e-12);
    }

    #[test]
    fn a_model_without_samples_or_with_an_undefined_cost_is_an_error() {
        let mut models = vec![model("a", 900, 100, f64::NAN)];
        assert!(matches!(scatter(models.clone()).draw(), Err(Error::Value { .. })));
        models[0] = Model { robust: Proportion::default(), ..model("a", 1, 1, 1.0) };
        assert!(matches!(scatter(models).draw(), Err(Error::Empty { .. })));
        assert!(matches!(scatter(vec![]).draw(), Err(Error::Empty { .. })));
    }
}
