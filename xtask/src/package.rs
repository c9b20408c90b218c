//! What would be published: every crate says what it is and carries what it needs.
use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, Package};

use crate::run::{cargo, line};

/// Files that a crate's package must hold besides those that every one holds.
const CONTENTS: &[(&str, &[&str])] = &[("duress-datasets", DATA)];

/// The origin and the licences of the embedded data sets; the data are named by the sources.
const DATA: &[&str] = &["data/README.md"];

/// Checks every publishable crate.
///
/// # Errors
/// All that is missing, crate by crate.
pub(crate) fn run(metadata: &Metadata) -> Result<()> {
    let mut faults = Vec::new();
    for package in &metadata.packages {
        if package.publish.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        let files = files(metadata, package)?;
        faults.extend(missing_fields(package));
        faults.extend(missing_files(&package.name, &files));
        faults.extend(missing_includes(package, &files)?);
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("; ")) }
}

/// The files of a package, relative to its root.
fn files(metadata: &Metadata, package: &Package) -> Result<Vec<String>> {
    let list = ["package", "--list", "--quiet", "--allow-dirty", "-p", &package.name];
    let mut command = cargo(metadata, list);
    let output = command.output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{}; to repeat it: {}", told.trim(), line(&command));
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|path| path.replace('\\', "/"))
        .collect())
}

fn missing_fields(package: &Package) -> Vec<String> {
    let fields = [
        ("description", package.description.is_some()),
        ("license", package.license.is_some()),
        ("repository", package.repository.is_some()),
        ("readme", package.readme.is_some()),
        ("keywords", !package.keywords.is_empty()),
        ("categories", !package.categories.is_empty()),
    ];
    let missing = fields.into_iter().filter(|(_, is_there)| !is_there);
    missing.map(|(field, _)| format!("{} has no `{field}`", package.name)).collect()
}

fn missing_files(name: &str, files: &[String]) -> Vec<String> {
    let has = |path: &str| files.iter().any(|file| file == path);
    let own = CONTENTS.iter().filter(|(owner, _)| *owner == name).flat_map(|(_, paths)| *paths);
    let needed = ["Cargo.toml", "README.md"].iter().chain(own);
    let mut faults: Vec<String> = needed
        .filter(|path| !has(path))
        .map(|path| format!("the package of {name} lacks `{path}`"))
        .collect();
    if !(has("src/lib.rs") || has("src/main.rs")) {
        faults.push(format!("the package of {name} lacks its sources"));
    }
    faults
}

/// Files that the sources include at compile time and that would not be published.
fn missing_includes(package: &Package, files: &[String]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for source in files {
        let path = package.manifest_path.with_file_name(source);
        if path.extension() != Some("rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let missing = included(source, &text).into_iter().filter(|path| !files.contains(path));
        faults.extend(missing.map(|path| {
            format!("{source} of {} includes `{path}`, which its package lacks", package.name)
        }));
    }
    Ok(faults)
}

/// The files that a source includes at compile time, relative to the package's root; one that lies
/// outside it begins with `..`.
fn included(source: &str, text: &str) -> Vec<String> {
    let folder: Vec<&str> = source.split('/').rev().skip(1).collect();
    let mut paths = Vec::new();
    for start in ["include_str!(\"", "include_bytes!(\""] {
        for (_, rest) in text.match_indices(start).map(|(at, _)| text[at..].split_at(start.len())) {
            let Some((path, _)) = rest.split_once('"') else { continue };
            let mut parts: Vec<&str> = folder.iter().rev().copied().collect();
            for part in path.split('/') {
                match part {
                    "." => {}
                    ".." if parts.last().is_some_and(|&last| last != "..") => {
                        parts.pop();
                    }
                    part => parts.push(part),
                }
            }
            paths.push(parts.join("/"));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(more: &str) -> Package {
        let text = format!(
            r#"{{"name":"duress-core","version":"0.1.0","id":"x","dependencies":[],"targets":[],
               "features":{{}},"manifest_path":"/Cargo.toml","edition":"2024" {more}}}"#
        );
        cargo_metadata::Metadata::clone(
            &cargo_metadata::MetadataCommand::parse(format!(
                r#"{{"packages":[{text}],"workspace_members":[],"resolve":null,
                   "workspace_root":"/","target_directory":"/","version":1}}"#
            ))
            .unwrap(),
        )
        .packages
        .remove(0)
    }

    #[test]
    fn a_field_that_is_missing_is_named() {
        let all = r#","description":"d","license":"MIT","repository":"r","readme":"README.md",
                     "keywords":["k"],"categories":["c"]"#;
        assert!(missing_fields(&package(all)).is_empty());
        let some = all.replace(r#""license":"MIT","#, "").replace(r#"["k"]"#, "[]");
        assert_eq!(
            missing_fields(&package(&some)),
            ["duress-core has no `license`", "duress-core has no `keywords`"]
        );
    }

    #[test]
    fn a_package_without_its_data_is_a_fault() {
        let files: Vec<String> =
            ["Cargo.toml", "README.md", "src/lib.rs"].map(String::from).to_vec();
        assert!(missing_files("duress-core", &files).is_empty());
        assert_eq!(missing_files("duress-datasets", &files).len(), DATA.len());
        assert_eq!(
            missing_files("duress-core", &files[..1]),
            [
                "the package of duress-core lacks `README.md`",
                "the package of duress-core lacks its sources"
            ]
        );
    }

    #[test]
    fn included_files_are_found_relative_to_the_package() {
        let text = "const A: &[u8] = include_bytes!(\"../data/a.gz\");\n\
                    const B: &str = include_str!(\"b/./c.toml\");\n\
                    #![doc = include_str!(\"../../../README.md\")]\n";
        assert_eq!(
            included("src/embedded.rs", text),
            ["src/b/c.toml", "../../README.md", "data/a.gz"]
        );
    }
}
