//! Which array holds the inputs and which the labels, by their names.
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Names of arrays of inputs and of labels, beside a part such as `test`.
const INPUTS: [&str; 8] =
    ["x", "images", "image", "data", "inputs", "input", "features", "samples"];
const LABELS: [&str; 6] = ["y", "labels", "label", "targets", "target", "classes"];
/// Parts, in the order of preference where none is given and the plain names are missing.
const PARTS: [&str; 5] = ["test", "val", "valid", "validation", "train"];

/// The one pair of names for `part`; without a part the plain names, then those of the test part.
pub(super) fn pick(
    file: &str,
    names: &[String],
    part: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<[String; 2]> {
    let mut pairs = pairs(names, part);
    let mut guessed = None;
    if part.is_none() && pairs.is_empty() {
        let by_part = PARTS.map(|part| (part, self::pairs(names, Some(part))));
        let mut there: Vec<_> =
            by_part.into_iter().filter(|(_, pairs)| !pairs.is_empty()).collect();
        if there.len() == 1 || there.first().is_some_and(|(part, _)| *part == "test") {
            let (part, found) = there.swap_remove(0);
            (guessed, pairs) = (Some(part), found);
        } else {
            pairs = there.into_iter().flat_map(|(_, pairs)| pairs).collect();
        }
    }
    match &pairs[..] {
        [[inputs, labels]] => {
            let part = guessed.map_or_else(String::new, |part| format!(", the {part} part"));
            notes.push(format!(
                "inputs from `{inputs}`, labels from `{labels}`{part}: give `keys` to choose others"
            ));
            Ok([inputs.clone(), labels.clone()])
        }
        [] => Err(unlabelled(file, names, part)),
        several => {
            let shown: Vec<_> = several.iter().map(|[a, b]| format!("`{a}` with `{b}`")).collect();
            let expected = "one pair of inputs and labels (give `keys` or `part`)";
            Err(Error::format(file, "array names", expected, shown.join(", ")))
        }
    }
}

fn unlabelled(file: &str, names: &[String], part: Option<&str>) -> Error {
    let found = if names.is_empty() { "nothing".into() } else { names.join(", ") };
    let of = part.map_or_else(String::new, |part| format!(" of part `{part}`"));
    Error::NoLabels {
        file: file.into(),
        found: format!("the arrays are {found}"),
        advice: format!(
            "inputs and labels{of} are looked for under names such as `x` and `y` or `images` and \
             `labels`: give `keys = [\"inputs\", \"labels\"]`"
        ),
    }
}

fn pairs(names: &[String], part: Option<&str>) -> Vec<[String; 2]> {
    let of = |known: &[&str]| -> Vec<&String> {
        let fits = |name: &&String| stem(name, part).is_some_and(|stem| known.contains(&&*stem));
        names.iter().filter(fits).collect()
    };
    let (inputs, labels) = (of(&INPUTS), of(&LABELS));
    inputs
        .iter()
        .flat_map(|input| labels.iter().map(|label| [(*input).clone(), (*label).clone()]))
        .collect()
}

/// The name in lower case without its part, which must be there if one is given.
fn stem(name: &str, part: Option<&str>) -> Option<String> {
    let name = name.to_lowercase();
    let Some(part) = part else { return Some(name) };
    let part = part.to_lowercase();
    let before = name.strip_prefix(&part).and_then(|rest| rest.strip_prefix(['_', '-', '.']));
    let after = || name.strip_suffix(&part).and_then(|rest| rest.strip_suffix(['_', '-', '.']));
    before.or_else(after).map(str::to_owned)
}

/// The file of labels that goes with a file of inputs by its name: `x_test.npy`, `y_test.npy`.
pub(super) fn sibling(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let idx = name.replace("images", "labels").replace("idx3", "idx1");
    let tokens: Vec<&str> = name.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).collect();
    let words =
        [("x", "y"), ("X", "y"), ("inputs", "labels"), ("data", "labels"), ("features", "labels")];
    let renamed = |(from, to): &(&str, &str)| {
        let at = tokens.iter().position(|token| {
            token.strip_suffix(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(token) == *from
        })?;
        let mut tokens: Vec<String> = tokens.iter().map(|&token| token.to_owned()).collect();
        tokens[at] = tokens[at].replacen(from, to, 1);
        Some(path.with_file_name(tokens.concat()))
    };
    let mut candidates: Vec<PathBuf> = words.iter().filter_map(renamed).collect();
    if idx != name {
        candidates.push(path.with_file_name(idx));
    }
    candidates.into_iter().find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick_of(names: &[&str], part: Option<&str>) -> Result<[String; 2], String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        pick("f", &names, part, &mut Vec::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn plain_names_come_first_and_then_the_test_part() {
        let pair = |a: &str, b: &str| Ok([a.to_owned(), b.to_owned()]);
        assert_eq!(pick_of(&["X", "y"], None), pair("X", "y"));
        assert_eq!(
            pick_of(&["images", "labels", "x_test", "y_test"], None),
            pair("images", "labels")
        );
        let parts = ["x_train", "y_train", "x_test", "y_test"];
        assert_eq!(pick_of(&parts, None), pair("x_test", "y_test"));
        assert_eq!(pick_of(&parts, Some("train")), pair("x_train", "y_train"));
        assert_eq!(pick_of(&["val_images", "val_labels"], None), pair("val_images", "val_labels"));
    }

    #[test]
    fn several_pairs_or_none_are_errors_that_name_what_is_there() {
        let error = pick_of(&["x", "y", "images", "labels"], None).unwrap_err();
        assert!(error.contains("`x` with `y`, `x` with `labels`, `images` with `y`"), "{error}");
        let error = pick_of(&["x_val", "y_val", "x_train", "y_train"], None).unwrap_err();
        assert!(error.contains("give `keys` or `part`"), "{error}");
        let error = pick_of(&["x", "weights"], None).unwrap_err();
        assert!(error.starts_with("f: no labels: the arrays are x, weights;"), "{error}");
        let error = pick_of(&["x", "y"], Some("val")).unwrap_err();
        assert!(error.contains("labels of part `val` are looked for"), "{error}");
    }
}
