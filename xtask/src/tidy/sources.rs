//! Rules on the lines of each file.
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::Metadata;

use super::{Fault, code};

/// A source file of a crate.
pub(super) struct Source {
    /// The crate's folder in `crates/`.
    pub(super) crate_name: String,
    /// Its path in the crate, `src/goal.rs`.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
    /// Whether the whole file is compiled for tests only.
    pub(super) is_test: bool,
}

/// A longer file holds more than one idea.
const MOST_LINES: usize = 500;

/// The crate that may print and read the environment.
const PROGRAM: &str = "cli";

/// What no line may hold, tests included. Add to it.
const FORBIDDEN: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// What a library's own code may not hold: it returns values and takes what it needs.
const NOT_IN_LIBRARIES: &[(&str, &str)] = &[
    ("println!", "libraries do not print: return it or tell `Progress`"),
    ("eprintln!", "libraries do not print: return it or tell `Progress`"),
    ("print!", "libraries do not print: return it or tell `Progress`"),
    ("eprint!", "libraries do not print: return it or tell `Progress`"),
    ("std::env::", "libraries do not read the environment: take it as an argument"),
    ("use std::env", "libraries do not read the environment: take it as an argument"),
];

/// A rule about calls that only a few files may make.
struct Confined {
    calls: &'static [&'static str],
    /// Files, or folders with a `/` at the end, as `crate/src/...`.
    allowed: &'static [&'static str],
    told: &'static str,
}

const CONFINED: &[Confined] = &[
    Confined {
        calls: &[
            ".into_data(",
            ".to_data(",
            ".into_scalar(",
            ".try_into_scalar(",
            ".try_into_data(",
            "try_into_vec_as",
        ],
        allowed: &["core/src/host.rs"],
        told: "only duress_core::host reads from the device: it counts the reads",
    },
    Confined {
        calls: &[".backward("],
        allowed: &[
            // The gradient by the input.
            "core/src/classifier.rs",
            // The gradient by the weights.
            "models/src/train.rs",
            "models/src/train/",
        ],
        told: "only `input_gradient` and training differentiate",
    },
];

/// Every source file of the crates, sources and tests.
///
/// # Errors
/// If one cannot be read.
pub(super) fn read(metadata: &Metadata) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let root = metadata.workspace_root.join("crates");
    for folder in entries(root.as_std_path())? {
        for part in ["src", "tests", "benches", "examples"] {
            collect(&folder, &folder.join(part), &mut sources)?;
        }
    }
    mark_tests(&mut sources);
    Ok(sources)
}

/// Marks what a `#[cfg(test)] mod name;` declares, and what lies in its folder.
fn mark_tests(sources: &mut [Source]) {
    let mut declared = Vec::new();
    for source in sources.iter() {
        let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let folder = match file {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            file => format!("{folder}/{}", file.trim_end_matches(".rs")),
        };
        for name in code::test_modules(&source.text) {
            declared.push((source.crate_name.clone(), format!("{folder}/{name}")));
        }
    }
    for source in sources {
        let declared = declared.iter().filter(|(name, _)| *name == source.crate_name);
        let mut rests = declared.filter_map(|(_, module)| source.path.strip_prefix(&**module));
        source.is_test |= rests.any(|rest| rest == ".rs" || rest.starts_with('/'));
    }
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for path in entries(folder)? {
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let relative = relative.to_string_lossy().replace('\\', "/");
            sources.push(Source {
                crate_name: root.file_name().unwrap_or_default().to_string_lossy().into(),
                is_test: !relative.starts_with("src/"),
                path: relative,
                text,
            });
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let told = || format!("reading the folder {}", folder.display());
    let entries = std::fs::read_dir(folder).with_context(told)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(told)?;
    paths.sort();
    Ok(paths)
}

/// All rules on one file.
pub(super) fn check(source: &Source) -> Vec<Fault> {
    let place = format!("crates/{}/{}", source.crate_name, source.path);
    let mut faults = Vec::new();
    for (line, code) in code::all(&source.text) {
        for word in FORBIDDEN.iter().filter(|word| has_call(code, word)) {
            faults.push(Fault::new(&place, line, format!("`{word}` is unfinished work")));
        }
    }
    if source.is_test {
        return faults;
    }
    let length = source.text.lines().count();
    if length > MOST_LINES {
        let told = format!("{length} lines, at most {MOST_LINES}: split it by idea");
        faults.push(Fault::new(&place, 0, told));
    }
    if !source.text.starts_with("//!") && !source.text.starts_with("#![doc = include_str!(") {
        faults.push(Fault::new(&place, 1, "a file begins with `//!` and what it holds"));
    }
    for (line, code) in code::shipped(&source.text) {
        if source.crate_name != PROGRAM {
            let found = NOT_IN_LIBRARIES.iter().find(|(call, _)| has_call(code, call));
            faults.extend(found.map(|(_, told)| Fault::new(&place, line, *told)));
        }
        for rule in CONFINED.iter().filter(|rule| !rule.allows(source)) {
            if rule.calls.iter().any(|call| code.contains(call)) {
                faults.push(Fault::new(&place, line, rule.told));
            }
        }
    }
    faults
}

/// Whether `call` stands in `line`, not as the end of a longer name.
fn has_call(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

impl Confined {
    fn allows(&self, source: &Source) -> bool {
        let path = format!("{}/{}", source.crate_name, source.path);
        self.allowed
            .iter()
            .any(|it| if it.ends_with('/') { path.starts_with(it) } else { path == *it })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(crate_name: &str, path: &str, text: &str) -> Source {
        let is_test = !path.starts_with("src/");
        Source { crate_name: crate_name.into(), path: path.into(), text: text.into(), is_test }
    }

    fn told(crate_name: &str, path: &str, text: &str) -> Vec<String> {
        let source = source(crate_name, path, text);
        check(&source).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_says_what_it_holds_and_is_not_long() {
        assert!(told("core", "src/a.rs", "//! A.\n").is_empty());
        assert_eq!(
            told("core", "src/a.rs", "fn a() {}\n"),
            ["crates/core/src/a.rs:1: a file begins with `//!` and what it holds"]
        );
        let text = format!("//! A.\n{}", "fn a() {}\n".repeat(MOST_LINES - 1));
        assert!(told("core", "src/a.rs", &text).is_empty());
        assert_eq!(told("core", "src/a.rs", &(text + "fn b() {}\n")).len(), 1);
    }

    #[test]
    fn libraries_neither_print_nor_read_the_environment() {
        for line in ["println!(\"a\");", "eprint!(\"a\");", "let a = std::env::var(\"A\");"] {
            let text = format!("//! A.\n{line}\n");
            assert_eq!(told("core", "src/a.rs", &text).len(), 1, "{line}");
            assert!(told("cli", "src/a.rs", &text).is_empty());
            assert!(told("core", "tests/a.rs", &text).is_empty());
            let tested = format!("//! A.\n#[cfg(test)]\nmod tests {{\n    {line}\n}}\n");
            assert!(told("core", "src/a.rs", &tested).is_empty());
            assert!(told("core", "src/a.rs", &format!("//! A.\n// {line}\n")).is_empty());
        }
    }

    #[test]
    fn a_module_of_tests_is_one_whatever_it_is_called() {
        let declares = "//! A.\n#[cfg(test)]\nmod samples;\n";
        let mut sources = [
            source("core", "src/a/mod.rs", declares),
            source("core", "src/b.rs", declares),
            source("core", "src/a/samples.rs", ""),
            source("core", "src/a/samples/more.rs", ""),
            source("core", "src/b/samples.rs", ""),
            source("core", "src/samples.rs", ""),
            source("core", "src/a/samples_of.rs", ""),
            source("models", "src/a/samples.rs", ""),
        ];
        mark_tests(&mut sources);
        let marked: Vec<bool> = sources.iter().map(|source| source.is_test).collect();
        assert_eq!(marked, [false, false, true, true, true, false, false, false]);
    }

    #[test]
    fn only_one_file_reads_from_the_device() {
        let text = "//! A.\nlet a = b.into_data();\n";
        assert!(told("core", "src/host.rs", text).is_empty());
        assert_eq!(told("core", "src/ghost.rs", text).len(), 1);
        assert_eq!(told("attacks", "src/host.rs", text).len(), 1);
    }

    #[test]
    fn only_the_input_gradient_and_training_differentiate() {
        let text = "//! A.\nlet a = b.backward();\n";
        for (crate_name, path) in [("core", "src/classifier.rs"), ("models", "src/train/run.rs")] {
            assert!(told(crate_name, path, text).is_empty());
        }
        for (crate_name, path) in [("attacks", "src/a.rs"), ("models", "src/trained.rs")] {
            assert_eq!(told(crate_name, path, text).len(), 1, "{path}");
        }
    }

    #[test]
    fn unfinished_work_is_found_in_tests_too() {
        let text = "//! A.\n#[test]\nfn a() {\n    todo!()\n}\n";
        assert_eq!(
            told("core", "tests/a.rs", text),
            ["crates/core/tests/a.rs:4: `todo!` is unfinished work"]
        );
        assert!(told("core", "src/a.rs", "//! A.\nmastodon_todo!();\n").is_empty());
    }
}
