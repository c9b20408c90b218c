//! `instances.csv`: the networks and properties of a benchmark, and the time each may take.
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::VnnlibError;

/// One line: network, property, seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The network, relative paths taken from the folder of the list.
    pub network: PathBuf,
    /// The property, likewise.
    pub property: PathBuf,
    /// The time it may take.
    pub timeout: Duration,
}

/// Reads a list of `network,property,seconds` without a header, in its order. Whether the files are
/// there is not checked.
///
/// # Errors
/// [`VnnlibError::Io`]; [`VnnlibError::Instance`] for a line that has not three fields, an empty path
/// or a time that is not positive.
pub fn read_instances(path: &Path) -> Result<Vec<Instance>, VnnlibError> {
    let file = std::fs::File::open(path)
        .map_err(|source| VnnlibError::Io { path: path.into(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(file);
    let mut instances = Vec::new();
    for record in reader.records() {
        let fault = |line, fault| VnnlibError::Instance { path: path.into(), line, fault };
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            fault(line, error.to_string())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields: Vec<&str> = record.iter().collect();
        let [network, property, seconds] = fields[..] else {
            let told =
                format!("expected network, property and seconds, got {} fields", fields.len());
            return Err(fault(line, told));
        };
        if network.is_empty() || property.is_empty() {
            return Err(fault(line, "a path is empty".into()));
        }
        let timeout = seconds.parse().ok().filter(|&seconds: &f64| seconds > 0.0);
        let Some(timeout) = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        else {
            return Err(fault(
                line,
                format!("expected a positive time in seconds, got `{seconds}`"),
            ));
        };
        let (network, property) = (folder.join(network), folder.join(property));
        instances.push(Instance { network, property, timeout });
    }
    Ok(instances)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Instance>, VnnlibError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instances of a set.csv");
        std::fs::write(&path, text).unwrap();
        let read = read_instances(&path)?;
        let root = folder.path().to_path_buf();
        Ok(read
            .into_iter()
            .map(|instance| Instance {
                network: instance.network.strip_prefix(&root).unwrap().into(),
                property: instance.property.strip_prefix(&root).unwrap().into(),
                ..instance
            })
            .collect())
    }

    #[test]
    fn paths_are_taken_from_the_folder_of_the_list() {
        let instances = read("onnx/a.onnx, vnnlib/p 1.vnnlib,116\nb.onnx,q.vnnlib,0.5\n").unwrap();
        assert_eq!(instances.len(), 2);
        assert_eq!(instances[0].property, Path::new("vnnlib/p 1.vnnlib"));
        assert_eq!(instances[1].timeout, Duration::from_millis(500));
    }

    #[test]
    fn a_line_that_names_no_instance_is_named() {
        let told = |text| read(text).unwrap_err().to_string();
        assert!(
            told("a,b,1\na,b\n").contains("line 2: expected network, property and seconds, got 2")
        );
        assert!(told("a,b,-1\n").contains("got `-1`"));
        assert!(told("a,b,nan\n").contains("got `nan`"));
        assert!(told("a,,1\n").contains("a path is empty"));
        assert!(read_instances(Path::new("no such list.csv")).is_err());
    }
}
