//! Where the files of a data set are published, and how to know them.
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A published data set. There is a manifest only where every checksum is certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name; the files go into a folder of this name.
    pub name: String,
    /// Licence of the data.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// What makes sample `i` the sample `i` of the literature.
    pub order: String,
    /// Files.
    #[serde(rename = "file")]
    pub files: Vec<File>,
}

/// One published file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it goes, relative to the folder of the data set, parts separated by `/`.
    pub path: String,
    /// Where it is published.
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content in lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// [`Error::Parameter`] for TOML that is no manifest, and as [`check`](Self::check).
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)
            .map_err(|error| Error::parameter("manifest", "a manifest", error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The built-in manifest of a data set.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is none.
    pub fn find(name: &str) -> Result<Self> {
        let (_, text) = MANIFESTS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let known: Vec<_> = MANIFESTS.iter().map(|(name, _)| *name).collect();
            Error::Unknown { name: name.into(), known: known.join(", ") }
        })?;
        Self::parse(text)
    }

    /// Size of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Checks that every path stays inside its folder and that the rest can be true.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a path that is absolute, climbs (`..`), repeats another or ends
    /// in `.part`; an address that is not HTTP; a checksum that is none; a file of no bytes; no
    /// files.
    pub fn check(&self) -> Result<()> {
        let single = !self.name.contains('/') && inside(&self.name);
        if !single {
            return Err(Error::parameter("name", "a plain folder name", self.name.as_str()));
        }
        if self.files.is_empty() {
            return Err(Error::parameter("file", "at least one file", "none"));
        }
        let mut seen = std::collections::BTreeSet::new();
        for file in &self.files {
            if !inside(&file.path) || !seen.insert(&file.path) {
                let expected = "a relative path inside the folder, once";
                return Err(Error::parameter("path", expected, file.path.as_str()));
            }
            if !(file.url.starts_with("https://") || file.url.starts_with("http://")) {
                return Err(Error::parameter("url", "an http or https address", file.url.as_str()));
            }
            let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if file.sha256.len() != 64 || !file.sha256.bytes().all(digit) {
                let expected = "64 lower-case hexadecimal digits";
                return Err(Error::parameter("sha256", expected, file.sha256.as_str()));
            }
            if file.bytes == 0 {
                return Err(Error::parameter("bytes", "at least 1", "0"));
            }
        }
        Ok(())
    }
}

/// Whether a path goes straight down, on every system.
fn inside(path: &str) -> bool {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let odd = |character: char| character.is_control() || matches!(character, '\\' | ':');
    let ends_well = Path::new(path).extension().is_none_or(|extension| extension != "part");
    // `components` drops `.` and empty parts in the middle; the count does not.
    let parts = path.split('/').count();
    ends_well
        && !path.is_empty()
        && !path.contains(odd)
        && Path::new(path).components().all(plain)
        && Path::new(path).components().count() == parts
}

/// Name and text of each built-in manifest.
pub const MANIFESTS: &[(&str, &str)] = &[
    ("mnist", include_str!("../manifests/mnist.toml")),
    ("fashion_mnist", include_str!("../manifests/fashion_mnist.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::find("mnist").unwrap()
    }

    #[test]
    fn every_manifest_is_sound_and_carries_its_name() {
        for (name, _) in MANIFESTS {
            assert_eq!(Manifest::find(name).unwrap().name, *name);
            assert!(crate::find(name).is_ok(), "{name} is in the registry");
        }
        assert_eq!(manifest().bytes(), 9_912_422 + 28_881 + 1_648_877 + 4_542);
        let error = Manifest::find("cifar").unwrap_err().to_string();
        assert_eq!(error, "no data set `cifar`; known: mnist, fashion_mnist");
    }

    #[test]
    fn paths_that_leave_the_folder_are_rejected() {
        for path in [
            "",
            "/etc/passwd",
            "../up",
            "a/../../up",
            "a/..",
            "..",
            ".",
            "a/./b",
            "a//b",
            "a/",
            "C:\\x",
            "..\\up",
            "c:x",
            "nul\0",
            "a.part",
            "line\nfeed",
        ] {
            let mut wrong = manifest();
            wrong.files[0].path = path.into();
            assert!(wrong.check().is_err(), "{path:?}");
            let mut wrong = manifest();
            wrong.name = path.into();
            assert!(wrong.check().is_err(), "{path:?}");
        }
        let mut nested = manifest();
        nested.files[0].path = "raw/train.gz".into();
        assert!(nested.check().is_ok());
        nested.name = "a/b".into();
        assert!(nested.check().is_err());
    }

    #[test]
    fn other_fields_are_checked() {
        let broken = |change: fn(&mut Manifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            assert!(manifest.check().is_err(), "{manifest:?}");
        };
        broken(|manifest| manifest.files[0].url = "file:///etc/passwd".into());
        broken(|manifest| manifest.files[0].sha256.truncate(63));
        broken(|manifest| manifest.files[0].sha256 = "G".repeat(64));
        broken(|manifest| manifest.files[0].bytes = 0);
        broken(|manifest| manifest.files.clear());
        broken(|manifest| manifest.files[0].path = manifest.files[1].path.clone());
        assert!(Manifest::parse("name = \"a\"\nsurprise = 1").is_err());
    }
}
