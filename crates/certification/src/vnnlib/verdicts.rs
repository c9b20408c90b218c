//! Verdicts that others reached, to compare with.
use std::collections::HashMap;
use std::path::Path;

use super::VnnlibError;

/// What is known of instances, by the names of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownVerdicts {
    holds: HashMap<(String, String), bool>,
}

impl KnownVerdicts {
    /// Reads a list of `network,property,…`, of which a later field of a line is `unsat` or `sat` where
    /// that is known; the first such field counts. Lines without one, such as a header, say nothing.
    /// Results of `duress verify --instances` are such a list.
    ///
    /// # Errors
    /// [`VnnlibError::Io`]; [`VnnlibError::Instance`] for a line that contradicts one before, or a
    /// list of which no line has a verdict.
    pub fn read(path: &Path) -> Result<Self, VnnlibError> {
        let file = std::fs::File::open(path)
            .map_err(|source| VnnlibError::Io { path: path.into(), source })?;
        let fault = |line, fault: String| VnnlibError::Instance { path: path.into(), line, fault };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(file);
        let mut known = Self::default();
        for record in reader.records() {
            let record = record.map_err(|error| {
                fault(error.position().map_or(0, csv::Position::line), error.to_string())
            })?;
            let mut fields = record.iter();
            let (Some(network), Some(property)) = (fields.next(), fields.next()) else { continue };
            let verdict = fields.find_map(|field| match field {
                "unsat" | "holds" => Some(true),
                "sat" | "violated" => Some(false),
                _ => None,
            });
            let Some(holds) = verdict else { continue };
            let key = (name(Path::new(network)), name(Path::new(property)));
            if known.holds.insert(key, holds).is_some_and(|before| before != holds) {
                let line = record.position().map_or(0, csv::Position::line);
                let told = "another verdict than a line before for files of these names";
                return Err(fault(line, told.into()));
            }
        }
        if known.holds.is_empty() {
            return Err(fault(
                1,
                "no line has a verdict: expected network,property,…,unsat".into(),
            ));
        }
        Ok(known)
    }

    /// Whether a property holds for a network, if that is known; folders do not count.
    #[must_use]
    pub fn holds(&self, network: &Path, property: &Path) -> Option<bool> {
        self.holds.get(&(name(network), name(property))).copied()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<KnownVerdicts, VnnlibError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known verdicts.csv");
        std::fs::write(&path, text).unwrap();
        KnownVerdicts::read(&path)
    }

    #[test]
    fn verdicts_are_found_by_the_names_of_files() {
        let known = read("onnx,vnnlib,verdict\na/n.onnx,p.vnnlib,116,unsat,sat\nn.onnx,q,open\n");
        let known = known.unwrap();
        assert_eq!(known.holds(Path::new("b/n.onnx"), Path::new("c/p.vnnlib")), Some(true));
        assert_eq!(known.holds(Path::new("n.onnx"), Path::new("q")), None);
    }

    #[test]
    fn a_list_that_contradicts_itself_or_says_nothing_is_an_error() {
        let told = |text| read(text).unwrap_err().to_string();
        assert!(told("n,p,sat\nx/n,p,unsat\n").contains("line 2: another verdict"));
        assert!(told("n,p,open\n").contains("no line has a verdict"));
        assert!(KnownVerdicts::read(Path::new("no such list.csv")).is_err());
    }
}
