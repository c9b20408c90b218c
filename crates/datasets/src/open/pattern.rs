//! File names that hold a label: `{label}_*`.

/// The text that stands for `{label}`, the shortest that lets the rest match; `*` is any text.
pub(super) fn capture<'a>(pattern: &str, text: &'a str) -> Option<&'a str> {
    let (before, after) = pattern.split_once("{label}")?;
    let ends = |from: usize| (from..=text.len()).filter(|&at| text.is_char_boundary(at));
    for start in ends(0).filter(|&at| matches(before, &text[..at])) {
        for end in ends(start + 1) {
            if matches(after, &text[end..]) {
                return Some(&text[start..end]);
            }
        }
    }
    None
}

/// Whether all of `text` is what `pattern` says.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            let starts = (0..=text.len()).filter(|&at| text.is_char_boundary(at));
            starts.into_iter().any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_the_shortest_text_that_fits() {
        assert_eq!(capture("{label}_*", "cat_001_a"), Some("cat"));
        assert_eq!(capture("*_{label}", "001_cat"), Some("cat"));
        assert_eq!(capture("img-*-{label}-*", "img-7-été-x"), Some("été"));
        assert_eq!(capture("{label}", "7"), Some("7"));
        assert_eq!(capture("{label}_*", "_001"), None);
        assert_eq!(capture("{label}_*", "cat"), None);
        assert_eq!(capture("{label}_*", "é_1"), Some("é"));
    }
}
