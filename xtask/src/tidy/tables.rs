//! Every algorithm stands in its crate's table.
use super::sources::Source;
use super::{Fault, code};

/// Crates whose algorithm files each define a `const ENTRY`.
const CRATES: &[&str] = &["attacks", "certification", "defenses"];

/// The file with the table.
const TABLE: &str = "src/table.rs";

/// Names a file with an entry that the table of its crate does not list.
pub(super) fn check(sources: &[Source]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for name in CRATES {
        let files: Vec<&Source> = sources.iter().filter(|file| file.crate_name == *name).collect();
        let table = files.iter().find(|file| file.path == TABLE);
        for file in files.iter().filter(|file| file.has_entry()) {
            let path = modules(&file.path);
            if !table.is_some_and(|table| names(table, &files, &path)) {
                let told = format!("its ENTRY is not in crates/{name}/{TABLE}");
                faults.push(Fault::new(format!("crates/{name}/{}", file.path), 0, told));
            }
        }
    }
    faults
}

impl Source {
    fn has_entry(&self) -> bool {
        !self.is_test
            && code::shipped(&self.text)
                .iter()
                .any(|(_, line)| code::has_word(line, "ENTRY") && line.contains("const ENTRY:"))
    }
}

/// The module of a file, outermost first: `src/a/b.rs` and `src/a/b/mod.rs` are `a`, `b`.
fn modules(path: &str) -> Vec<&str> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    inside.strip_suffix("/mod").unwrap_or(inside).split('/').collect()
}

/// Whether the table names the entry of a module: as `module::ENTRY`, by the name under which a
/// file hands it on (`use module::ENTRY as NAME`), or through the module above
/// (`use module::ENTRY`).
fn names(table: &Source, files: &[&Source], module: &[&str]) -> bool {
    let [above @ .., last] = module else { return false };
    let path = format!("{last}::ENTRY");
    if code::shipped(&table.text).iter().any(|(_, line)| code::has_word(line, &path)) {
        return true;
    }
    let imports = files.iter().flat_map(|file| {
        let lines = code::shipped(&file.text).into_iter().map(|(_, line)| line);
        lines.filter(|line| line.contains("use ") && code::has_word(line, &path))
    });
    imports.into_iter().any(|line| match line.split_once(&format!("{path} as ")) {
        Some((_, alias)) => {
            let alias = alias.trim_end_matches(';');
            let listed = code::shipped(&table.text);
            listed.iter().any(|(_, line)| !line.contains("use ") && code::has_word(line, alias))
        }
        None => names(table, files, above),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "//! A.\npub(crate) const ENTRY: Entry = Entry {};\n";

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| Source {
            crate_name: "attacks".into(),
            path: (*path).into(),
            text: (*text).into(),
            is_test: false,
        };
        let sources: Vec<Source> = files.iter().map(source).collect();
        check(&sources).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_entry_is_listed_by_its_module() {
        let table = "//! T.\nconst ALL: &[Entry] = &[noise::ENTRY];\n";
        assert!(told(&[("src/table.rs", table), ("src/noise.rs", ENTRY)]).is_empty());
        assert_eq!(
            told(&[("src/table.rs", table), ("src/noise.rs", ENTRY), ("src/signal.rs", ENTRY)]),
            ["crates/attacks/src/signal.rs: its ENTRY is not in crates/attacks/src/table.rs"]
        );
    }

    #[test]
    fn an_entry_is_listed_under_the_name_it_is_handed_on_by() {
        let files = |table| {
            let above = "//! M.\npub(crate) use pgd::ENTRY as PGD;\n";
            told(&[("src/table.rs", table), ("src/a/mod.rs", above), ("src/a/pgd.rs", ENTRY)])
        };
        assert!(files("//! T.\nconst ALL: &[Entry] = &[a::PGD];\n").is_empty());
        assert_eq!(files("//! T.\nuse a::PGD;\nconst ALL: &[Entry] = &[a::APGD];\n").len(), 1);
    }

    #[test]
    fn an_entry_is_listed_by_the_module_above_that_hands_it_on() {
        let files = |above| {
            let table = "//! T.\nconst ALL: &[Entry] = &[smoothing::ENTRY];\n";
            let gaussian = ("src/smoothing/gaussian.rs", ENTRY);
            told(&[("src/table.rs", table), ("src/smoothing/mod.rs", above), gaussian])
        };
        assert!(files("//! M.\npub(crate) use gaussian::ENTRY;\n").is_empty());
        assert_eq!(files("//! M.\nmod gaussian;\n").len(), 1);
    }

    #[test]
    fn a_crate_with_entries_needs_a_table() {
        assert_eq!(told(&[("src/noise.rs", ENTRY)]).len(), 1);
    }
}
