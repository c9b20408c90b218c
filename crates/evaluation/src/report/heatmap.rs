//! A matrix of rates as coloured cells with their numbers, such as a transfer matrix.
use duress_metrics::Proportion;

use super::{
    Error, Result,
    axis::MARGIN,
    drawing::{Align, Drawing, Shape, Stroke, TextStyle, shorten, text_width},
    palette::{GRID, INK, MUTED, NO_VALUE, sequential},
};

/// Rates in percent, `cells[row][column]`; darker is more.
///
/// Column names that do not fit above their cells become numbers, which the row names explain
/// or a list below the matrix. Row names that are too long for the margin are shortened.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// Title above the matrix.
    pub title: String,
    /// What a row is, such as `source`.
    pub row_label: String,
    /// What a column is, such as `target`.
    pub column_label: String,
    /// What a cell counts, such as `adversarial examples of the source that fool the target (%)`.
    pub value_label: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rates; a cell without samples is drawn grey with a dash.
    pub cells: Vec<Vec<Proportion>>,
}

impl HeatMap {
    /// Lays the matrix out.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows or columns; [`Error::Length`] if the cells do not match the
    /// names.
    pub fn draw(&self) -> Result<Drawing> {
        self.check()?;
        let (numbered, cell_width) = self.columns();
        let left = MARGIN + self.names_width(numbered) + 10.0;
        let right = left + cell_width * self.columns.len() as f64;
        let width = (right + MARGIN).max(MIN_WIDTH);
        let (room, note) = (width - 2.0 * MARGIN, TextStyle::new(12.0, MUTED));

        let description = format!(
            "{}: {}, one row a {}, one column a {}.",
            self.title, self.value_label, self.row_label, self.column_label
        );
        let mut drawing = Drawing::new(width, 0.0, description);
        let title = TextStyle::new(16.0, INK).bold();
        let mut bottom = drawing.paragraph((MARGIN, MARGIN), room, &self.title, title);
        let key = format!(
            "Row: {}. Column: {}. Cell: {}.",
            self.row_label, self.column_label, self.value_label
        );
        bottom = drawing.paragraph((MARGIN, bottom + 2.0), room, &key, note);
        let top = bottom + 28.0;
        for (column, name) in self.columns.iter().enumerate() {
            let centre = left + (column as f64 + 0.5) * cell_width;
            let text = if numbered { (column + 1).to_string() } else { name.clone() };
            drawing.text((centre, top - 12.0), Align::Centre, &text, NAME);
        }
        for (row, name) in self.rows.iter().enumerate() {
            let middle = top + (row as f64 + 0.5) * CELL_HEIGHT;
            let text = self.row_name(row, name, numbered);
            drawing.text((left - 10.0, middle), Align::Right, &text, NAME);
            for (column, value) in self.cells[row].iter().enumerate() {
                let from = (left + column as f64 * cell_width, middle - 0.5 * CELL_HEIGHT);
                cell(&mut drawing, from, cell_width, *value);
            }
        }
        bottom = top + CELL_HEIGHT * self.rows.len() as f64 + 16.0;
        bottom = colour_bar(&mut drawing, (left, bottom));
        if numbered && self.rows != self.columns {
            for (column, name) in self.columns.iter().enumerate() {
                let text = format!("{}  {name}", column + 1);
                bottom = drawing.paragraph((MARGIN, bottom), room, &text, note);
            }
        }
        drawing.size.1 = bottom + MARGIN;
        Ok(drawing)
    }

    fn check(&self) -> Result<()> {
        for (what, names) in [("row", &self.rows), ("column", &self.columns)] {
            if names.is_empty() {
                return Err(Error::Empty { figure: FIGURE, what });
            }
        }
        let same = |what, expected, got| {
            if expected == got {
                Ok(())
            } else {
                Err(Error::Length { figure: FIGURE, what, expected, got })
            }
        };
        same("rows of cells", self.rows.len(), self.cells.len())?;
        self.cells.iter().try_for_each(|row| same("cells in a row", self.columns.len(), row.len()))
    }

    /// Whether columns are numbered, and how wide they are.
    fn columns(&self) -> (bool, f64) {
        let widest = self.columns.iter().map(|name| text_width(name, NAME)).fold(0.0, f64::max);
        let fits = widest + 12.0 <= MAX_CELL;
        (!fits, if fits { (widest + 12.0).max(MIN_CELL) } else { MIN_CELL })
    }

    fn row_name(&self, row: usize, name: &str, numbered: bool) -> String {
        let explains = numbered && self.rows == self.columns;
        let name = shorten(name, NAME_WIDTH, NAME);
        if explains { format!("{name}  {}", row + 1) } else { name }
    }

    fn names_width(&self, numbered: bool) -> f64 {
        let names = self.rows.iter().enumerate();
        let widths = names.map(|(row, name)| text_width(&self.row_name(row, name, numbered), NAME));
        widths.fold(0.0, f64::max)
    }
}

/// The rate, and below it how many samples it rests on.
fn cell(drawing: &mut Drawing, from: (f64, f64), width: f64, value: Proportion) {
    let to = (from.0 + width - 1.0, from.1 + CELL_HEIGHT - 1.0);
    let (centre, middle) = (0.5 * (from.0 + to.0), 0.5 * (from.1 + to.1));
    let fill = value.rate().map_or(NO_VALUE, sequential);
    drawing.shapes.push(Shape::Rectangle { from, to, fill });
    let colour = fill.readable_text();
    let Some(rate) = value.rate() else {
        drawing.text((centre, middle), Align::Centre, "–", TextStyle::new(14.0, colour));
        return;
    };
    let text = format!("{:.1}", 100.0 * rate);
    drawing.text((centre, middle - 7.0), Align::Centre, &text, TextStyle::new(14.0, colour).bold());
    let count = shorten(&format!("n {}", value.total()), width - 4.0, TextStyle::new(10.0, colour));
    drawing.text((centre, middle + 10.0), Align::Centre, &count, TextStyle::new(10.0, colour));
}

/// The colours from 0 to 100 %; returns the bottom.
fn colour_bar(drawing: &mut Drawing, (left, top): (f64, f64)) -> f64 {
    const STEPS: u32 = 60;
    let width = 180.0;
    for step in 0..STEPS {
        let start = left + width * f64::from(step) / f64::from(STEPS);
        let fill = sequential(f64::from(step) / f64::from(STEPS - 1));
        // Up to the end, under the next colours: no seams where edges are smoothed.
        let to = (left + width, top + 10.0);
        drawing.shapes.push(Shape::Rectangle { from: (start, top), to, fill });
    }
    let corners = [(0.0, 0.0), (width, 0.0), (width, 10.0), (0.0, 10.0), (0.0, 0.0)];
    let points = corners.iter().map(|(x, y)| (left + x, top + y)).collect();
    drawing.shapes.push(Shape::Path { points, stroke: Stroke::solid(GRID, 1.0) });
    let style = TextStyle::new(11.0, MUTED);
    drawing.text((left, top + 20.0), Align::Left, "0 %", style);
    drawing.text((left + width, top + 20.0), Align::Right, "100 %", style);
    top + 32.0
}

const FIGURE: &str = "heat map";
const NAME: TextStyle = TextStyle::new(13.0, INK);
const NAME_WIDTH: f64 = 180.0;
const MIN_WIDTH: f64 = 380.0;
const MIN_CELL: f64 = 58.0;
const MAX_CELL: f64 = 110.0;
const CELL_HEIGHT: f64 = 42.0;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::drawing::tests::assert_legible;

    pub(in crate::report) fn heat_map(names: &[&str]) -> HeatMap {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let count = names.len();
        let value = |row: usize, column: usize| {
            let total = if row == 1 && column == 0 { 0 } else { 1000 };
            let successes = (1000 * (row + 2 * column) / (3 * count)) as u64;
            Proportion::new(successes.min(total), total).unwrap()
        };
        let row = |row| (0..count).map(|column| value(row, column)).collect();
        HeatMap {
            title: "Transfer of adversarial examples between models".into(),
            row_label: "source".into(),
            column_label: "target".into(),
            value_label: "examples of the source that fool the target (%)".into(),
            rows: names.clone(),
            columns: names,
            cells: (0..count).map(row).collect(),
        }
    }

    fn texts(drawing: &Drawing) -> Vec<&str> {
        fn text(shape: &Shape) -> Option<&str> {
            match shape {
                Shape::Text(text) => Some(&text.content),
                _ => None,
            }
        }
        drawing.shapes.iter().filter_map(text).collect()
    }

    #[test]
    fn short_names_stand_above_their_columns() {
        let drawing = heat_map(&["mlp", "lenet", "resnet18"]).draw().unwrap();
        assert_legible(&drawing);
        let names = |name: &str| texts(&drawing).iter().filter(|text| **text == name).count();
        assert_eq!((names("lenet"), names("–"), names("n 1000")), (2, 1, 8));
    }

    #[test]
    fn long_names_become_numbers_that_are_explained() {
        let long = ["wide_resnet_28_10_adversarially_trained", "lenet", "a third one"];
        let mut map = heat_map(&long);
        let drawing = map.draw().unwrap();
        assert_legible(&drawing);
        assert!(texts(&drawing).contains(&"lenet  2"));
        map.rows = vec!["x".into(), "y".into(), "z".into()];
        let drawing = map.draw().unwrap();
        assert_legible(&drawing);
        assert!(texts(&drawing).contains(&"2 lenet"));
    }

    #[test]
    fn a_matrix_that_does_not_match_its_names_is_an_error() {
        let mut map = heat_map(&["a", "b"]);
        map.cells[1].pop();
        assert!(matches!(map.draw(), Err(Error::Length { expected: 2, got: 1, .. })));
        map.cells.pop();
        assert!(matches!(map.draw(), Err(Error::Length { what: "rows of cells", .. })));
        map.rows.clear();
        assert!(matches!(map.draw(), Err(Error::Empty { what: "row", .. })));
    }
}
