//! Rates to compare, with their intervals and bars, as an HTML table.
use duress_metrics::{Confidence, Proportion};
use maud::{Markup, html};

use super::{Error, Result};

/// One cell of a [`Table`].
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// A second, smaller line, such as an interval.
    pub interval: Option<String>,
    /// A bar below the text, as a fraction of the cell's width; clamped to `[0, 1]`.
    pub bar: Option<f64>,
}

impl Cell {
    /// A cell with nothing but a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A rate in percent with its 95 % Wilson interval and a bar; a dash without samples.
    #[must_use]
    pub fn rate(proportion: Proportion) -> Self {
        let Some(rate) = proportion.rate() else { return Self::text("–") };
        Self {
            text: format!("{:.2} %", 100.0 * rate),
            interval: proportion.wilson(Confidence::P95).map(|interval| interval.to_string()),
            bar: Some(rate),
        }
    }
}

/// Rows to compare; the first cell of a row names it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows, one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The table as HTML; [`Error::Length`] for a row with more or fewer cells than columns.
    pub(super) fn render(&self) -> Result<Markup> {
        let expected = self.columns.len();
        if let Some(row) = self.rows.iter().find(|row| row.len() != expected) {
            let (figure, what) = ("table", "cells in a row");
            return Err(Error::Length { figure, what, expected, got: row.len() });
        }
        Ok(html! {
            table {
                caption { (self.caption) }
                thead { tr { @for name in &self.columns { th scope="col" { (name) } } } }
                tbody {
                    @for row in &self.rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if column == 0 { th scope="row" { (content(cell)) } }
                                @else { td { (content(cell)) } }
                            }
                        }
                    }
                }
            }
        })
    }
}

fn content(cell: &Cell) -> Markup {
    html! {
        span.value { (cell.text) }
        @if let Some(interval) = &cell.interval { span.interval { (interval) } }
        @if let Some(bar) = cell.bar.filter(|bar| !bar.is_nan()) {
            @let width = format!("width:{:.1}%", 100.0 * bar.clamp(0.0, 1.0));
            span.bar { span style=(width) {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_carries_its_interval_and_its_bar() {
        let cell = Cell::rate(Proportion::new(350, 400).unwrap());
        assert_eq!(cell.text, "87.50 %");
        assert_eq!(cell.interval.as_deref(), Some("[83.90, 90.39]"));
        assert_eq!(cell.bar, Some(0.875));
        assert_eq!(Cell::rate(Proportion::default()).text, "–");
        let table = Table { columns: vec!["a".into()], rows: vec![vec![cell]], ..Table::default() };
        let text = table.render().unwrap().into_string();
        assert!(text.contains("width:87.5%"));
    }

    #[test]
    fn a_ragged_table_is_an_error() {
        let table = Table { columns: vec!["a".into()], rows: vec![vec![]], ..Table::default() };
        let error = table.render().unwrap_err();
        assert!(matches!(error, Error::Length { expected: 1, got: 0, .. }));
    }
}
