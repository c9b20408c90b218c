//! The lines of a source file that reach a user: without comments and without tests.
//!
//! The workspace is formatted by rustfmt before this runs, so an item ends at the first line that
//! closes it at the item's own indentation.

/// Line numbers, from 1, and the code on them.
pub(super) fn shipped(text: &str) -> Vec<(usize, &str)> {
    let mut lines = text.lines().zip(1..).map(|(line, number)| (number, line));
    let mut kept = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            skip_item(&mut lines);
        } else if let Some(code) = code(line) {
            kept.push((number, code));
        }
    }
    kept
}

/// All lines with code, tests included.
pub(super) fn all(text: &str) -> Vec<(usize, &str)> {
    text.lines().zip(1..).filter_map(|(line, number)| Some((number, code(line)?))).collect()
}

/// The names of modules that are files of their own and compiled for tests only.
pub(super) fn test_modules(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut lines = text.lines();
    while lines.any(|line| line.trim() == "#[cfg(test)]") {
        let declared = lines.clone().find(|line| !line.trim_start().starts_with("#["));
        let name = declared.and_then(|line| line.trim().strip_prefix("mod ")?.strip_suffix(';'));
        names.extend(name);
    }
    names
}

/// Whether `word` stands in `line` on its own, not as a part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let in_name = |found: char| found.is_alphanumeric() || found == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(in_name) && !after.is_some_and(in_name)
    })
}

/// A line without its comment; `None` if nothing is left.
fn code(line: &str) -> Option<&str> {
    let line = line.split_once(" // ").map_or(line, |(code, _)| code);
    let bare = line.trim_start();
    (!bare.is_empty() && !bare.starts_with("//")).then_some(line)
}

/// Skips the item that follows an attribute.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let mut lines = lines.skip_while(|(_, line)| line.trim_start().starts_with("#["));
    let Some((_, first)) = lines.next() else { return };
    let indent = first.len() - first.trim_start().len();
    if first.ends_with(';') || first.ends_with('}') {
        return;
    }
    for (_, line) in lines {
        let depth = line.len() - line.trim_start().len();
        if depth == indent && (line.ends_with('}') || line.ends_with(';')) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<usize> {
        shipped(text).iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn comments_and_blank_lines_do_not_count() {
        let text = "//! Doc.\n\nuse a; // why\n/// More.\nfn b() {}\n";
        assert_eq!(shipped(text), [(3, "use a;"), (5, "fn b() {}")]);
    }

    #[test]
    fn a_test_module_is_left_out_and_what_follows_it_is_not() {
        let text = "a();\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nc();\n";
        assert_eq!(numbers(text), [1, 7]);
        assert_eq!(numbers("#[cfg(test)]\nmod tests;\nmod real;\n"), [3]);
        assert_eq!(numbers("#[cfg(test)]\n#[path = \"x\"]\nmod tests;\nmod real;\n"), [4]);
        let nested = "impl A {\n    #[cfg(test)]\n    fn b(\n        c: C,\n    ) {\n        d();\n    }\n    fn e() {}\n}\n";
        assert_eq!(numbers(nested), [1, 8, 9]);
        assert_eq!(all(text).len(), 7);
    }

    #[test]
    fn a_file_compiled_for_tests_only_is_known_by_its_declaration() {
        let text = "mod real;\n#[cfg(test)]\n#[path = \"x\"]\nmod helpers;\n\
                    #[cfg(test)]\nfn a() {}\nmod more;\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(test_modules(text), ["helpers"]);
    }

    #[test]
    fn a_word_is_not_a_part_of_a_name() {
        assert!(has_word("[a::PGD, B]", "PGD"));
        assert!(!has_word("APGD, PGD_L1", "PGD"));
    }
}
