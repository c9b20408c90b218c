//! What the columns of a table mean.
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Description of a table, written by hand in TOML.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Name of the data set.
    pub name: String,
    /// Whether the first line holds the names of the columns, which must be those given here.
    #[serde(default)]
    pub header: bool,
    /// Character between two values (ASCII). Blanks around a value are not part of it.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// How a missing value is written. Without it an empty or odd value is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// What to do about a missing value.
    #[serde(default)]
    pub on_missing: OnMissing,
    /// Most values of a category column whose `values` are not listed: each takes a feature.
    #[serde(default = "category_limit")]
    pub category_limit: usize,
    /// Columns of the file, from left to right.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
    /// Classes in the order of their labels. If there are none: the values of the label column,
    /// in byte order, at most `category_limit`.
    #[serde(rename = "class", default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
}

/// One column, or `count` alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name; `count` columns get `_1`, `_2`, ... behind it.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Number of such columns side by side.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: usize,
    /// Whether an adversary may not change it.
    #[serde(default)]
    pub immutable: bool,
    /// Values of a category in the order of their features; another value is an error. If empty:
    /// the values in the file, in byte order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Interval that holds the numbers, the box of the domain; a number outside is an error. If
    /// `None`: the smallest and the largest in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// What stands for a missing value under [`OnMissing::Fill`]. If `None`: the median of a
    /// number column, the most frequent value of a category (the first in order at a tie).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A number: one feature.
    Number,
    /// One of several values: a feature for each, 1 for the value and 0 for the others.
    Category,
    /// Not a feature.
    Ignore,
    /// The class. Exactly one column is the label.
    Label,
}

/// What to do about a missing value in a feature. A missing label is an error, or drops the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Refuse the file.
    #[default]
    Error,
    /// Leave out the row.
    DropRow,
    /// Put in the fill of the column.
    Fill,
}

/// A stand-in for a missing value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fill {
    /// In a number column.
    Number(f32),
    /// In a category column.
    Value(String),
}

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Name for reports.
    pub name: String,
    /// How the label column writes it; if empty, its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Whether each value that no class lists belongs to this one, such as all attacks beside
    /// `normal`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others: bool,
}

impl Schema {
    /// Parses and checks a schema.
    ///
    /// # Errors
    /// [`Error::Parameter`] for TOML that is no schema, and as [`checked`](Self::checked).
    pub fn parse(text: &str) -> Result<Self> {
        let schema: Self = toml::from_str(text).map_err(|error| {
            Error::parameter("schema", "a table description", error.to_string())
        })?;
        schema.checked()
    }

    /// The schema with each repeated column written out, or what is wrong with it.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are 1 to 65,535 columns, exactly one label, at least
    /// one feature, an ASCII delimiter, no two columns of one name, no value, code or range
    /// that contradicts another, and nothing a column of its kind cannot have.
    pub fn checked(mut self) -> Result<Self> {
        let width =
            self.columns.iter().try_fold(0_usize, |sum, column| sum.checked_add(column.count));
        if !width.is_some_and(|width| (1..=MOST_COLUMNS).contains(&width)) {
            let got = width.map_or_else(|| "more than 2^64".into(), |width| width.to_string());
            return Err(Error::parameter("column", format!("1 to {MOST_COLUMNS} columns"), got));
        }
        self.columns = self.columns.iter().flat_map(Column::written_out).collect();
        if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\n' | '\r') {
            let got = format!("{:?}", self.delimiter);
            return Err(Error::parameter("delimiter", "an ASCII character beside quotes", got));
        }
        let count = |kind| self.columns.iter().filter(|column| column.kind == kind).count();
        let (labels, features) = (count(Kind::Label), count(Kind::Number) + count(Kind::Category));
        if labels != 1 || features == 0 {
            let got = format!("{labels} labels and {features} features");
            return Err(Error::parameter("column", "one label and at least one feature", got));
        }
        distinct("column names", self.columns.iter().map(|column| &column.name))?;
        for column in &self.columns {
            column.check()?;
        }
        distinct("class names", self.classes.iter().map(|class| &class.name))?;
        distinct("class codes", self.classes.iter().flat_map(Class::codes))?;
        let others = self.classes.iter().filter(|class| class.others).count();
        if others > 1 {
            return Err(Error::parameter(
                "others",
                "set for at most one class",
                others.to_string(),
            ));
        }
        Ok(self)
    }

    /// The label of a value of the label column.
    pub(super) fn label(&self, value: &str) -> Option<usize> {
        let listed = self.classes.iter().position(|class| class.codes().any(|code| code == value));
        listed.or_else(|| self.classes.iter().position(|class| class.others))
    }
}

impl Column {
    fn written_out(&self) -> Vec<Self> {
        let one = |name| Self { name, count: 1, ..self.clone() };
        match self.count {
            1 => vec![self.clone()],
            count => (1..=count).map(|index| one(format!("{}_{index}", self.name))).collect(),
        }
    }

    fn check(&self) -> Result<()> {
        let wrong = |field, expected: &str, got: String| {
            Err(Error::parameter(field, format!("{expected} (column `{}`)", self.name), got))
        };
        let is = |kind| self.kind == kind;
        if !is(Kind::Category) && !self.values.is_empty() {
            return wrong("values", "left to category columns", format!("{:?}", self.values));
        }
        if let Some([low, high]) = self.range
            && !(is(Kind::Number) && low.is_finite() && high.is_finite() && low <= high)
        {
            return wrong(
                "range",
                "two numbers in order, in a number column",
                format!("{low}, {high}"),
            );
        }
        match &self.fill {
            None => {}
            Some(Fill::Number(value)) if is(Kind::Number) && value.is_finite() => {}
            Some(Fill::Value(value))
                if is(Kind::Category)
                    && (self.values.is_empty() || self.values.contains(value)) => {}
            Some(fill) => return wrong("fill", "a value of the column", format!("{fill:?}")),
        }
        distinct("values", self.values.iter())
    }
}

impl Class {
    fn codes(&self) -> impl Iterator<Item = &String> {
        let name = self.codes.is_empty().then_some(&self.name);
        self.codes.iter().chain(name)
    }
}

fn distinct<'a>(field: &'static str, items: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for item in items {
        if !seen.insert(item) {
            return Err(Error::parameter(field, "distinct", format!("`{item}` twice")));
        }
    }
    Ok(())
}

fn comma() -> char {
    ','
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

fn category_limit() -> usize {
    1024
}

const MOST_COLUMNS: usize = 65_535;
