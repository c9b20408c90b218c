//! What an attack changed in a row that is no picture: a bar for each of the largest changes.
use super::{
    Error, Result,
    axis::MARGIN,
    drawing::{Align, Drawing, Shape, Stroke, TextStyle, shorten, text_width},
    error::check,
    palette::{GRID, INK, MUTED, SERIES},
};

/// One feature before and after an attack.
#[derive(Clone, Debug)]
pub struct FeatureChange {
    /// Name of the feature.
    pub name: String,
    /// Value in the clean row.
    pub clean: f32,
    /// Value in the adversarial row.
    pub adversarial: f32,
    /// Width of the feature's permitted range, above 0: bars are fractions of it.
    pub range: f32,
}

impl FeatureChange {
    /// The signed change as a fraction of the permitted range.
    fn fraction(&self) -> f64 {
        (f64::from(self.adversarial) - f64::from(self.clean)) / f64::from(self.range)
    }
}

/// A horizontal bar for each of the features that changed most.
#[derive(Clone, Debug)]
pub struct FeatureChanges {
    /// Title above the bars.
    pub title: String,
    /// All features of the row.
    pub features: Vec<FeatureChange>,
    /// How many bars to draw at most.
    pub most: usize,
}

impl FeatureChanges {
    /// Lays the bars out, the largest change first. Features that did not change get no bar, and
    /// a line says how many there are.
    ///
    /// # Errors
    /// [`Error::Empty`] without features; [`Error::Value`] for a value that is not finite or a
    /// range that is not a positive number.
    pub fn draw(&self) -> Result<Drawing> {
        self.check()?;
        let mut changed: Vec<&FeatureChange> = self.features.iter().collect();
        changed.retain(|feature| feature.fraction().abs() > 0.0);
        changed.sort_by(|one, other| other.fraction().abs().total_cmp(&one.fraction().abs()));
        let shown = &changed[..changed.len().min(self.most)];
        let largest = shown.first().map_or(1.0, |feature| feature.fraction().abs());

        let mut drawing = Drawing::new(WIDTH, 0.0, format!("{}.", self.title));
        let (title, note) = (TextStyle::new(16.0, INK).bold(), TextStyle::new(12.0, MUTED));
        let room = WIDTH - 2.0 * MARGIN;
        let mut bottom = drawing.paragraph((MARGIN, MARGIN), room, &self.title, title);
        let text = format!(
            "{} of {} features changed, {} shown. Bar: change as a share of the permitted range.",
            changed.len(),
            self.features.len(),
            shown.len()
        );
        bottom = drawing.paragraph((MARGIN, bottom), room, &text, note) + 8.0;

        let names = shown.iter().map(|feature| text_width(&feature.name, NAME)).fold(0.0, f64::max);
        let values: Vec<String> = shown.iter().map(|feature| values(feature)).collect();
        let widest = values.iter().map(|text| text_width(text, VALUE)).fold(0.0, f64::max);
        let left = MARGIN + names.min(NAME_WIDTH) + 14.0;
        let right = (WIDTH - MARGIN - widest - 14.0).max(left + 80.0);
        let zero = 0.5 * (left + right);
        for (feature, values) in shown.iter().zip(&values) {
            let middle = bottom + 0.5 * ROW;
            let name = shorten(&feature.name, NAME_WIDTH, NAME);
            drawing.text((left - 10.0, middle), Align::Right, &name, NAME);
            let reach = 0.5 * (right - left) * feature.fraction() / largest;
            let (from, to) =
                ((zero.min(zero + reach), middle - 7.0), (zero.max(zero + reach), middle + 7.0));
            let fill = if reach > 0.0 { SERIES[0] } else { SERIES[5] };
            drawing.shapes.push(Shape::Rectangle { from, to, fill });
            let values = shorten(values, WIDTH - MARGIN - right - 14.0, VALUE);
            drawing.text((right + 14.0, middle), Align::Left, &values, VALUE);
            bottom += ROW;
        }
        let rows = shown.len() as f64 * ROW;
        drawing.line((zero, bottom - rows), (zero, bottom), Stroke::solid(GRID, 1.0));
        drawing.size.1 = bottom + MARGIN;
        Ok(drawing)
    }

    fn check(&self) -> Result<()> {
        if self.features.is_empty() {
            return Err(Error::Empty { figure: FIGURE, what: "feature" });
        }
        for feature in &self.features {
            for value in [feature.clean, feature.adversarial] {
                check(value.is_finite(), FIGURE, "a value", "finite", f64::from(value))?;
            }
            let valid = feature.range.is_finite() && feature.range > 0.0;
            check(valid, FIGURE, "a range", "finite and above 0", f64::from(feature.range))?;
        }
        Ok(())
    }
}

/// `3.2 to 4.1 (+9.0 %)`, with enough digits to tell the two apart.
fn values(feature: &FeatureChange) -> String {
    let (before, after) = (f64::from(feature.clean), f64::from(feature.adversarial));
    let digits = (1.0 - (after - before).abs().log10().floor()).clamp(0.0, 9.0) as usize;
    let percent = 100.0 * feature.fraction();
    format!("{before:.digits$} to {after:.digits$} ({percent:+.1} %)")
}

const FIGURE: &str = "feature changes";
const WIDTH: f64 = 660.0;
const ROW: f64 = 24.0;
const NAME_WIDTH: f64 = 200.0;
const NAME: TextStyle = TextStyle::new(13.0, INK);
const VALUE: TextStyle = TextStyle::new(12.0, MUTED);

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::drawing::tests::assert_legible;

    pub(in crate::report) fn feature(
        name: &str,
        clean: f32,
        adversarial: f32,
        range: f32,
    ) -> FeatureChange {
        FeatureChange { name: name.into(), clean, adversarial, range }
    }

    pub(in crate::report) fn changes(features: Vec<FeatureChange>, most: usize) -> FeatureChanges {
        FeatureChanges { title: "Largest changes of sample 7".into(), features, most }
    }

    fn bars(drawing: &Drawing) -> Vec<f64> {
        let bar = |shape: &Shape| match shape {
            Shape::Rectangle { from, to, .. } => Some(to.0 - from.0),
            _ => None,
        };
        drawing.shapes.iter().filter_map(bar).collect()
    }

    /// Fractions of the range: 0.5, −0.25 and 0.125; the fourth did not change.
    #[test]
    fn bars_are_ordered_by_the_share_of_the_range() {
        let features = vec![
            feature("mean radius", 10.0, 11.0, 8.0),
            feature("texture", 3.0, 2.75, 1.0),
            feature("area", 100.0, 600.0, 1000.0),
            feature("constant", 1.0, 1.0, 1.0),
        ];
        let drawing = changes(features.clone(), 10).draw().unwrap();
        assert_legible(&drawing);
        let bars = bars(&drawing);
        assert_eq!(bars.len(), 3);
        assert!((bars[0] - 2.0 * bars[1]).abs() < 1e-9 && (bars[1] - 2.0 * bars[2]).abs() < 1e-9);
        assert_eq!(changes(features, 1).draw().unwrap().shapes.len() + 6, drawing.shapes.len());
    }

    #[test]
    fn values_show_the_digits_that_changed() {
        assert_eq!(values(&feature("a", 3.0, 2.75, 1.0)), "3.00 to 2.75 (-25.0 %)");
        assert_eq!(values(&feature("a", 0.0, 0.001, 1.0)), "0.0000 to 0.0010 (+0.1 %)");
        assert_eq!(values(&feature("a", 100.0, 600.0, 1000.0)), "100 to 600 (+50.0 %)");
    }

    #[test]
    fn an_unchanged_row_has_no_bars_and_a_bad_range_is_an_error() {
        let drawing = changes(vec![feature("a", 1.0, 1.0, 1.0)], 5).draw().unwrap();
        assert!(bars(&drawing).is_empty());
        assert!(matches!(changes(vec![], 5).draw(), Err(Error::Empty { .. })));
        let error = changes(vec![feature("a", 1.0, 2.0, 0.0)], 5).draw();
        assert!(matches!(error, Err(Error::Value { what: "a range", .. })));
    }
}
