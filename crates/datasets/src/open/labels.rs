//! Labels as the file writes them, and the classes they name.
use std::collections::BTreeSet;
use std::path::Path;

use super::{Classes, detect::beside};
use crate::{Error, Input, Result, dataset::numbered};

/// Labels before they are matched with classes.
pub(super) enum Labels {
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Texts.
    Names {
        /// For each sample the place in `names`.
        indices: Vec<usize>,
        /// Distinct texts, in the order that their labels have without further information.
        names: Vec<String>,
        /// Whether texts that are all whole numbers are the labels themselves.
        numeric: bool,
    },
}

impl Labels {
    pub(super) fn len(&self) -> usize {
        match self {
            Labels::Numbers(numbers) => numbers.len(),
            Labels::Names { indices, .. } => indices.len(),
        }
    }

    pub(super) fn truncate(&mut self, count: usize) {
        match self {
            Labels::Numbers(numbers) => numbers.truncate(count),
            Labels::Names { indices, .. } => indices.truncate(count),
        }
    }

    /// Labels that occur.
    pub(super) fn distinct(&self) -> usize {
        match self {
            Labels::Numbers(numbers) => numbers.iter().collect::<BTreeSet<_>>().len(),
            Labels::Names { indices, .. } => indices.iter().collect::<BTreeSet<_>>().len(),
        }
    }
}

/// For each text its place among the distinct ones, which are in byte order.
pub(super) fn places(texts: &[String]) -> (Vec<usize>, Vec<String>) {
    let names: BTreeSet<&String> = texts.iter().collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let place = |text: &String| names.partition_point(|name| name < text);
    (texts.iter().map(place).collect(), names)
}

/// Labels `0..classes` and the names of the classes.
///
/// Texts are looked up among the given classes; whole numbers are labels after the offset.
pub(super) fn resolve(
    file: &str,
    labels: Labels,
    classes: Option<&[String]>,
    offset: i64,
    notes: &mut Vec<String>,
) -> Result<(Vec<usize>, Vec<String>)> {
    match labels {
        Labels::Numbers(numbers) => of_numbers(file, &numbers, classes, offset, notes),
        Labels::Names { indices, names, numeric } => {
            let parsed: Option<Vec<i64>> = names.iter().map(|name| whole_number(name)).collect();
            let listed =
                classes.is_some_and(|classes| names.iter().all(|name| classes.contains(name)));
            match parsed {
                Some(parsed) if numeric && (!listed || offset != 0) => {
                    let numbers: Vec<i64> = indices.iter().map(|&index| parsed[index]).collect();
                    return of_numbers(file, &numbers, classes, offset, notes);
                }
                Some(parsed) if classes.is_none() && !parsed.is_sorted() => notes.push(format!(
                    "the classes are in byte order ({}, ...), not in the order of their numbers: \
                     give `classes` in the order of the model",
                    names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ")
                )),
                _ => {}
            }
            if offset != 0 {
                let got = format!("{offset} for labels such as `{}`", names[0]);
                return Err(Error::parameter("label_offset", "0 unless labels are numbers", got));
            }
            let Some(classes) = classes else { return Ok((indices, names)) };
            let place = |name: &String| classes.iter().position(|class| class == name);
            let places: Vec<Option<usize>> = names.iter().map(place).collect();
            let label = |(record, &index): (usize, &usize)| {
                places[index].ok_or_else(|| Error::Label {
                    file: file.into(),
                    record,
                    label: format!("`{}`", names[index]),
                    classes: classes.len(),
                })
            };
            let labels = indices.iter().enumerate().map(label).collect::<Result<_>>()?;
            Ok((labels, classes.to_vec()))
        }
    }
}

/// `3`, or `3.0` as tables of floats write it.
fn whole_number(text: &str) -> Option<i64> {
    let float = || text.parse().ok().filter(|&number: &f64| number.fract() == 0.0);
    // Exact: an f64 holds every whole number up to 2^53, and larger ones are no label.
    let exact = |number: &f64| number.abs() <= 9_007_199_254_740_992.0;
    text.parse().ok().or_else(|| float().filter(exact).map(|number| number as i64))
}

fn of_numbers(
    file: &str,
    numbers: &[i64],
    classes: Option<&[String]>,
    offset: i64,
    notes: &mut Vec<String>,
) -> Result<(Vec<usize>, Vec<String>)> {
    let limit = classes.map_or(GUESSED_CLASSES, <[String]>::len);
    let mut labels = Vec::with_capacity(numbers.len());
    for (record, &number) in numbers.iter().enumerate() {
        let label = number.checked_sub(offset).and_then(|label| usize::try_from(label).ok());
        let Some(label) = label.filter(|&label| label < limit) else {
            return Err(Error::LabelNumber {
                file: file.into(),
                record,
                label: number,
                offset,
                last: limit as i64 - 1,
                advice: if number < offset {
                    "give `classes` or `label_offset`, the number that the first class has".into()
                } else if classes.is_some() && number == offset + limit as i64 {
                    "give `label_offset = 1` if labels begin at 1".into()
                } else {
                    "give all `classes`".into()
                },
            });
        };
        labels.push(label);
    }
    if let Some(classes) = classes {
        return Ok((labels, classes.to_vec()));
    }
    let present: BTreeSet<usize> = labels.iter().copied().collect();
    let count = present.last().map_or(0, |largest| largest + 1);
    notes.push(format!(
        "{count} classes, told by the largest label {}: give `classes` if there are more",
        count - 1
    ));
    if present.len() < count {
        let missing = count - present.len();
        let first = (0..count).find(|label| !present.contains(label)).unwrap_or(0);
        let hint =
            if first == 0 { " (labels that begin at 1 need `label_offset = 1`)" } else { "" };
        notes.push(format!("{missing} of them have no sample, the first is {first}{hint}"));
    }
    Ok((labels, numbered(count)))
}

/// The names of classes, checked.
pub(super) fn class_names(data: &Path, classes: &Classes) -> Result<Vec<String>> {
    let (file, names) = match classes {
        Classes::Names(names) => ("`classes`".to_owned(), names.clone()),
        Classes::File(path) => {
            let path = beside(data, path);
            let mut input = Input::open(&path)?.with_limit(CLASS_FILE_LIMIT);
            let text = String::from_utf8(input.rest()?).map_err(|error| {
                Error::format(input.name(), "content", "UTF-8 text", error.to_string())
            })?;
            let text = text.trim_start_matches('\u{feff}').trim_end();
            (input.name().to_owned(), text.lines().map(|line| line.trim().to_owned()).collect())
        }
    };
    if names.len() > GUESSED_CLASSES {
        let expected = format!("at most {GUESSED_CLASSES} classes");
        return Err(Error::format(file, "classes", expected, names.len().to_string()));
    }
    if names.is_empty() {
        return Err(Error::format(file, "classes", "at least one class", "none"));
    }
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let at = format!("class {index}");
        if name.is_empty() {
            return Err(Error::format(file, at, "a name", "nothing"));
        }
        if !seen.insert(name) {
            return Err(Error::format(file, at, "a name of its own", format!("`{name}` again")));
        }
    }
    Ok(names)
}

/// Bound on the classes of a file that does not name them: a label is a `u16`.
const GUESSED_CLASSES: usize = 1 << 16;
const CLASS_FILE_LIMIT: u64 = 16 << 20;
