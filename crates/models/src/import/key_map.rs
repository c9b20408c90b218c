//! Names of another framework and what they are here, as a TOML file.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the weight of a linear layer lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightLayout {
    /// `[out, in]`, as `PyTorch` has it.
    Pytorch,
    /// `[in, out]`, as burn and this crate have it.
    Burn,
}

/// Which tensor of a file is which of ours.
///
/// ```toml
/// layout = "pytorch"          # only where the file does not say so itself
/// ignore = ["head.*"]
/// [keys]
/// "features.0.weight" = "conv1.weight"
/// "classifier.*" = "fc2.*"
/// ```
///
/// A `*` stands for any text, and those of a name are filled in from left to right. The pattern with
/// the fewest of them counts, then the longest. A name that no pattern fits stays what it is.
/// `weight` and `bias` of a batch normalisation may be called so or `gamma` and `beta`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyMap {
    /// Theirs to ours.
    pub keys: BTreeMap<String, String>,
    /// Tensors of the file that have no place here.
    pub ignore: Vec<String>,
    /// The layout, where the file does not tell.
    pub layout: Option<WeightLayout>,
}

impl KeyMap {
    /// Reads a map.
    ///
    /// # Errors
    /// [`Error::Parse`] for another form; [`Error::Parameter`] for a pattern with more `*` in our
    /// name than in theirs, or more than four.
    pub fn parse(text: &str) -> Result<Self> {
        let map: Self = toml::from_str(text).map_err(|error| Error::Parse {
            what: "key map",
            reason: error.message().to_owned(),
        })?;
        for (theirs, ours) in &map.keys {
            if stars(theirs) > MOST_STARS || stars(ours) > stars(theirs) {
                return Err(Error::Parameter {
                    what: "key map",
                    field: "keys",
                    expected: format!(
                        "at most {MOST_STARS} `*`, and in our name no more than in theirs"
                    ),
                    got: format!("`{theirs}` = `{ours}`"),
                });
            }
        }
        if let Some(pattern) = map.ignore.iter().find(|pattern| stars(pattern) > MOST_STARS) {
            return Err(Error::Parameter {
                what: "key map",
                field: "ignore",
                expected: format!("at most {MOST_STARS} `*`"),
                got: format!("`{pattern}`"),
            });
        }
        Ok(map)
    }

    /// Our name for `theirs`; `None` if it is to be left out.
    pub(super) fn rename(&self, theirs: &str) -> Option<String> {
        let fitting = self
            .keys
            .iter()
            .filter_map(|(pattern, ours)| fit(pattern, theirs).map(|parts| (pattern, ours, parts)));
        let best = fitting.min_by_key(|(pattern, ..)| (stars(pattern), usize::MAX - pattern.len()));
        if let Some((_, ours, parts)) = best {
            return Some(fill(ours, &parts));
        }
        let ignored = self.ignore.iter().any(|pattern| fit(pattern, theirs).is_some());
        (!ignored).then(|| theirs.to_owned())
    }
}

fn stars(pattern: &str) -> usize {
    pattern.matches('*').count()
}

/// What each `*` stands for if the whole of `text` fits; the shortest where there is a choice.
fn fit<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let Some((head, tail)) = pattern.split_once('*') else {
        return (pattern == text).then(Vec::new);
    };
    let rest = text.strip_prefix(head)?;
    let cuts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    for cut in cuts {
        let (star, after) = rest.split_at(cut);
        if let Some(more) = fit(tail, after) {
            return Some([vec![star], more].concat());
        }
    }
    None
}

fn fill(pattern: &str, parts: &[&str]) -> String {
    let mut pieces = pattern.split('*');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for (piece, part) in pieces.zip(parts) {
        name.push_str(part);
        name.push_str(piece);
    }
    name
}

/// More would make a hostile pattern slow.
const MOST_STARS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_carried_over_and_the_most_special_pattern_counts() {
        let map = KeyMap::parse(
            "ignore = [\"aux.*\"]\n[keys]\n\"layers.*.weight\" = \"features.*.weight\"\n\
             \"layers.0.weight\" = \"stem.weight\"\n\"a.*.b.*\" = \"*/*\"\n",
        )
        .unwrap();
        let renamed = |name: &str| map.rename(name);
        assert_eq!(renamed("layers.3.x.weight").unwrap(), "features.3.x.weight");
        assert_eq!(renamed("layers.0.weight").unwrap(), "stem.weight");
        assert_eq!(renamed("a.1.b.c.b.d").unwrap(), "1/c.b.d");
        assert_eq!(renamed("other").unwrap(), "other");
        assert_eq!(renamed("aux.weight"), None);
    }

    #[test]
    fn a_map_of_another_form_is_refused() {
        assert!(matches!(KeyMap::parse("[key]\n\"a\" = \"b\""), Err(Error::Parse { .. })));
        assert!(KeyMap::parse("[keys]\n\"a\" = \"*\"").is_err());
        assert!(KeyMap::parse("[keys]\n\"*****\" = \"a\"").is_err());
        assert!(KeyMap::parse("layout = \"row\"").is_err());
    }
}
