//! Columns to features: fills, one-hot codes, labels and the box.
use duress_core::Domain;

use super::{
    read::{Cells, MISSING, Table, table},
    schema::{Class, Column, Fill, Kind, Schema},
};
use crate::{Dataset, Error, Input, Result};

/// Reads a table.
///
/// Features follow the columns from left to right; a category takes one feature a value, named
/// `column=value`. Labels follow the classes. What the schema leaves open (categories, ranges,
/// fills, classes) is taken from this file alone: see [`fit`] for files that belong together.
///
/// # Errors
/// [`Error::Format`] names line and column of a value that does not fit the schema;
/// [`Error::Label`] a value of the label column that is no class; [`Error::Empty`];
/// [`Error::TooLarge`] if the features would take more than the limit of the input.
pub fn dataset(schema: &Schema, input: Input<'_>) -> Result<Dataset> {
    let schema = schema.clone().checked()?;
    let limit = input.limit();
    let table = table(&schema, input)?;
    let schema = completed(schema, &table)?;
    let width: usize = schema.columns.iter().map(features).sum();
    let total = table.rows.checked_mul(width).filter(|&total| total as u64 <= limit / 4);
    let total = total.ok_or_else(|| Error::TooLarge { file: table.file.clone(), limit })?;
    let mut values = vec![0.0; total];
    let (mut lower, mut upper) = (Vec::with_capacity(width), Vec::with_capacity(width));
    let (mut names, mut immutable) = (Vec::with_capacity(width), Vec::new());
    let mut labels = Vec::new();
    for (column, cells) in schema.columns.iter().zip(&table.cells) {
        let first = names.len();
        match cells {
            Cells::Ignored => {}
            Cells::Texts { texts, indices, .. } if column.kind == Kind::Label => {
                labels = label_column(&schema, &table.file, texts, indices)?;
            }
            Cells::Texts { texts, indices, .. } => {
                let hot = hot_features(column, &table.file, texts, indices)?;
                for (row, hot) in values.chunks_exact_mut(width).zip(hot) {
                    row[first + hot] = 1.0;
                }
                lower.extend(column.values.iter().map(|_| 0.0));
                upper.extend(column.values.iter().map(|_| 1.0));
                names.extend(column.values.iter().map(|value| format!("{}={value}", column.name)));
            }
            Cells::Numbers(numbers) => {
                let [low, high] = column.range.unwrap_or([0.0, 0.0]);
                let fill = if let Some(Fill::Number(fill)) = column.fill { fill } else { 0.0 };
                for (record, (row, &number)) in
                    values.chunks_exact_mut(width).zip(numbers).enumerate()
                {
                    let number = if number.is_nan() { fill } else { number };
                    if !(low..=high).contains(&number) {
                        let at = format!("record {record}, column `{}`", column.name);
                        let expected = format!("a number in [{low}, {high}]");
                        return Err(Error::format(table.file, at, expected, number.to_string()));
                    }
                    row[first] = number;
                }
                lower.push(low);
                upper.push(high);
                names.push(column.name.clone());
            }
        }
        if column.immutable {
            immutable.extend(first..names.len());
        }
    }
    let classes = schema.classes.into_iter().map(|class| class.name).collect();
    let domain = Domain::table(lower, upper)?.with_immutable(immutable)?;
    Dataset::new(schema.name, domain, values, labels, classes)?.with_feature_names(names)
}

/// The schema with all that it left open taken from one file, usually the training part: values
/// of categories, ranges, fills and classes. Read with it, every part has the same features.
///
/// A number of another part outside the fitted range, or a category that the fitted part lacks,
/// is then an error; list `range` and `values` in the schema if the parts differ.
///
/// # Errors
/// As [`dataset`].
pub fn fit(schema: &Schema, input: Input<'_>) -> Result<Schema> {
    let schema = schema.clone().checked()?;
    let table = table(&schema, input)?;
    completed(schema, &table)
}

fn completed(mut schema: Schema, table: &Table) -> Result<Schema> {
    let limit = schema.category_limit;
    let sorted = |texts: &[String], name: &str| {
        if texts.len() > limit {
            let at = format!("column `{name}`");
            let expected = format!("at most {limit} values (`category_limit`)");
            return Err(Error::format(&table.file, at, expected, texts.len().to_string()));
        }
        let mut texts = texts.to_vec();
        texts.sort_unstable();
        Ok(texts)
    };
    for (column, cells) in schema.columns.iter_mut().zip(&table.cells) {
        match cells {
            Cells::Ignored => {}
            Cells::Numbers(numbers) => complete_numbers(column, numbers, &table.file)?,
            Cells::Texts { texts, .. } if column.kind == Kind::Label => {
                if schema.classes.is_empty() {
                    let class = |name| Class { name, codes: Vec::new(), others: false };
                    schema.classes = sorted(texts, &column.name)?.into_iter().map(class).collect();
                }
            }
            Cells::Texts { texts, indices, .. } => {
                if column.values.is_empty() {
                    column.values = sorted(texts, &column.name)?;
                }
                if column.fill.is_none() {
                    column.fill = most_frequent(&column.values, texts, indices).map(Fill::Value);
                }
                if column.values.is_empty() {
                    return Err(all_missing(column, &table.file));
                }
            }
        }
    }
    Ok(schema)
}

fn complete_numbers(column: &mut Column, numbers: &[f32], file: &str) -> Result<()> {
    let mut present: Vec<_> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
    present.sort_unstable_by(f32::total_cmp);
    let (Some(&low), Some(&high)) = (present.first(), present.last()) else {
        // With a range and a fill of its own the column needs nothing from the file.
        let given = column.range.is_some() && column.fill.is_some();
        return if given { Ok(()) } else { Err(all_missing(column, file)) };
    };
    let middle = present.len() / 2;
    let median = if present.len().is_multiple_of(2) {
        f32::midpoint(present[middle - 1], present[middle])
    } else {
        present[middle]
    };
    let stand_in = match column.fill {
        Some(Fill::Number(given)) => given,
        _ => median,
    };
    // The box must hold the fill too, if some row gets it.
    let filled = present.len() < numbers.len();
    let (least, most) = if filled { (low.min(stand_in), high.max(stand_in)) } else { (low, high) };
    column.fill = Some(Fill::Number(stand_in));
    column.range = Some(column.range.unwrap_or([least, most]));
    Ok(())
}

/// The value in the most rows, the first of `values` at a tie; `None` if none occurs.
fn most_frequent(values: &[String], texts: &[String], indices: &[u32]) -> Option<String> {
    let mut counts = vec![0_usize; texts.len()];
    for &index in indices.iter().filter(|&&index| index != MISSING) {
        counts[index as usize] += 1;
    }
    let count = |value: &String| {
        texts.iter().position(|text| text == value).map_or(0, |index| counts[index])
    };
    // `max_by_key` takes the last of equals.
    let best = values.iter().rev().map(|value| (count(value), value)).max_by_key(|best| best.0);
    best.filter(|(count, _)| *count > 0).map(|(_, value)| value.clone())
}

fn label_column(
    schema: &Schema,
    file: &str,
    texts: &[String],
    indices: &[u32],
) -> Result<Vec<usize>> {
    let of_text: Vec<_> = texts.iter().map(|text| schema.label(text)).collect();
    let label = |(record, &index): (usize, &u32)| {
        of_text[index as usize].ok_or_else(|| Error::Label {
            file: file.into(),
            record,
            label: format!("`{}`", texts[index as usize]),
            classes: schema.classes.len(),
        })
    };
    indices.iter().enumerate().map(label).collect()
}

/// Position among the values of the column for each row.
fn hot_features(
    column: &Column,
    file: &str,
    texts: &[String],
    indices: &[u32],
) -> Result<Vec<usize>> {
    let position = |text: &String| column.values.iter().position(|value| value == text);
    let of_text: Vec<_> = texts.iter().map(position).collect();
    let stand_in = match &column.fill {
        Some(Fill::Value(value)) => position(value),
        _ => None,
    };
    let hot = |(record, &index): (usize, &u32)| {
        let hot = if index == MISSING { stand_in } else { of_text[index as usize] };
        hot.ok_or_else(|| {
            let at = format!("record {record}, column `{}`", column.name);
            let got = texts.get(index as usize).map_or("a missing value", String::as_str);
            Error::format(file, at, format!("one of {}", column.values.join(", ")), got)
        })
    };
    indices.iter().enumerate().map(hot).collect()
}

fn features(column: &Column) -> usize {
    match column.kind {
        Kind::Number => 1,
        Kind::Category => column.values.len(),
        Kind::Ignore | Kind::Label => 0,
    }
}

fn all_missing(column: &Column, file: &str) -> Error {
    let at = format!("column `{}`", column.name);
    Error::format(file, at, "a value in some row", "none")
}
